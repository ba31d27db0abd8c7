"""Adversarial autoencoder without labels (Makhzani et al. 2016, §2, figures 1 and 2).

The encoder outputs a style z, the decoder reconstructs the image from it, and a discriminator makes the aggregated
posterior of the styles match a prior of any shape that can be sampled.
"""

import jax

from aae_jax import losses
from aae_jax.config import require_resolved
from aae_jax.models.shared.adversary import (
    DrawPrior,
    build_style_discriminator,
    build_style_generator,
    style_discrepancy,
    traced_prior,
)
from aae_jax.models.shared.terms import (
    DRAW_ADVERSARIES,
    DRAW_JUDGED,
    DRAW_PRIOR_Z,
    DRAW_RECONSTRUCTION,
    Auxiliary,
    encode_view,
    no_label,
    rebuild,
)
from aae_jax.models.unsupervised.config import UnsupervisedConfig, validate_unsupervised
from aae_jax.networks import Codes, Networks
from aae_jax.train.hyper import Numbers
from aae_jax.train.optimizers import build_optimizer, build_reconstruction_optimizer
from aae_jax.train.phases import LossFn, Phase
from aae_jax.types import Batch, Params, PRNGKey, Sampler, Stats

__all__ = [
    "build_codes",
    "build_phases",
]


def build_codes(config: UnsupervisedConfig, num_classes: int = 0) -> Codes:
    """Return the codes: a style and its discriminator, without a label."""
    return Codes(0, 0, {"discriminator_z": config.network.latent_dim})


def build_phases(
    networks: Networks, config: UnsupervisedConfig, *, num_classes: int = 0, prior: Sampler | None = None
) -> dict[str, Phase]:
    """Return the phases by name: reconstruction, discriminator and, unless the step is joint, generator.

    Args:
        networks: Those of `build_codes`.
        config: Optimizers, views, reconstruction loss and prior.
        num_classes: Ignored; the model has no label.
        prior: A `Prior`, or any sampler of styles, `(key, n) -> [n, latent]`, which is not scaled by
            `hyper.prior.std`. None: the configured prior.

    Raises:
        InputError: The configuration is invalid.
    """
    validate_unsupervised(config)
    require_resolved(config)
    draw_prior = traced_prior(prior, config.prior, config.network.latent_dim)
    optimizers = config.optimizers
    discriminator = Phase(
        ("discriminator_z",),
        build_style_discriminator(networks, config, draw_prior, reconstructed=config.joint),
        build_optimizer(optimizers.discriminator),
        rate="discriminator",
    )
    rebuild = Phase(
        ("encoder", "decoder"),
        _build_reconstruction(networks, config, draw_prior),
        build_reconstruction_optimizer(optimizers.reconstruction, encoder_share=optimizers.encoder_share),
        updates_stats=True,
    )
    if config.joint:
        return {"discriminator_z": discriminator, "reconstruction": rebuild}
    generate = build_style_generator(networks, config, draw_prior)
    generator = Phase(("encoder",), generate, build_optimizer(optimizers.generator))
    return {"reconstruction": rebuild, "discriminator_z": discriminator, "generator": generator}


def _build_reconstruction(networks: Networks, config: UnsupervisedConfig, draw_prior: DrawPrior) -> LossFn:
    shared = config.joint or config.update_order == "simultaneous"  # all phases read the same view

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES if shared else DRAW_RECONSTRUCTION)
        encoded = encode_view(networks, config, params, stats, batch.images, hyper, draw, reconstructed=True)
        style = encoded.style
        error, stats = rebuild(networks, config, config.weights, params, encoded, no_label(style), key)
        value, metrics = hyper.weights.reconstruction * error, {"error": error}
        if config.joint:
            judged = networks.discriminate_z(params, style, jax.random.fold_in(key, DRAW_JUDGED))
            metrics["generator_z"] = losses.generator_loss(judged)
            key_prior = jax.random.fold_in(key, DRAW_PRIOR_Z)
            term, own = style_discrepancy(config, hyper, style, lambda: draw_prior(key_prior, style.shape[0], hyper))
            value += hyper.weights.generator_z * metrics["generator_z"] + term
            metrics |= own
        return value, (stats, metrics)

    return loss
