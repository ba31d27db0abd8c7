"""Configuration of the semi-supervised model: labels, optimizers of the five phases, loss weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from aae_jax.config.parts import OptimizerConfig, check_bounds, validate_reconstruction
from aae_jax.config.prior import PriorConfig, validate_trained_prior
from aae_jax.config.run import (
    LabelledConfig,
    ScheduledOptimizers,
    refuse_noise_in_one_view,
    validate_labels,
    validate_optimizers,
    validate_run,
)
from aae_jax.models.shared.label_code_config import (
    ClassPrior,
    PropagationWeights,
    validate_class_prior,
    validate_propagation,
)
from aae_jax.text import brief_config

__all__ = ["OptimizersConfig", "SemiSupervisedConfig", "WeightsConfig", "validate"]


@dataclass(frozen=True, kw_only=True)
class OptimizersConfig(ScheduledOptimizers):
    """Optimizers by phase; both discriminators share the settings but keep separate moments."""

    reconstruction: OptimizerConfig = field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    generator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    classification: OptimizerConfig = field(default_factory=OptimizerConfig)


@dataclass(frozen=True, kw_only=True)
class WeightsConfig(PropagationWeights):
    """Weights of the loss terms."""

    softmax_twice: bool = False
    """Apply softmax to probabilities in the classification loss, a mistake of two earlier implementations, to measure
    its effect."""


@dataclass(frozen=True, kw_only=True)
class SemiSupervisedConfig(LabelledConfig):
    """The semi-supervised adversarial autoencoder of Makhzani et al. 2016, section 5 and figure 8."""

    RENAMED: ClassVar[Mapping[str, str]] = {"weights.prior_std": "prior.std"}
    """Names of earlier versions that files and flags may still use."""

    classification_every: int = 1
    """Run the classification phase at every n-th update only."""
    class_prior: ClassPrior = "uniform"
    """Class frequencies of the unlabelled images, assumed by the discriminator of y, the classification loss and
    propagated labels. validation: estimated from the held-out labels. auto: the same if these differ significantly
    from equal frequencies, else uniform. Or one frequency per class, e.g. 0.1 0.9."""
    baseline_share: float = 0.25
    """Updates of the supervised baseline, as a share of the run's updates (they are about ten times cheaper). 0: no
    baseline."""
    conditional: bool = False
    """Show the style discriminator the label as well: the styles of each class, not only of all classes together,
    match the prior. Otherwise, as in the paper, it sees the style alone."""
    prior: PriorConfig = field(default_factory=lambda: PriorConfig(std=1.0))
    """Prior of the style."""
    optimizers: OptimizersConfig = field(default_factory=OptimizersConfig)
    weights: WeightsConfig = field(default_factory=WeightsConfig)

    __repr__ = brief_config


def validate(config: SemiSupervisedConfig) -> None:
    """Check that the semi-supervised model can be trained with the configuration.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    validate_run(config)
    validate_labels(config)
    validate_reconstruction(config.weights, config.network)
    check_bounds(
        ("classification_every", config.classification_every, 1, 10**6),
        ("baseline_share", config.baseline_share, 0, 100),
    )
    validate_trained_prior(config.prior, config.network)
    validate_class_prior(config.class_prior)
    validate_propagation(config.weights, config.views)
    refuse_noise_in_one_view(config)
    validate_optimizers(config.optimizers)
