"""Configuration of the autoencoder and of the variational autoencoder."""

from dataclasses import dataclass, field
from typing import Literal

from aae_jax.config.parts import (
    OptimizerConfig,
    ReconstructionWeights,
    check_bounds,
    validate_reconstruction,
)
from aae_jax.config.prior import PriorConfig, validate_trained_prior
from aae_jax.config.run import (
    RunConfig,
    ScheduledOptimizers,
    validate_optimizers,
    validate_run,
)
from aae_jax.config.traced import Traced
from aae_jax.errors import InputError
from aae_jax.text import brief_config

__all__ = ["AutoencoderConfig", "AutoencoderOptimizers", "AutoencoderWeights", "validate_autoencoder"]


@dataclass(frozen=True, kw_only=True)
class AutoencoderOptimizers(ScheduledOptimizers):
    """Optimizer of the only phase."""

    reconstruction: OptimizerConfig = field(default_factory=OptimizerConfig)


@dataclass(frozen=True, kw_only=True)
class AutoencoderWeights(ReconstructionWeights):
    """Weights of the loss terms."""

    kl: Traced[float] = 1.0
    """Weight of the VAE's divergence from the prior. With weight 1, half_squared_error models pixels with std 1."""


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(RunConfig):
    """An autoencoder without a prior (denoising if its views are noisy), or the VAE that is compared with the AAE."""

    model: Literal["autoencoder", "vae"] = "autoencoder"
    prior: PriorConfig = field(default_factory=PriorConfig)
    """Prior of the VAE: a gaussian, in closed form, or a mixture, estimated by samples."""
    optimizers: AutoencoderOptimizers = field(default_factory=AutoencoderOptimizers)
    weights: AutoencoderWeights = field(default_factory=AutoencoderWeights)

    __repr__ = brief_config


def validate_autoencoder(config: AutoencoderConfig) -> None:
    """Check that an autoencoder can be trained with the configuration.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    validate_run(config)
    check_bounds(("weights.kl", config.weights.kl, 0, 10**6))
    validate_optimizers(config.optimizers)
    validate_reconstruction(config.weights, config.network)
    if config.views.style_of != "view":
        raise InputError(
            f"views.style_of is {config.views.style_of}, but an autoencoder has no discriminator; give view."
        )
    if config.model == "autoencoder" and config.network.posterior != "deterministic":
        raise InputError(
            f"network.posterior is {config.network.posterior}, but nothing keeps the posterior of a plain "
            "autoencoder wide; give deterministic, or --model vae."
        )
    if config.prior.kind == "samples":
        raise InputError(
            "prior.kind is samples, which have no density for a VAE, and an autoencoder's codes have no prior; "
            "give gaussian, mixture or umbrella."
        )
    if config.model == "vae":
        validate_trained_prior(config.prior, config.network)
        if config.network.posterior != "gaussian":
            raise InputError(
                f"network.posterior is {config.network.posterior}, but a VAE has a Gaussian one; "
                "give --network.posterior gaussian."
            )
        if config.prior.kind in ("swiss_roll", "uniform"):
            raise InputError(
                f"prior.kind is {config.prior.kind}, which has no density everywhere; "
                "a VAE takes gaussian, mixture or umbrella."
            )
