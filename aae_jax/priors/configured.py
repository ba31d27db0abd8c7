"""Priors built from configurations: one function per kind."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from aae_jax.config import PriorConfig
from aae_jax.errors import InputError
from aae_jax.priors import gaussian, mixture, swiss_roll, uniform
from aae_jax.priors.empirical import build_empirical
from aae_jax.priors.prior import Prior
from aae_jax.types import Array

__all__ = ["KINDS", "configured_prior"]

MAX_WALKS = 20
"""Maximum number of parts with a walk or a plane."""


def configured_prior(config: PriorConfig, latent_dim: int, samples: ArrayLike | None = None) -> Prior:
    """Return the prior described by a configuration.

    Args:
        config: Validated configuration.
        latent_dim: Dimension of the latent code.
        samples: `[count, latent_dim]`, for the kind `samples` (see `priors.custom.read_prior`).

    Raises:
        InputError: The kind is `samples`, and no samples are given.
    """
    if config.kind == "samples":
        return _samples(latent_dim, samples)
    return KINDS[config.kind](config, latent_dim)


def _gaussian(config: PriorConfig, latent_dim: int) -> Prior:
    return Prior(
        kind=config.kind,
        latent_dim=latent_dim,
        unit=gaussian.build_gaussian(latent_dim),
        std=config.std,
        log_prob=lambda codes: gaussian.gaussian_log_density(codes, config.std),
        quantile=lambda shares: gaussian.gaussian_quantile(shares, config.std),
    )


def _uniform(config: PriorConfig, latent_dim: int) -> Prior:
    return Prior(
        kind=config.kind,
        latent_dim=latent_dim,
        unit=uniform.build_uniform(latent_dim, config.half_width),
        quantile=lambda shares: uniform.uniform_quantile(shares, config.half_width),
    )


def _mixture(config: PriorConfig, latent_dim: int) -> Prior:
    shape = mixture.ring_mixture(
        config.parts,
        radius=config.radius,
        std_along=config.std_along,
        std_across=config.std_across,
        pairs=latent_dim // 2,
    )
    return _of_mixture(config, latent_dim, shape)


def _umbrella(config: PriorConfig, latent_dim: int) -> Prior:
    return _of_mixture(config, latent_dim, mixture.umbrella_mixture(config.parts, pairs=latent_dim // 2))


def _of_mixture(config: PriorConfig, latent_dim: int, shape: mixture.Mixture) -> Prior:
    def walks(steps: int) -> Float[Array, "walks steps latent"]:
        parts = range(min(config.parts, MAX_WALKS))
        return jnp.stack([mixture.mixture_walk(shape, part, steps) for part in parts])

    def planes(steps: int) -> Float[Array, "parts steps steps latent"]:
        parts = range(min(config.parts, MAX_WALKS))
        return jnp.stack([mixture.mixture_plane(shape, part, steps) for part in parts])

    return Prior(
        kind=config.kind,
        latent_dim=latent_dim,
        unit=mixture.build_mixture(shape),
        num_parts=config.parts,
        sample_parts=mixture.build_labelled_mixture(shape),
        part_of=lambda codes: mixture.mixture_component(codes, shape),
        log_prob=lambda codes: mixture.mixture_log_density(codes, shape),
        walks=walks,
        walk_title="Along each component, ±2 std",
        planes=planes if latent_dim == 2 else None,
    )


def _swiss_roll(config: PriorConfig, latent_dim: int) -> Prior:
    roll = swiss_roll.SwissRoll(config.parts, config.roll_radius, config.turns)

    def walks(steps: int) -> Float[Array, "walks steps latent"]:
        rows = min(config.parts, MAX_WALKS)
        return swiss_roll.swiss_roll_walk(rows * steps, roll).reshape(rows, steps, 2)

    return Prior(
        kind=config.kind,
        latent_dim=latent_dim,
        unit=swiss_roll.build_swiss_roll(roll),
        num_parts=config.parts,
        sample_parts=swiss_roll.build_labelled_swiss_roll(roll),
        part_of=lambda codes: swiss_roll.swiss_roll_component(codes, roll),
        walks=walks,
        walk_title="Along the roll, from the inside out",
    )


def _samples(latent_dim: int, samples: ArrayLike | None) -> Prior:
    if samples is None:
        raise InputError(
            "prior.kind is samples, of which the configuration holds only the file's name; pass the sampler, "
            "build_phases(..., prior=aae_jax.priors.build_empirical(samples))."
        )
    rows = np.asarray(samples, np.float32)
    return Prior(kind="samples", latent_dim=latent_dim, unit=build_empirical(samples), samples=rows)


KINDS: Mapping[str, Callable[[PriorConfig, int], Prior]] = {
    "gaussian": _gaussian,
    "uniform": _uniform,
    "mixture": _mixture,
    "umbrella": _umbrella,
    "swiss_roll": _swiss_roll,
}
"""Builders of the kinds that a configuration fully describes."""
