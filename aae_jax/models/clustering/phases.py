"""Clustering without labels (Makhzani et al. 2016, §6, figure 9), and shaharazulay's additions.

The semi-supervised model without the classification phase: the discriminator of y makes labels one-hot and equally
frequent, and similar images come to share a label. Each addition is a separate phase, present if its weight is above
0; the penalty on large styles is a term of the generator phase.
"""

import jax
import jax.numpy as jnp

from aae_jax import losses, priors
from aae_jax.augment import activate
from aae_jax.config import require_resolved
from aae_jax.models.clustering.config import ClusteringConfig, validate_clustering
from aae_jax.models.shared.adversary import traced_prior
from aae_jax.models.shared.label_code import (
    LabelCode,
    Term,
    build_common_phases,
    cluster_terms,
    label_codes,
    labels_of,
    propagation_terms,
)
from aae_jax.models.shared.terms import (
    DRAW_ADVERSARIES,
    DRAW_RECONSTRUCTION,
    Auxiliary,
    encode_view,
    reconstruction_error,
)
from aae_jax.networks import Codes, EncoderOutput, Networks
from aae_jax.train.hyper import Numbers
from aae_jax.train.optimizers import build_optimizer
from aae_jax.train.phases import LossFn, Phase
from aae_jax.types import Array, Batch, Params, PRNGKey, Sampler, Stats

__all__ = ["build_codes", "build_phases"]

EXTRAS = ("cyclic", "mode", "mode_separation")
PHASES = ("reconstruction", *EXTRAS, "discriminator_z", "discriminator_y", "generator")


def build_codes(config: ClusteringConfig, num_classes: int = 0) -> Codes:
    """Return the codes: style and cluster, both discriminators, and the mode decoder if it is trained."""
    return label_codes(config, config.num_clusters)._replace(mode_decoder=config.weights.mode > 0)


def build_phases(
    networks: Networks, config: ClusteringConfig, *, num_classes: int = 0, prior: Sampler | None = None
) -> dict[str, Phase]:
    """Return the phases by name: reconstruction, additions with a weight above 0, discriminators, generator.

    Args:
        networks: Those of `build_codes`.
        config: Optimizers, views, loss weights and priors.
        num_classes: Ignored; the model has clusters instead.
        prior: A `Prior`, or any sampler of styles, `(key, n) -> [n, latent]`, which is not scaled by
            `hyper.prior.std`. None: the configured prior.

    Raises:
        InputError: The configuration is invalid.
    """
    validate_clustering(config)
    require_resolved(config)
    optimizers = config.optimizers
    draw_labels = labels_of(priors.build_categorical(config.num_clusters))
    model = LabelCode(networks, config, priors.rare_categorical if config.inverse_frequency else draw_labels)
    draw_style = traced_prior(prior, config.prior, config.network.latent_dim)
    phases = {
        **build_common_phases(model, draw_style, rebuilt_by=("encoder", "decoder"), terms=_terms(config)),
        "cyclic": Phase(("encoder", "decoder"), _build_cyclic(model), build_optimizer(optimizers.cyclic)),
        "mode": Phase(("encoder", "mode_decoder"), _build_mode(model), build_optimizer(optimizers.mode)),
        "mode_separation": Phase(
            ("decoder",), _build_mode_separation(networks, config), build_optimizer(optimizers.mode_separation)
        ),
    }
    return {name: phases[name] for name in PHASES if _runs(config, name)}


def _runs(config: ClusteringConfig, phase: str) -> bool:
    return phase not in EXTRAS or getattr(config.weights, phase) > 0


def _build_cyclic(model: LabelCode) -> LossFn:
    networks, config = model.networks, model.config

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        first, style, _, _ = encode_view(networks, config, params, stats, batch.images, hyper, draw)
        label = jax.nn.softmax(first.logits)
        decoded, _ = networks.decode(params, stats, style, label, key)
        image = activate(decoded, config.network.output)
        again, _ = networks.encode(params, stats, image, jax.random.fold_in(draw, 2))
        of_label = losses.cyclic_label_loss(again.logits, label)
        of_style = losses.cyclic_style_loss(again.mean, style)
        value = hyper.weights.cyclic * (of_label + hyper.weights.cyclic_style * of_style)
        return value, (stats, {"label": of_label, "style": of_style})

    return loss


def _build_mode(model: LabelCode) -> LossFn:
    networks, config = model.networks, model.config

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        assert networks.decode_mode is not None, "build_codes asks for it where the phase runs"
        draw = jax.random.fold_in(key, DRAW_RECONSTRUCTION)
        encoded = encode_view(networks, config, params, stats, batch.images, hyper, draw, reconstructed=True)
        made = networks.decode_mode(params, jax.nn.softmax(encoded.output.logits), key)
        kind, output = config.weights.reconstruction_loss, config.network.output
        error = reconstruction_error(made, encoded.view.target, kind, output)
        return hyper.weights.mode * error, (stats, {"error": error})

    return loss


def _build_mode_separation(networks: Networks, config: ClusteringConfig) -> LossFn:
    clusters = jnp.eye(config.num_clusters, dtype=jnp.float32)

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        styles = jnp.zeros((clusters.shape[0], config.network.latent_dim), jnp.float32)
        value = losses.pairwise_mode_loss(networks.decode(params, stats, styles, clusters, key)[0])
        return hyper.weights.mode_separation * value, (stats, {"nearness": value})

    return loss


def _terms(config: ClusteringConfig) -> list[Term]:
    penalty = [_build_style_penalty(config)] if config.weights.style_penalty > 0 else []
    return [*propagation_terms(config.weights), *cluster_terms(config.weights), *penalty]


def _build_style_penalty(config: ClusteringConfig) -> Term:
    measure = (
        losses.frobenius_penalty if config.weights.style_penalty_kind == "frobenius" else losses.mean_square_penalty
    )

    def penalty(output: EncoderOutput, style: Array, batch: Batch, hyper: Numbers) -> tuple[str, Array, Array]:
        return "style_penalty", jnp.asarray(hyper.weights.style_penalty), measure(style)

    return penalty
