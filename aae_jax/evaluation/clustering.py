"""Evaluation of clusters against classes, with maps from clusters to classes fitted on held-out images."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from aae_jax.errors import InputError
from aae_jax.evaluation.classification import confusion_counts

__all__ = [
    "NO_CLASS",
    "ClusterReport",
    "hungarian_map",
    "majority_map",
    "mapped_error",
    "most_certain_map",
    "report_clusters",
]

NO_CLASS = -1
"""Class of a cluster without one: its images count as errors."""


def majority_map(counts: Int[np.ndarray, "clusters classes"]) -> Int[np.ndarray, " clusters"]:
    """Map each cluster to its most frequent class, an empty one to `NO_CLASS`.

    Several clusters may have the same class: for that reason alone the error falls with the number of clusters.
    """
    return np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), NO_CLASS)


def most_certain_map(
    logits: Float[np.ndarray, "count clusters"], labels: Int[np.ndarray, " count"]
) -> Int[np.ndarray, " clusters"]:
    """Map each cluster to the class of its most probable image (Makhzani et al. 2016, table 3).

    Images are compared by log-odds, which still differ where probabilities round to 1.
    """
    from scipy.special import logsumexp  # importing SciPy takes a third of a second

    rows = np.asarray(logits, np.float64)
    surest = [
        int(np.argmax(rows[:, cluster] - logsumexp(np.delete(rows, cluster, axis=1), axis=1)))
        for cluster in range(rows.shape[1])
    ]
    classes: Int[np.ndarray, " clusters"] = np.asarray(labels)[surest]
    return classes


def hungarian_map(counts: Int[np.ndarray, "clusters classes"]) -> Int[np.ndarray, " clusters"]:
    """Return the one-to-one map of clusters to classes of highest accuracy; `NO_CLASS` for the other clusters."""
    from scipy.optimize import linear_sum_assignment  # importing SciPy takes a third of a second

    clusters, classes = linear_sum_assignment(-counts)
    mapping = np.full(len(counts), NO_CLASS)
    mapping[clusters] = classes
    return mapping


def mapped_error(
    clusters: Int[np.ndarray, " count"], labels: Int[np.ndarray, " count"], mapping: Int[np.ndarray, " clusters"]
) -> float:
    """Return the share of images whose cluster is mapped to another class or to none."""
    named = mapping[clusters]
    return float(np.mean((named != labels) | (named == NO_CLASS)))


class ClusterReport(NamedTuple):
    """Measures of clusters; errors are shares of the scored images, with maps fitted on the other images."""

    majority_error: float
    most_certain_error: float
    """By the paper's rule: each cluster has the class of its most probable image."""
    hungarian_error: float
    normalised_mutual_information: float
    """Mutual information of cluster and class, divided by the mean of their entropies, in [0, 1]."""
    adjusted_rand_index: float
    """Agreement of cluster and class on pairs of images, adjusted for chance (Hubert and Arabie 1985)."""
    used: int
    """Number of clusters with scored images."""
    majority: Int[np.ndarray, " clusters"]
    """Majority class of each cluster."""
    agreement: Float[np.ndarray, " clusters"]
    """Share of each cluster's scored images that have that class; NaN for an empty cluster."""


def report_clusters(
    fitted: tuple[Float[np.ndarray, "count clusters"], Int[np.ndarray, " count"]],
    scored: tuple[Float[np.ndarray, "others clusters"], Int[np.ndarray, " others"]],
    num_classes: int,
) -> ClusterReport:
    """Evaluate clusters by all measures.

    Args:
        fitted: Cluster logits and classes of the images on which the maps are fitted.
        scored: Cluster logits and classes of the images on which the maps are scored.
        num_classes: Number of classes.

    Raises:
        InputError: There are no images, logits are not finite, or labels are out of range.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score  # slow to import

    for name, (logits, labels) in (("named", fitted), ("scored", scored)):
        problems = {
            "there are none": not len(labels),
            "some of their logits are not finite": not np.isfinite(logits).all(),
            f"some of their labels are not from 0 to {num_classes - 1}": (
                (labels < 0) | (labels >= num_classes)
            ).any(),
        }
        for problem in (text for text, present in problems.items() if present):
            raise InputError(f"Clusters cannot be {name} by these images: {problem}; give others.")
    clusters = fitted[0].shape[1]
    named = confusion_counts(fitted[0].argmax(axis=1), fitted[1], clusters, num_classes)
    assigned = scored[0].argmax(axis=1)
    counts = confusion_counts(assigned, scored[1], clusters, num_classes)
    majority, sizes = majority_map(named), counts.sum(axis=1)
    right = np.where(majority == NO_CLASS, 0, counts[np.arange(clusters), majority])
    return ClusterReport(
        majority_error=mapped_error(assigned, scored[1], majority),
        most_certain_error=mapped_error(assigned, scored[1], most_certain_map(*fitted)),
        hungarian_error=mapped_error(assigned, scored[1], hungarian_map(named)),
        normalised_mutual_information=float(normalized_mutual_info_score(scored[1], assigned)),
        adjusted_rand_index=float(adjusted_rand_score(scored[1], assigned)),
        used=int(np.sum(sizes > 0)),
        majority=majority,
        agreement=right / np.where(sizes > 0, sizes, np.nan),
    )
