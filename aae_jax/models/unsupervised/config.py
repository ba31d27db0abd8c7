"""Configuration of the unsupervised adversarial autoencoder."""

from dataclasses import dataclass, field

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
    refuse_noise_in_one_view,
    validate_optimizers,
    validate_run,
)
from aae_jax.config.traced import Traced, TracedTerm
from aae_jax.errors import InputError
from aae_jax.text import brief_config

__all__ = ["UnsupervisedConfig", "UnsupervisedOptimizers", "UnsupervisedWeights", "validate_unsupervised"]


@dataclass(frozen=True, kw_only=True)
class UnsupervisedOptimizers(ScheduledOptimizers):
    """Optimizers by phase; the second phase of a joint step uses that of the reconstruction."""

    reconstruction: OptimizerConfig = field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    generator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))


@dataclass(frozen=True, kw_only=True)
class UnsupervisedWeights(ReconstructionWeights):
    """Weights of the loss terms."""

    generator_z: Traced[float] = 1.0
    """Weight relative to the reconstruction in a joint step, or to style_mmd; alone in a phase, with Adam, it has no
    effect."""
    style_mmd: TracedTerm[float] = 0.0
    """Weight of the squared maximum mean discrepancy between codes and samples of the prior, in the phase of the
    generator; if the discriminator sees labels, between codes and samples of the same class. 0: off."""


@dataclass(frozen=True, kw_only=True)
class UnsupervisedConfig(RunConfig):
    """The adversarial autoencoder of Makhzani et al. 2016, section 2 and figure 1."""

    joint: bool = False
    """Train reconstruction and generator in one phase, on the sum of their losses, after the discriminator, as
    hrenski does."""
    prior: PriorConfig = field(default_factory=PriorConfig)
    optimizers: UnsupervisedOptimizers = field(default_factory=UnsupervisedOptimizers)
    weights: UnsupervisedWeights = field(default_factory=UnsupervisedWeights)

    __repr__ = brief_config


def validate_unsupervised(config: UnsupervisedConfig) -> None:
    """Check that an unsupervised adversarial autoencoder can be trained with the configuration.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    validate_run(config)
    check_bounds(
        ("weights.generator_z", config.weights.generator_z, 0, 10**6),
        ("weights.style_mmd", config.weights.style_mmd, 0, 10**6),
    )
    validate_optimizers(config.optimizers)
    validate_reconstruction(config.weights, config.network)
    validate_trained_prior(config.prior, config.network)
    refuse_noise_in_one_view(config, joint=config.joint)
    if config.joint and config.optimizers.encoder_share != 1.0:
        raise InputError(
            f"optimizers.encoder_share is {config.optimizers.encoder_share}, but a joint step has one optimizer for "
            "reconstruction and generator; give 1, or joint False."
        )
    if config.joint and config.views.style_of != "view":
        raise InputError(
            f"views.style_of is {config.views.style_of}, but a joint step reads one view; give view, or joint False."
        )
