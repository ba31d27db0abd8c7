"""Samplers, densities and parts of a configured prior."""

import jax.numpy as jnp
from jaxtyping import Float, Int

from aae_jax import priors
from aae_jax.config import PriorConfig
from aae_jax.errors import InputError
from aae_jax.types import Array, LabelledPrior, Prior, PRNGKey

__all__ = [
    "build_labelled_prior",
    "build_prior",
    "configured_mixture",
    "configured_roll",
    "draw_component",
    "prior_part",
]


def build_prior(config: PriorConfig, latent_dim: int) -> Prior:
    """Return the sampler of a configured prior, `(key, n) -> [n, latent_dim]`.

    Raises:
        InputError: It is given by samples, which are not part of the configuration.
    """
    if config.kind == "samples":
        raise InputError(
            "prior.kind is samples, of which the configuration names the file alone; give the sampler itself, "
            "build_phases(..., prior=aae_jax.priors.build_empirical(samples))."
        )
    if config.kind == "gaussian":
        return priors.build_gaussian(latent_dim, config.std)
    if config.kind == "uniform":
        return priors.build_uniform(latent_dim, config.half_width)
    if config.kind == "swiss_roll":
        return priors.build_swiss_roll(configured_roll(config))
    return priors.build_mixture(configured_mixture(config, latent_dim))


def build_labelled_prior(config: PriorConfig, latent_dim: int) -> LabelledPrior:
    """Return the sampler of each label's own part of a configured prior, `(key, labels) -> [n, latent_dim]`.

    Raises:
        InputError: It has no parts.
    """
    if config.kind == "swiss_roll":
        return priors.build_labelled_swiss_roll(configured_roll(config))
    return priors.build_labelled_mixture(configured_mixture(config, latent_dim))


def draw_component(
    config: PriorConfig, latent_dim: int, key: PRNGKey, count: int, component: int
) -> Float[Array, "count latent"]:
    """Return samples of one part of a configured prior.

    Raises:
        InputError: It has no parts, or no such one.
    """
    if config.kind in ("gaussian", "uniform", "samples"):
        raise InputError(f"component is {component}, but a prior of kind {config.kind} has no parts; leave it out.")
    if not 0 <= component < config.parts:
        raise InputError(f"component is {component}; give one of the prior's, from 0 to {config.parts - 1}.")
    return build_labelled_prior(config, latent_dim)(key, jnp.full(count, component, jnp.int32))


def configured_roll(config: PriorConfig) -> priors.SwissRoll:
    """Return the swiss roll of a configured prior."""
    return priors.SwissRoll(config.parts, config.roll_radius, config.turns)


def prior_part(config: PriorConfig, codes: Float[Array, "batch latent"]) -> Int[Array, " batch"]:
    """Return the part of a configured prior in which each code lies, `priors.NO_PART` of codes that are not finite.

    Raises:
        InputError: It has no parts.
    """
    if config.kind == "swiss_roll":
        return priors.swiss_roll_component(codes, configured_roll(config))
    return priors.mixture_component(codes, configured_mixture(config, codes.shape[1]))


def configured_mixture(config: PriorConfig, latent_dim: int) -> priors.Mixture:
    """Return the mixture of a configured prior.

    Raises:
        InputError: Its kind is neither mixture nor umbrella.
    """
    if config.kind not in ("mixture", "umbrella"):
        raise InputError(f"prior.kind is {config.kind}, which is no mixture; give mixture or umbrella.")
    if config.kind == "umbrella":
        return priors.umbrella_mixture(config.parts, pairs=latent_dim // 2)
    return priors.ring_mixture(
        config.parts,
        radius=config.radius,
        std_along=config.std_along,
        std_across=config.std_across,
        pairs=latent_dim // 2,
    )
