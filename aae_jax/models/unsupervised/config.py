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
from aae_jax.text import brief_config

__all__ = ["UnsupervisedConfig", "UnsupervisedOptimizers", "UnsupervisedWeights", "validate_unsupervised"]


@dataclass(frozen=True, kw_only=True)
class UnsupervisedOptimizers(ScheduledOptimizers):
    """The optimizers by phase; a joint step's second phase has that of the reconstruction."""

    reconstruction: OptimizerConfig = field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    generator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))


@dataclass(frozen=True, kw_only=True)
class UnsupervisedWeights(ReconstructionWeights):
    """Factors of the terms of the losses."""

    generator_z: float = 1.0
    """Beside the reconstruction in a joint step; alone, with Adam, a factor changes nothing."""


@dataclass(frozen=True, kw_only=True)
class UnsupervisedConfig(RunConfig):
    """The adversarial autoencoder of Makhzani et al. 2016, section 2 and figure 1."""

    joint: bool = False
    """Reconstruction and generator in one phase, the sum of their losses, after the discriminator (hrenski)."""
    prior: PriorConfig = field(default_factory=PriorConfig)
    optimizers: UnsupervisedOptimizers = field(default_factory=UnsupervisedOptimizers)
    weights: UnsupervisedWeights = field(default_factory=UnsupervisedWeights)

    __repr__ = brief_config


def validate_unsupervised(config: UnsupervisedConfig) -> None:
    """Refuse values that an unsupervised adversarial autoencoder cannot be trained with.

    Raises:
        InputError: Names the first such value.
    """
    validate_run(config)
    check_bounds(("weights.generator_z", config.weights.generator_z, 0, 10**6))
    validate_optimizers(config.optimizers)
    validate_reconstruction(config.weights, config.network)
    validate_trained_prior(config.prior, config.network)
    refuse_noise_in_one_view(config, joint=config.joint)
