"""Configuration of models with a label code y: weights of the adversarial, consistency and propagation terms."""

import math
from dataclasses import dataclass
from typing import Literal

from aae_jax.config.parts import ReconstructionWeights, ViewConfig, check_bounds
from aae_jax.config.traced import Traced, TracedPhase, TracedShare, TracedTerm
from aae_jax.errors import InputError

__all__ = [
    "ClassPrior",
    "FoundClusterWeights",
    "LabelCodeWeights",
    "PropagationWeights",
    "validate_class_prior",
    "validate_found_clusters",
    "validate_label_code",
    "validate_propagation",
]

ClassPrior = Literal["auto", "uniform", "validation"] | tuple[float, ...]
"""Class frequencies that a model assumes for its unlabelled images (see `SemiSupervisedConfig.class_prior`)."""
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class LabelCodeWeights(ReconstructionWeights):
    """Weights of the loss terms of every model whose encoder outputs a label in addition to the style."""

    generator_z: Traced[float] = 1.0
    generator_y: Traced[float] = 1.0
    style_mmd: TracedTerm[float] = 0.0
    """Weight of the squared maximum mean discrepancy between styles and samples of the prior, in the generator phase;
    with a conditional style discriminator, between styles and samples of the same class. 0: off."""
    generated_label: TracedTerm[float] = 0.0
    """Weight, in the reconstruction phase, of the cross-entropy between a class and the encoder's prediction for an
    image decoded from this class and a style of the prior. The encoder does not learn from it. 0: off."""
    consistency: TracedTerm[float] = 0.0
    """Weight of the cross-entropy between two predictions for an image, in the generator phase. 0: off."""
    consistency_target: Literal["view", "clean"] = "view"
    """Target of a view's prediction. view: the prediction for another view. clean: that for the clean image in
    evaluation mode, compared with the discriminators' view at the cost of one forward pass (without an adversarial
    norm)."""
    consistency_warmup: TracedShare[float] = 0.0
    """Share of the run over which the consistency weight rises from 0 to its value."""
    sharpness: Traced[float] = 1.0
    """Factor on the logits of the consistency term's target."""
    confidence: Traced[float] = 0.0
    """Minimum probability of the target's most likely class (before sharpening); other images count as 0 in the
    consistency term."""
    adversarial_norm: TracedPhase[float] = 0.0
    """Euclidean norm (in scaled pixels, per image) of an adversarial step on a second view, in the direction that
    changes its prediction most (one gradient step, as in virtual adversarial training), before its prediction is
    compared with the target. 0: off."""


@dataclass(frozen=True, kw_only=True)
class PropagationWeights(LabelCodeWeights):
    """Weights that also include labels propagated over a graph of the pool's nearest neighbours before training."""

    propagation: TracedTerm[float] = 0.0
    """Weight of the cross-entropy of pool images, in the generator phase, with labels propagated from the labelled
    images over a graph of nearest neighbours (`aae_jax.graph`) before training, or, without labels, with the clusters
    of that graph. 0: off."""
    propagation_fade: TracedShare[float] = 0.5
    """Share of the run over which that weight falls to 0. 0: constant weight."""


@dataclass(frozen=True, kw_only=True)
class FoundClusterWeights(LabelCodeWeights):
    """Weights that also include terms keeping clusters found without labels distinct and in use."""

    generator_y_warmup: TracedShare[float] = 0.0
    """Share of the run over which the weight generator_y rises from 0 to its value: at full weight it fixes the
    clusters at once, before the encoder has learned which images are similar."""
    certainty: TracedTerm[float] = 0.0
    """Weight of the entropy of each image's label, in the generator phase."""
    balance: TracedTerm[float] = 0.0
    """Weight of a term, in the generator phase, that keeps clusters equally frequent in each batch, by the entropy of
    the batch's mean label: a discriminator that sees one label at a time lets clusters die out."""
    balance_slack: Traced[float] = 0.0
    """Tolerated deviation from equal frequencies, in nats: classes of different sizes, or more clusters than classes
    but fewer than twice as many, cannot form equal clusters."""


FACTORS = ("generator_z", "generator_y", "style_mmd", "generated_label", "consistency", "sharpness")


def validate_label_code(weights: LabelCodeWeights, views: ViewConfig) -> None:
    """Check that the weights are valid, and compatible with the views.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    check_bounds(
        ("weights.consistency_warmup", weights.consistency_warmup, 0, 1),
        ("weights.confidence", weights.confidence, 0, 1),
        ("weights.adversarial_norm", weights.adversarial_norm, 0, 10**4),
        *((f"weights.{name}", getattr(weights, name), 0, 10**6) for name in FACTORS),
    )
    if weights.adversarial_norm and views.probability < 1:
        raise InputError(
            f"views.probability is {views.probability:g} beside an adversarial_norm of {weights.adversarial_norm:g}; "
            "no direction parts two views that are both unchanged: give probability 1, or no adversarial norm."
        )


def validate_class_prior(prior: ClassPrior, num_classes: int | None = None) -> None:
    """Check that given class frequencies are valid.

    Args:
        prior: Class prior of the configuration.
        num_classes: Expected number of frequencies, if the data are known.

    Raises:
        InputError: A frequency is outside (0, 1], they do not sum to 1, or their number is wrong.
    """
    if isinstance(prior, str):
        return
    check_bounds(*((f"class_prior[{i}]", value, 1e-6, 1) for i, value in enumerate(prior)))
    if abs(sum(prior) - 1) > SUM_TOLERANCE:
        raise InputError(f"class_prior sums to {sum(prior):g}; give a frequency for each class, which sum to 1.")
    if num_classes is not None and len(prior) != num_classes:
        raise InputError(f"class_prior has {len(prior)} frequencies for {num_classes} classes; give one per class.")


def validate_found_clusters(weights: FoundClusterWeights, num_clusters: int | None) -> None:
    """Check the weights of the cluster terms.

    Args:
        weights: Weights of the loss terms.
        num_clusters: Number of clusters; None if classes are learned from labels.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    check_bounds(
        ("weights.generator_y_warmup", weights.generator_y_warmup, 0, 1),
        *(
            (f"weights.{name}", getattr(weights, name), 0, 10**6)
            for name in ("certainty", "balance", "balance_slack")
        ),
    )
    if weights.balance_slack and not weights.balance:
        raise InputError(
            f"weights.balance_slack is {weights.balance_slack:g}, but weights.balance is 0; give both, or neither."
        )
    if num_clusters is not None and weights.balance_slack >= math.log(num_clusters):
        raise InputError(
            f"weights.balance_slack is {weights.balance_slack:g}, which leaves {num_clusters} clusters to be as they "
            f"like; give less than their logarithm, {math.log(num_clusters):.2f}."
        )


def validate_propagation(weights: PropagationWeights, views: ViewConfig) -> None:
    """Check the weights as `validate_label_code` does, and those of propagated labels.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    validate_label_code(weights, views)
    check_bounds(
        ("weights.propagation", weights.propagation, 0, 10**6),
        ("weights.propagation_fade", weights.propagation_fade, 0, 1),
    )
