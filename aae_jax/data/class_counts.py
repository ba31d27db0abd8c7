"""Class frequencies: counts of labels, smoothed estimates, and a test against equal frequencies."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["are_unequal", "count_classes", "estimate_frequencies"]

SMOOTHING = 0.5
"""Pseudo-count of each class (Jeffreys' prior), which keeps the frequency of an undrawn class above 0."""
MIN_SCORE = 3.719
"""Upper 1e-4 quantile of the standard normal: the false-positive rate for equal classes is one in 10,000."""
MIN_RATIO = 1.5
"""Minimum ratio of the largest to the smallest class; MNIST's 1.24 is significant too, but harmless."""


def count_classes(labels: ArrayLike, num_classes: int) -> NDArray[np.int64]:
    """Count the labels of each class, `[num_classes]`; negative ones (no label) are ignored."""
    known = np.asarray(labels).reshape(-1)
    return np.bincount(known[known >= 0], minlength=num_classes)


def estimate_frequencies(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Estimate the class frequencies of the population from which `counts` were drawn; they sum to 1."""
    smoothed = counts + SMOOTHING
    return np.asarray(smoothed / smoothed.sum())


def are_unequal(counts: NDArray[np.int64]) -> bool:
    """Return whether class frequencies differ significantly, and by enough to matter.

    Pearson's chi-square statistic against equal frequencies has a p-value below 1e-4 (by the normal approximation of
    Wilson and Hilferty 1931), and the largest class is at least 1.5 times the smallest.
    """
    total, degrees = int(counts.sum()), len(counts) - 1
    if not total or not degrees:
        return False
    expected = total / len(counts)
    statistic = float(np.sum((counts - expected) ** 2)) / expected
    spread = 2 / (9 * degrees)
    score = (np.cbrt(statistic / degrees) - (1 - spread)) / np.sqrt(spread)
    frequencies = estimate_frequencies(counts)
    return bool(score > MIN_SCORE and frequencies.max() >= MIN_RATIO * frequencies.min())
