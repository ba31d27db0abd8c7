"""The configuration of the semi-supervised model: labels, the optimizers of five phases, weights of the losses."""

from dataclasses import dataclass, field
from typing import Literal

from aae_jax.config.parts import OptimizerConfig, ReconstructionWeights, check_bounds, validate_reconstruction
from aae_jax.config.run import (
    LabelledConfig,
    ScheduledOptimizers,
    validate_labels,
    validate_optimizers,
    validate_run,
)

__all__ = ["OptimizersConfig", "SemiSupervisedConfig", "WeightsConfig", "validate"]


@dataclass(frozen=True, kw_only=True)
class OptimizersConfig(ScheduledOptimizers):
    """The optimizers by phase; both discriminators have the same settings, but each its own moments."""

    reconstruction: OptimizerConfig = field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    generator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    classification: OptimizerConfig = field(default_factory=OptimizerConfig)


@dataclass(frozen=True, kw_only=True)
class WeightsConfig(ReconstructionWeights):
    """Factors of the terms of the losses, and the prior's scale."""

    generator_z: float = 1.0
    generator_y: float = 1.0
    consistency: float = 0.0
    """Cross-entropy between two predictions for an image, in the generator phase. 0: off."""
    consistency_target: Literal["view", "clean"] = "view"
    """What a view's prediction shall agree with: that for another view, or what evaluation would say of the clean
    image; the latter takes the adversaries' view, and so costs one forward pass (without an adversarial norm)."""
    consistency_warmup: float = 0.0
    """Share of the run over which the consistency weight rises from 0 to its value."""
    sharpness: float = 1.0
    """Factor on the logits of the consistency term's target."""
    confidence: float = 0.0
    """Images whose target (before sharpening) gives no class this probability count as 0 in the consistency term."""
    adversarial_norm: float = 0.0
    """Move a second view by this Euclidean norm (in scaled pixels, per image) where its prediction changes most (one
    gradient step, as in virtual adversarial training), and make that one agree with the target. 0: off."""
    propagation: float = 0.0
    """Cross-entropy of pool images, in the generator phase, with labels that are spread from the labelled ones over a
    graph of nearest neighbours before training (`aae_jax.propagation`). 0: off."""
    propagation_fade: float = 0.5
    """Share of the run over which that weight falls to 0. 0: it does not fall."""
    softmax_twice: bool = False
    """Take the softmax of probabilities in the classification loss, as two earlier implementations did by mistake: to
    see what it costs."""
    prior_std: float = 1.0
    """Standard deviation of z's Gaussian prior."""


@dataclass(frozen=True, kw_only=True)
class SemiSupervisedConfig(LabelledConfig):
    """The semi-supervised adversarial autoencoder of Makhzani et al. 2016, section 5 and figure 8."""

    classification_every: int = 1
    """Run the classification phase at every n-th update only."""
    baseline_share: float = 0.25
    """Updates of the supervised baseline as a share of the run's (its updates are about ten times cheaper)."""
    optimizers: OptimizersConfig = field(default_factory=OptimizersConfig)
    weights: WeightsConfig = field(default_factory=WeightsConfig)


WEIGHTS = ("generator_z", "generator_y", "consistency", "sharpness", "propagation")


def validate(config: SemiSupervisedConfig) -> None:
    """Refuse values that cannot be trained with.

    Raises:
        InputError: Names the first such value.
    """
    weights = config.weights
    validate_run(config)
    validate_labels(config)
    validate_reconstruction(weights, config.network)
    check_bounds(
        ("classification_every", config.classification_every, 1, 10**6),
        ("baseline_share", config.baseline_share, 1e-6, 100),
        ("weights.consistency_warmup", weights.consistency_warmup, 0, 1),
        ("weights.confidence", weights.confidence, 0, 1),
        ("weights.propagation_fade", weights.propagation_fade, 0, 1),
        ("weights.adversarial_norm", weights.adversarial_norm, 0, 10**4),
        ("weights.prior_std", weights.prior_std, 1e-6, 10**6),
        *((f"weights.{n}", getattr(weights, n), 0, 10**6) for n in WEIGHTS),
    )
    validate_optimizers(config.optimizers)
