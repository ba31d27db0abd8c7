"""Class frequencies: counts of labels, their estimate with smoothing, and a test against equal classes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["are_unequal", "count_classes", "estimate_frequencies"]

SMOOTHING = 0.5
"""Images added to each class (Jeffreys' prior): a class that was not drawn has a frequency above 0."""
MIN_SCORE = 3.719
"""Upper 1e-4 quantile of the standard normal: of equal classes one draw in 10,000 differs so by chance."""
MIN_RATIO = 1.5
"""Of the largest to the smallest class: MNIST's 1.24 is significant too, and harmless."""


def count_classes(labels: ArrayLike, num_classes: int) -> NDArray[np.int64]:
    """Return how many of `labels` there are of each class, `[num_classes]`; negative ones (no label) are left out."""
    known = np.asarray(labels).reshape(-1)
    return np.bincount(known[known >= 0], minlength=num_classes)


def estimate_frequencies(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the frequencies of classes in the population from which `counts` were drawn; they sum to 1."""
    smoothed = counts + SMOOTHING
    return np.asarray(smoothed / smoothed.sum())


def are_unequal(counts: NDArray[np.int64]) -> bool:
    """Return whether classes differ in frequency by more than chance, and by enough to matter.

    Pearson's chi-square statistic against equal classes has a p-value below 1e-4 (by the normal approximation of
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
