"""Dimensionality reduction (Makhzani et al. 2016, §7, figure 10): images lie around the head of their class.

The encoder gives a label y and a style z of a few dimensions, and the decoder gets W_C y + z alone. Another cost
keeps the heads, the columns of W_C, from coming too near each other. Classes are taught by labels, or found as
clusters.
"""

import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from aae_jax import losses, priors
from aae_jax.config import require_resolved
from aae_jax.errors import InputError
from aae_jax.models.dim_reduction.config import DimReductionConfig, validate_dim_reduction
from aae_jax.models.shared.adversary import own_prior, scaled_prior
from aae_jax.models.shared.label_code import (
    LabelCode,
    build_classification,
    build_common_phases,
    cluster_numbers,
    cluster_terms,
    label_code_numbers,
    labels_of,
    propagation_numbers,
    propagation_terms,
)
from aae_jax.models.shared.terms import Auxiliary, rates_of, schedule_of, traced_hyper
from aae_jax.networks import Codes, Networks, build_networks
from aae_jax.train.hyper import Hyper
from aae_jax.train.optimizers import build_optimizer
from aae_jax.train.phases import Phase
from aae_jax.types import Array, Batch, Params, Prior, PRNGKey, Schedule, Stats

__all__ = [
    "build_dim_reduction_networks",
    "build_hyper",
    "build_phases",
    "build_schedule",
    "circle_projection",
    "head_distance_loss",
]

ORDERS = 20
"""First orders of heads around a circle from which better ones are looked for."""
PHASES = ("reconstruction", "head_distance", "discriminator_z", "discriminator_y", "generator", "classification")


def build_dim_reduction_networks(
    config: DimReductionConfig, image_shape: tuple[int, ...], num_classes: int
) -> Networks:
    """Return encoder, heads, a decoder of W_C y + z, and both adversaries."""
    classes = config.num_clusters or num_classes
    judged = {"discriminator_z": config.network.latent_dim, "discriminator_y": classes}
    return build_networks(config.network, image_shape, Codes(classes, classes, judged, heads=True))


def build_phases(
    networks: Networks, config: DimReductionConfig, *, num_classes: int, prior: Prior | None = None
) -> dict[str, Phase]:
    """Return the table of phases: reconstruction, head_distance, discriminators, generator, and classification.

    The latter where there are labels, head_distance where it has a weight.

    Args:
        networks: Of `build_dim_reduction_networks`.
        config: Decides optimizers, views, weights, priors.
        num_classes: Of the labels, where they are used.
        prior: Any sampler of styles, `(key, n) -> [n, latent]`, instead of the configured one; `hyper.prior_std`
            does not scale it.

    Raises:
        InputError: The configuration cannot be trained with.
    """
    validate_dim_reduction(config)
    require_resolved(config)
    optimizers, weights = config.optimizers, config.weights
    model = LabelCode(networks, config, labels_of(priors.build_categorical(config.num_clusters or num_classes)))
    draw_style = own_prior(prior) if prior else scaled_prior(config.prior, config.network.latent_dim)
    terms = [*propagation_terms(weights), *cluster_terms(weights)]
    phases = {
        **build_common_phases(model, draw_style, rebuilt_by=("encoder", "decoder", "heads"), terms=terms),
        "head_distance": Phase(("heads",), head_distance_loss, build_optimizer(optimizers.head_distance)),
        "classification": Phase(
            ("encoder",), build_classification(model), build_optimizer(optimizers.classification)
        ),
    }
    return {name: phases[name] for name in PHASES if _runs(config, name)}


def build_hyper(config: DimReductionConfig, num_steps: int) -> Hyper:
    """Return the traced numbers of a configuration for `num_steps` planned updates."""
    require_resolved(config)
    weights = config.weights
    return traced_hyper(
        rates_of(config.optimizers, (name for name in PHASES if _runs(config, name))),
        num_steps,
        noise_std=config.views.noise_std,
        prior_std=config.prior.traced_std,
        weight_head_distance=weights.head_distance,
        least_distance=config.least_distance,
        average_decay=config.averaging.decay,
        **label_code_numbers(weights, num_steps),
        **propagation_numbers(weights, num_steps),
        **cluster_numbers(weights, num_steps),
    )


def build_schedule(config: DimReductionConfig) -> Schedule:
    """Return the factor on all learning rates over the planned updates."""
    return schedule_of(config.optimizers)


def _runs(config: DimReductionConfig, phase: str) -> bool:
    if phase == "head_distance":
        return config.weights.head_distance > 0
    return phase != "classification" or config.num_clusters is None


def head_distance_loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
    """Return the cost of heads that are nearer to each other than `hyper.least_distance`."""
    cost = losses.head_distance_cost(params["heads"]["kernel"], jnp.asarray(hyper.least_distance))
    return hyper.weight_head_distance * cost, (stats, {"cost": cost})


def circle_projection(heads: Float[Array, "classes latent"], style_std: float = 0.0) -> Float[Array, "latent 2"]:
    """Return the matrix by which heads come to lie on the unit circle at equal distances (figure 11d).

    Args:
        heads: One to a row.
        style_std: Of the styles around them, N(0, style_std²) in every dimension. 0: the heads come exactly to their
            points, in order, by the matrix of least norm. Above: heads with their styles come nearest to them, in the
            mean of squares, in the order in which they come nearest; a direction in which heads hardly differ would
            else make styles large.

    Raises:
        InputError: Fewer dimensions than heads: no matrix does.
    """
    classes, latent = heads.shape
    if classes > latent:
        raise InputError(
            f"{classes} heads of {latent} dimensions cannot all be brought to a circle; take as many dimensions."
        )
    angles = 2 * np.pi * np.arange(classes) / classes
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if style_std == 0.0:
        return jnp.linalg.pinv(heads) @ jnp.asarray(circle, heads.dtype)
    rows = np.asarray(heads, np.float64)
    inverse = np.linalg.solve(rows.T @ rows + classes * style_std**2 * np.eye(latent), rows.T)
    left = np.eye(classes) - rows @ inverse  # what is left of any targets, as a quadratic form
    return jnp.asarray(inverse @ circle[_nearest_order(left, circle)], heads.dtype)


def _nearest_order(left: NDArray[np.float64], circle: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return at which of the circle's points each head leaves least, by swaps of two from several first orders."""
    generator = np.random.default_rng(0)

    def cost(order: NDArray[np.int64]) -> float:
        return float(np.sum(circle[order] * (left @ circle[order])))

    def improved(order: NDArray[np.int64]) -> NDArray[np.int64]:
        pairs, tried = list(itertools.combinations(range(len(order)), 2)), 0
        while tried < len(pairs):  # until no swap in a row of all of them helps
            for i, j in pairs:
                swapped = order.copy()
                swapped[[i, j]] = order[[j, i]]
                better = cost(swapped) < cost(order) - 1e-9
                order, tried = (swapped, 0) if better else (order, tried + 1)
        return order

    firsts = (generator.permutation(len(circle)) for _ in range(ORDERS))
    return min((improved(order) for order in firsts), key=cost)
