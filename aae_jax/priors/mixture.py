"""Mixtures of Gaussians: ring and umbrella."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from aae_jax.types import Array, LabelledSampler, PRNGKey, Sampler

__all__ = [
    "NO_PART",
    "UNLABELLED",
    "Mixture",
    "build_labelled_mixture",
    "build_mixture",
    "mixture_component",
    "mixture_log_density",
    "mixture_plane",
    "mixture_walk",
    "ring_mixture",
    "umbrella_mixture",
]

UNLABELLED = -1
"""Label of an unlabelled image, whose sample is drawn from the whole prior, as for any other label without a part of
the prior, such as the extra class of figure 3."""
NO_PART = -1
"""Part of a code that is not finite."""


class Mixture(NamedTuple):
    """A mixture of equally frequent Gaussians; component k has the samples `means[k] + factors[k] @ N(0, I)`.

    Attributes:
        means: Means of the components.
        factors: Square roots of their covariances.
        axes: Their main axes, scaled to the standard deviation along them.
    """

    means: Float[Array, "components latent"]
    factors: Float[Array, "components latent latent"]
    axes: Float[Array, "components latent"]


def ring_mixture(
    num_components: int = 10, *, radius: float, std_along: float, std_across: float, pairs: int = 1
) -> Mixture:
    """Return Gaussians on a ring around the origin, elongated in the radial direction.

    The mean of component k is at the angle 2πk / components. Published parameters (§2.3 gives none): radius 1.4, stds
    0.5 along and 0.1 across (nicklhy; conan7882, which calls them variances), or 0.5 and 0.05 (musyoku).

    Args:
        num_components: Number of components.
        radius: Distance of the means from the origin.
        std_along: Standard deviation in the radial direction.
        std_across: Standard deviation in the tangential direction.
        pairs: Number of pairs of latent dimensions. Each pair follows this mixture, and all share the component; in
            conan7882 without labels, each pair has an independent component.
    """
    angles = 2 * jnp.pi * jnp.arange(num_components, dtype=jnp.float32) / num_components
    outwards = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
    across = jnp.stack([-jnp.sin(angles), jnp.cos(angles)], axis=1)
    factors = jnp.stack([std_along * outwards, std_across * across], axis=2)
    wide = jax.vmap(lambda factor: jnp.kron(jnp.eye(pairs, dtype=jnp.float32), factor))(factors)
    return Mixture(jnp.tile(radius * outwards, (1, pairs)), wide, jnp.tile(std_along * outwards, (1, pairs)))


def umbrella_mixture(num_components: int = 10, *, pairs: int = 1) -> Mixture:
    """Return hrenski's umbrella: radius 2, stds 0.75/√2 along and 0.25/√2 across; `pairs` as in `ring_mixture`.

    The factor 1/√2 follows from its code, which halves the covariances; its text gives the stds as 0.75 and 0.25.
    """
    along, across = 0.75 / math.sqrt(2), 0.25 / math.sqrt(2)
    return ring_mixture(num_components, radius=2.0, std_along=along, std_across=across, pairs=pairs)


def build_mixture(mixture: Mixture) -> Sampler:
    """Return a sampler of the mixture: `(key, n) -> [n, latent]` (§2.3)."""
    labelled = build_labelled_mixture(mixture)

    def sample(key: PRNGKey, n: int) -> Float[Array, "count latent"]:
        return labelled(key, jnp.full(n, UNLABELLED, jnp.int32))

    return sample


def build_labelled_mixture(mixture: Mixture) -> LabelledSampler:
    """Return a sampler from each label's component, `(key, labels [n]) -> [n, latent]`; from any if `UNLABELLED`."""
    count, dim = mixture.means.shape

    def sample(key: PRNGKey, labels: Int[Array, " count"]) -> Float[Array, "count latent"]:
        key_component, key_within = jax.random.split(key)
        drawn = jax.random.randint(key_component, labels.shape, 0, count, jnp.int32)
        component = jnp.where((labels >= 0) & (labels < count), labels, drawn)
        within = jax.random.normal(key_within, (*labels.shape, dim), jnp.float32)
        return mixture.means[component] + jnp.einsum("nij,nj->ni", mixture.factors[component], within)

    return sample


def component_log_densities(z: Float[Array, "batch latent"], mixture: Mixture) -> Float[Array, "batch components"]:
    """Return the log-density of each row under each component."""
    offsets = z[:, None] - mixture.means[None]
    within: Array = jnp.einsum("kij,nkj->nki", jnp.linalg.inv(mixture.factors), offsets)
    _, log_volume = jnp.linalg.slogdet(mixture.factors)
    log_densities: Array = -0.5 * jnp.sum(within**2, axis=-1) - log_volume[None]
    return log_densities - 0.5 * z.shape[-1] * jnp.log(jnp.float32(2 * jnp.pi))


def mixture_log_density(z: Float[Array, "batch latent"], mixture: Mixture) -> Float[Array, " batch"]:
    """Return the log-density of each row under the mixture."""
    log_densities = component_log_densities(z, mixture)
    return jax.nn.logsumexp(log_densities, axis=-1) - jnp.log(jnp.float32(log_densities.shape[-1]))


def mixture_component(z: Float[Array, "batch latent"], mixture: Mixture) -> Int[Array, " batch"]:
    """Return the component with the highest density at each row; `NO_PART` for rows that are not finite."""
    nearest = jnp.argmax(component_log_densities(z, mixture), axis=-1)
    return jnp.where(jnp.isfinite(z).all(axis=-1), nearest, NO_PART)


def mixture_walk(mixture: Mixture, component: int, steps: int, *, reach: float = 2.0) -> Float[Array, "steps latent"]:
    """Return codes along a component's main axis, from −reach to reach standard deviations (figure 4b)."""
    shares = jnp.linspace(-reach, reach, steps, dtype=jnp.float32)[:, None]
    walk: Array = mixture.means[component][None] + shares * mixture.axes[component][None]
    return walk


def mixture_plane(
    mixture: Mixture, component: int, steps: int, *, reach: float = 2.0
) -> Float[Array, "across along latent"]:
    """Return a grid of codes over a component of the first two dimensions, from −reach to reach standard deviations.

    The grid's columns go along the main axis, its rows across it; further dimensions stay at the component's mean.
    """
    shares = jnp.linspace(-reach, reach, steps, dtype=jnp.float32)
    across, along = jnp.meshgrid(shares[::-1], shares, indexing="ij")
    along_axis, across_axis = (mixture.factors[component][:, i][None, None] for i in range(2))
    centre = mixture.means[component][None, None]
    grid: Array = centre + along[..., None] * along_axis + across[..., None] * across_axis
    return grid
