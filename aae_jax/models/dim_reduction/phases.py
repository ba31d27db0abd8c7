"""Dimensionality reduction (Makhzani et al. 2016, §7, figure 10): latent codes around the head of their class.

The encoder outputs a label y and a style z of few dimensions, and the decoder receives only W_C y + z. An additional
cost keeps the heads, the columns of W_C, apart. Classes are learned from labels, or found as clusters.
"""

import jax.numpy as jnp

from aae_jax import losses, priors
from aae_jax.config import require_resolved
from aae_jax.models.dim_reduction.config import DimReductionConfig, validate_dim_reduction
from aae_jax.models.shared.adversary import traced_prior
from aae_jax.models.shared.label_code import (
    LabelCode,
    build_classification,
    build_common_phases,
    cluster_terms,
    label_codes,
    labels_of,
    propagation_terms,
)
from aae_jax.models.shared.terms import Auxiliary
from aae_jax.networks import Codes, Networks
from aae_jax.train.hyper import Numbers
from aae_jax.train.optimizers import build_optimizer
from aae_jax.train.phases import Phase
from aae_jax.types import Batch, Params, PRNGKey, Sampler, Stats

__all__ = [
    "build_codes",
    "build_phases",
    "head_distance_loss",
]

PHASES = ("reconstruction", "head_distance", "discriminator_z", "discriminator_y", "generator", "classification")


def build_codes(config: DimReductionConfig, num_classes: int) -> Codes:
    """Return the codes: style and label, the cluster heads, and both discriminators; the decoder gets W_C y + z."""
    return label_codes(config, config.num_clusters or num_classes)._replace(heads=True)


def build_phases(
    networks: Networks, config: DimReductionConfig, *, num_classes: int, prior: Sampler | None = None
) -> dict[str, Phase]:
    """Return the phases by name: reconstruction, head_distance, discriminators, generator, classification.

    `classification` is present if labels are used, `head_distance` if its weight is above 0.

    Args:
        networks: Those of `build_codes`.
        config: Optimizers, views, loss weights and priors.
        num_classes: Number of classes, if labels are used.
        prior: A `Prior`, or any sampler of styles, `(key, n) -> [n, latent]`, which is not scaled by
            `hyper.prior.std`. None: the configured prior.

    Raises:
        InputError: The configuration is invalid.
    """
    validate_dim_reduction(config)
    require_resolved(config)
    optimizers, weights = config.optimizers, config.weights
    model = LabelCode(networks, config, labels_of(priors.build_categorical(config.num_clusters or num_classes)))
    draw_style = traced_prior(prior, config.prior, config.network.latent_dim)
    terms = [*propagation_terms(weights), *cluster_terms(weights)]
    phases = {
        **build_common_phases(model, draw_style, rebuilt_by=("encoder", "decoder", "heads"), terms=terms),
        "head_distance": Phase(("heads",), head_distance_loss, build_optimizer(optimizers.head_distance)),
        "classification": Phase(
            ("encoder",), build_classification(model), build_optimizer(optimizers.classification)
        ),
    }
    return {name: phases[name] for name in PHASES if _runs(config, name)}


def _runs(config: DimReductionConfig, phase: str) -> bool:
    if phase == "head_distance":
        return config.weights.head_distance > 0
    return phase != "classification" or config.num_clusters is None


def head_distance_loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
    """Return the cost of cluster heads that are closer to each other than `hyper.least_distance`."""
    cost = losses.head_distance_cost(params["heads"]["kernel"], jnp.asarray(hyper.least_distance))
    return hyper.weights.head_distance * cost, (stats, {"cost": cost})
