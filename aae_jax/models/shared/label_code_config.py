"""What models with a label code y are given: factors of its adversary, of consistency, of propagated labels."""

import math
from dataclasses import dataclass
from typing import Literal

from aae_jax.config.parts import ReconstructionWeights, ViewConfig, check_bounds
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
"""Class frequencies that a model assumes of its unlabelled images (see `SemiSupervisedConfig.class_prior`)."""
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class LabelCodeWeights(ReconstructionWeights):
    """Factors of the terms of the losses, of every model whose encoder gives a label beside the style."""

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


@dataclass(frozen=True, kw_only=True)
class PropagationWeights(LabelCodeWeights):
    """The same, with what a graph of the pool's nearest neighbours says before training."""

    propagation: float = 0.0
    """Cross-entropy of pool images, in the generator phase, with labels that are spread from the labelled ones over a
    graph of nearest neighbours before training, or, where there are no labels, with the clusters of that graph
    (`aae_jax.graph`). 0: off."""
    propagation_fade: float = 0.5
    """Share of the run over which that weight falls to 0. 0: it does not fall."""


@dataclass(frozen=True, kw_only=True)
class FoundClusterWeights(LabelCodeWeights):
    """The same, with what keeps clusters that no label names apart and in use."""

    generator_y_warmup: float = 0.0
    """Share of the run over which the weight of y's adversary rises from 0 to its value: it decides at once which
    images are together, before the encoder knows what is alike."""
    certainty: float = 0.0
    """Of the entropy of each image's label, a term of the generator's phase."""
    balance: float = 0.0
    """Of a term of the generator's phase that keeps clusters equally frequent in each batch, by the entropy of its
    mean label: an adversary that sees one label at a time lets clusters die."""
    balance_slack: float = 0.0
    """How far from equal, in nats, it lets their frequencies be: classes that differ in size, or more clusters than
    classes but fewer than twice as many, cannot be equal clusters."""


FACTORS = ("generator_z", "generator_y", "consistency", "sharpness")


def validate_label_code(weights: LabelCodeWeights, views: ViewConfig) -> None:
    """Refuse factors that cannot be trained with, or not with such views.

    Raises:
        InputError: Names the first such value.
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
    """Refuse given class frequencies that are none.

    Args:
        prior: Of the configuration.
        num_classes: How many there should be, where the data are known.

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
    """Refuse factors of clusters' terms that cannot be trained with.

    Args:
        weights: The factors.
        num_clusters: None where labels name them.

    Raises:
        InputError: Names the first such value.
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
    """Refuse what `validate_label_code` does, and factors of propagated labels.

    Raises:
        InputError: Names the first such value.
    """
    validate_label_code(weights, views)
    check_bounds(
        ("weights.propagation", weights.propagation, 0, 10**6),
        ("weights.propagation_fade", weights.propagation_fade, 0, 1),
    )
