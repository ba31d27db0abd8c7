"""How well clusters found without labels are classes: maps are made on some images and scored on others."""

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
"""The class of a cluster that a map says nothing of: its images count as wrong."""


def majority_map(counts: Int[np.ndarray, "clusters classes"]) -> Int[np.ndarray, " clusters"]:
    """Return the most frequent class of each cluster; `NO_CLASS` of an empty one.

    Several clusters may have one class: the error falls with the number of clusters by that alone.
    """
    return np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), NO_CLASS)


def most_certain_map(
    logits: Float[np.ndarray, "count clusters"], labels: Int[np.ndarray, " count"]
) -> Int[np.ndarray, " clusters"]:
    """Return for each cluster the class of the one image that is most probably in it (Makhzani et al. 2016, table 3).

    By log-odds, which still tell apart what rounds to a probability of 1.
    """
    from scipy.special import logsumexp  # SciPy takes a third of a second

    rows = np.asarray(logits, np.float64)
    surest = [
        int(np.argmax(rows[:, cluster] - logsumexp(np.delete(rows, cluster, axis=1), axis=1)))
        for cluster in range(rows.shape[1])
    ]
    found: Int[np.ndarray, " clusters"] = np.asarray(labels)[surest]
    return found


def hungarian_map(counts: Int[np.ndarray, "clusters classes"]) -> Int[np.ndarray, " clusters"]:
    """Return the one-to-one map of clusters to classes by which most images are right; `NO_CLASS` of the others."""
    from scipy.optimize import linear_sum_assignment  # SciPy takes a third of a second

    clusters, classes = linear_sum_assignment(-counts)
    found = np.full(len(counts), NO_CLASS)
    found[clusters] = classes
    return found


def mapped_error(
    clusters: Int[np.ndarray, " count"], labels: Int[np.ndarray, " count"], mapping: Int[np.ndarray, " clusters"]
) -> float:
    """Return the share of images whose cluster's class is not theirs, or whose cluster has none."""
    named = mapping[clusters]
    return float(np.mean((named != labels) | (named == NO_CLASS)))


class ClusterReport(NamedTuple):
    """Errors are shares of the scored images, under maps that were made on the others."""

    majority_error: float
    most_certain_error: float
    """By the paper's rule: each cluster has the class of the image that is most probably in it."""
    hungarian_error: float
    normalised_mutual_information: float
    """Of cluster and class, over the mean of their entropies, in [0, 1]."""
    adjusted_rand_index: float
    """Pairs of images that are together, or apart, in both, above chance (Hubert and Arabie 1985)."""
    used: int
    """Clusters that have any of the scored images."""
    majority: Int[np.ndarray, " clusters"]
    """Each cluster's class by majority."""
    agreement: Float[np.ndarray, " clusters"]
    """Share of each cluster's scored images that have that class; NaN of an empty one."""


def report_clusters(
    fitted: tuple[Float[np.ndarray, "count clusters"], Int[np.ndarray, " count"]],
    scored: tuple[Float[np.ndarray, "others clusters"], Int[np.ndarray, " others"]],
    num_classes: int,
) -> ClusterReport:
    """Return every measure of clusters.

    Args:
        fitted: Logits of the clusters, and classes, of the images by which clusters are named.
        scored: The same of the images on which names are judged.
        num_classes: How many classes there are.

    Raises:
        InputError: There are no images, logits that are not finite, or labels that are not classes.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score  # slow to import

    for name, (logits, labels) in (("named", fitted), ("judged", scored)):
        problems = {
            "there are none": not len(labels),
            "some of their logits are not finite": not np.isfinite(logits).all(),
            f"some of their labels are not from 0 to {num_classes - 1}": (
                (labels < 0) | (labels >= num_classes)
            ).any(),
        }
        for what in (said for said, so in problems.items() if so):
            raise InputError(f"Clusters cannot be {name} by these images: {what}; give others.")
    clusters = fitted[0].shape[1]
    named = confusion_counts(fitted[0].argmax(axis=1), fitted[1], clusters, num_classes)
    own = scored[0].argmax(axis=1)
    counts = confusion_counts(own, scored[1], clusters, num_classes)
    majority, sizes = majority_map(named), counts.sum(axis=1)
    right = np.where(majority == NO_CLASS, 0, counts[np.arange(clusters), majority])
    return ClusterReport(
        majority_error=mapped_error(own, scored[1], majority),
        most_certain_error=mapped_error(own, scored[1], most_certain_map(*fitted)),
        hungarian_error=mapped_error(own, scored[1], hungarian_map(named)),
        normalised_mutual_information=float(normalized_mutual_info_score(scored[1], own)),
        adjusted_rand_index=float(adjusted_rand_score(scored[1], own)),
        used=int(np.sum(sizes > 0)),
        majority=majority,
        agreement=right / np.where(sizes > 0, sizes, np.nan),
    )
