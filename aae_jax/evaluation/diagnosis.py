"""Diagnosis of adversarial training from a run's metrics: symptoms of common problems, with advice."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from aae_jax.evaluation.health import VALIDATION

__all__ = ["Finding", "diagnose", "diagnose_generation"]

COLLAPSED, NARROW, WIDE = 0.1, 0.7, 1.4
"""Thresholds of the ratio of the codes' standard deviation to the prior's, median over dimensions."""
OFF_CENTRE = 0.3
OTHER_SHAPE = 0.02
"""Threshold of the squared discrepancy of codes whose moments match the prior."""
TOLD_APART, LOST = 0.75, 1.2
"""Thresholds for a discriminator of z that is too strong: its training accuracy, and the generator's loss against it.
The discriminator of y detects labels that are not one-hot in healthy runs too."""
UNDECIDED, UNUSED = 0.5, 0.8
"""Thresholds of the entropy of a label, relative to a uniform one, and of the share of classes in use."""
OF_OTHER_CLASSES = 0.9
"""Threshold of the share of generated images judged to be of their class, relative to that of real images."""
NO_PROGRESS, UNFINISHED = 0.97, 0.05
STUCK = "no progress in reconstruction"

COLLAPSE = "All images have nearly the same code. Lower --optimizers.generator.learning-rate; check reconstruction."
TOO_WIDE = (
    "The encoder spends its updates on reaching it. Use a smaller --prior.std (--weights.prior-std; custom "
    "samples that are closer together), or many more updates."
)
TOO_STRONG = (
    "The encoder cannot keep up. Raise --optimizers.generator.learning-rate or lower the discriminator's, use a "
    "smaller --network.discriminator-hidden, or add noise to the images (--views.noise-std)."
)
TOO_NARROW = "Train longer, or raise the rates of generator and discriminator; for a VAE, lower --weights.kl."
OUTWEIGHED = "Reconstruction outweighs the discriminator. Raise the generator's rate, or lower the reconstruction's."
SWINGS = "The discriminator oscillates. Lower the rates of generator and discriminator, or their momentum."
ENTANGLED = (
    "The styles of each class do not match the prior. Train longer, or compare them within each class: --conditional "
    "and --weights.style-mmd, e.g. 100."
)
UNLIKE = "Train longer, or give the discriminator wider layers (--network.discriminator-hidden)."


class Finding(NamedTuple):
    """Problem of a run.

    Attributes:
        name: Name of the problem, e.g. "collapsed codes".
        seen: Numbers that show it.
        advice: Suggested changes.
    """

    name: str
    seen: str
    advice: str


def diagnose(rows: Sequence[Mapping[str, Any]], seed: int = 0, *, classes: int = 0) -> list[Finding]:
    """Return the problems of one seed of a run from its rows of metrics; none for a healthy run.

    Args:
        rows: Metrics of the run, one row per evaluation; the last quarter of them counts.
        seed: Index of the seed in each row's lists.
        classes: Number of classes of the label code; 0 without one.
    """
    if rows[-1]["reconstruction/loss"][seed] is None:
        return [_failed(rows, seed)]
    late = rows[-max(1, len(rows) // 4) :]
    seen = {name: _median(late, name, seed) for name in late[-1] if isinstance(late[-1][name], list)}
    stuck = [*_of_reconstruction(rows, seed)]
    codes = _of_codes(seen, stuck=any(finding.name == STUCK for finding in stuck))
    return [*_of_majority(seen), *codes, *_of_labels(seen, classes), *stuck]


def diagnose_generation(accuracy: float, real: float, leaked: float | None = None) -> list[Finding]:
    """Return the problem of a model whose generated images are not of their class.

    Args:
        accuracy: Share of generated images that a judge assigns to the class from which they were decoded.
        real: The judge's accuracy on real images.
        leaked: Accuracy with which a classifier predicts the class from the style, if measured.
    """
    if accuracy >= OF_OTHER_CLASSES * real:
        return []
    leakage = "" if leaked is None else f"; styles of real images predict the class of {100 * leaked:.0f} %"
    seen = f"{100 * accuracy:.0f} % are judged to be of their class (real images: {100 * real:.0f} %){leakage}"
    return [Finding("generated images of other classes", seen, ENTANGLED)]


def _of_majority(seen: Mapping[str, float]) -> Iterator[Finding]:
    """Detect a classifier no better than the most frequent class; recorded if class frequencies are unequal."""
    error, majority = (seen.get(f"{VALIDATION}{name}", math.nan) for name in ("error", "majority_error"))
    if error >= majority:
        yield Finding(
            "an error above that of the most frequent class",
            f"the validation error is {100 * error:.1f} %, that of always predicting the most frequent class "
            f"{100 * majority:.1f} %",
            "Give --class-prior auto or the classes' frequencies, more labels, or more updates; compare the mean "
            "error per class too.",
        )


def _median(rows: Sequence[Mapping[str, Any]], name: str, seed: int) -> float:
    values = [row[name][seed] for row in rows if isinstance(row.get(name), list)]
    return float(np.median([math.nan if value is None else value for value in values]))


def _failed(rows: Sequence[Mapping[str, Any]], seed: int) -> Finding:
    finite = [row["update"] for row in rows if row["reconstruction/loss"][seed] is not None]
    since = f"after update {finite[-1]}" if finite else "before the first evaluation"
    return Finding(
        "not finite",
        f"its losses became non-finite {since}",
        "Lower the rates, first those of generator and discriminator; or use the last checkpoint before that.",
    )


def _of_codes(seen: Mapping[str, float], *, stuck: bool) -> Iterator[Finding]:
    """Detect a mismatch of codes and prior; `stuck`: the reconstruction has not improved since the start."""
    ratios = [value for name, value in seen.items() if name.startswith(f"{VALIDATION}code_std_ratio/")]
    gaps = [value for name, value in seen.items() if name.startswith(f"{VALIDATION}code_mean_gap/")]
    if not ratios:
        return
    ratio, gap = float(np.median(ratios)), float(np.max(np.abs(gaps), initial=0.0))
    share = seen.get("discriminator_z/accuracy", math.nan)
    lost = seen.get("generator/z", seen.get("reconstruction/generator_z", math.nan))
    spread = f"codes have {ratio:.2f} of the prior's standard deviation"
    judged = (
        f"discriminator accuracy {100 * share:.0f} %, the encoder's loss against it {lost:.1f} (0.7 if it is fooled)"
    )
    if ratio < COLLAPSED:
        yield Finding("collapsed codes", spread, COLLAPSE)
    elif ratio < NARROW and stuck:
        yield Finding("prior too wide", spread, TOO_WIDE)
    elif share > TOLD_APART and lost > LOST:
        yield Finding("discriminator too strong", f"{judged}; {spread}", TOO_STRONG)
    elif ratio < NARROW:
        yield Finding("codes narrower than the prior", spread, TOO_NARROW)
    elif ratio > WIDE:
        yield Finding("codes wider than the prior", spread, OUTWEIGHED)
    elif gap > OFF_CENTRE:
        yield Finding("codes off the prior's centre", f"by {gap:.2f} of its standard deviation", SWINGS)
    elif seen.get(f"{VALIDATION}code_mmd", 0.0) > OTHER_SHAPE:
        discrepancy = f"mean and spread match, but the squared discrepancy is {seen[f'{VALIDATION}code_mmd']:.3f}"
        yield Finding("codes shaped unlike the prior", discrepancy, UNLIKE)


def _of_labels(seen: Mapping[str, float], classes: int) -> Iterator[Finding]:
    used, each = seen.get(f"{VALIDATION}labels_used", math.nan), seen.get(f"{VALIDATION}label_entropy", math.nan)
    if classes and used < UNUSED * classes:
        yield Finding(
            "unused classes",
            f"only {used:.0f} of {classes} are the most probable class of any image",
            "Raise --weights.generator-y or lower --weights.consistency; --weights.balance keeps clusters in use.",
        )
    if classes > 1 and each > UNDECIDED * math.log(classes):
        yield Finding(
            "undecided labels",
            f"their entropy is {each:.2f} nats, of at most {math.log(classes):.2f}",
            "Train longer, or raise the generator's rate: the discriminator of y makes labels one-hot.",
        )


def _of_reconstruction(rows: Sequence[Mapping[str, Any]], seed: int) -> Iterator[Finding]:
    losses = np.asarray([math.nan if row["reconstruction/loss"][seed] is None else 1.0 for row in rows])
    errors = losses * [_error_of(row, seed) for row in rows]
    if len(errors) > 1 and errors[-1] > NO_PROGRESS * errors[0]:
        yield Finding(
            STUCK,
            f"its error is {errors[-1]:.3g}, after {errors[0]:.3g} at the first evaluation",
            "Raise --optimizers.reconstruction.learning-rate, or give the code more dimensions.",
        )
    elif len(errors) > 7 and errors[-1] < (1 - UNFINISHED) * errors[-1 - len(errors) // 4]:
        yield Finding(
            "unfinished training",
            f"its reconstruction error fell from {errors[-1 - len(errors) // 4]:.3g} to {errors[-1]:.3g} in the last "
            "quarter",
            "Train longer (--epochs).",
        )


def _error_of(row: Mapping[str, Any], seed: int) -> float:
    """Return the reconstruction error of an evaluation; earlier versions recorded only the loss."""
    value = row.get("reconstruction/error")
    return (value if isinstance(value, list) else row["reconstruction/loss"])[seed] or math.nan
