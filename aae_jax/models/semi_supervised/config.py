"""The configuration of the semi-supervised model: labels, the optimizers of five phases, weights of the losses."""

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
    """The optimizers by phase; both discriminators have the same settings, but each its own moments."""

    reconstruction: OptimizerConfig = field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    generator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    classification: OptimizerConfig = field(default_factory=OptimizerConfig)


@dataclass(frozen=True, kw_only=True)
class WeightsConfig(PropagationWeights):
    """Factors of the terms of the losses."""

    softmax_twice: bool = False
    """Take the softmax of probabilities in the classification loss, as two earlier implementations did by mistake: to
    see what it costs."""


@dataclass(frozen=True, kw_only=True)
class SemiSupervisedConfig(LabelledConfig):
    """The semi-supervised adversarial autoencoder of Makhzani et al. 2016, section 5 and figure 8."""

    RENAMED: ClassVar[Mapping[str, str]] = {"weights.prior_std": "prior.std"}
    """Names of earlier versions, which files and flags may still use."""

    classification_every: int = 1
    """Run the classification phase at every n-th update only."""
    class_prior: ClassPrior = "uniform"
    """Class frequencies of the unlabelled images, assumed by the adversary of y, the classification loss and
    propagated labels. validation: estimated from the held-out labels. auto: the same where they differ significantly
    from equal ones, else uniform. Or one frequency per class, e.g. 0.1 0.9."""
    baseline_share: float = 0.25
    """Updates of the supervised baseline as a share of the run's (its updates are about ten times cheaper)."""
    prior: PriorConfig = field(default_factory=lambda: PriorConfig(std=1.0))
    """Of the style."""
    optimizers: OptimizersConfig = field(default_factory=OptimizersConfig)
    weights: WeightsConfig = field(default_factory=WeightsConfig)

    __repr__ = brief_config


def validate(config: SemiSupervisedConfig) -> None:
    """Refuse values that cannot be trained with.

    Raises:
        InputError: Names the first such value.
    """
    validate_run(config)
    validate_labels(config)
    validate_reconstruction(config.weights, config.network)
    check_bounds(
        ("classification_every", config.classification_every, 1, 10**6),
        ("baseline_share", config.baseline_share, 1e-6, 100),
    )
    validate_trained_prior(config.prior, config.network)
    validate_class_prior(config.class_prior)
    validate_propagation(config.weights, config.views)
    refuse_noise_in_one_view(config)
    validate_optimizers(config.optimizers)
