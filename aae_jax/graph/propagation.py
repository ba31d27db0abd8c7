"""Label propagation over a graph of nearest neighbours (Zhou et al. 2004)."""

from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from aae_jax.graph.neighbours import NEIGHBOURS, Neighbours, Points, neighbours_of

__all__ = ["graph_of", "propagate_labels", "propagated_targets", "similarity_graph", "targets_of"]

ALPHA, STEPS = 0.99, 400
BANDWIDTH = 0.3
"""Bandwidth of the similarity, relative to the median squared distance to a neighbour, so that near neighbours count
most even if the others are far."""
MIN_CERTAINTY = 0.1


def similarity_graph(neighbours: Neighbours) -> scipy.sparse.csr_matrix:
    """Return symmetric weights: exp(−d² / (0.3 median d²)), summed over the directions of the neighbour relation.

    The median is over distances above 0: identical points carry no information about the distances of others.
    """
    indices, distances = np.asarray(neighbours.indices), np.asarray(neighbours.distances, dtype=np.float64)
    count, k = indices.shape
    apart = distances[distances > 0]
    weights = np.exp(-distances / (BANDWIDTH * np.median(apart) if apart.size else 1.0))
    starts = np.arange(0, count * k + 1, k)
    graph = scipy.sparse.csr_matrix((weights.ravel(), indices.ravel(), starts), shape=(count, count))
    return (graph + graph.T).tocsr()


def propagate_labels(
    graph: scipy.sparse.csr_matrix,
    labelled: Points,
    labels: Points,
    num_classes: int,
    shares: Points | None = None,
    *,
    alpha: float = ALPHA,
) -> NDArray[np.float32]:
    """Return the class probabilities of each point, `[points, classes]`.

    Args:
        graph: Symmetric weights, from `similarity_graph`.
        labelled: Indices of the labelled points.
        labels: Classes of the labelled points.
        num_classes: Number of classes.
        shares: Class frequencies among the points, `[classes]`; None: equal.
        alpha: Share of a point's label that comes from its neighbours.
    """
    spread = _normalised(graph)
    given = np.zeros((graph.shape[0], num_classes))
    given[labelled, labels] = 1.0
    scores = given.copy()
    for _ in range(STEPS):
        scores = alpha * (spread @ scores) + (1 - alpha) * given
    scores /= np.maximum(scores.sum(axis=0), 1e-300)  # match the prior class frequencies (Zhu et al. 2003, §4)
    scores *= 1.0 if shares is None else shares
    scores += 1e-30  # uniform for points that no label reaches
    probabilities: NDArray[np.float32] = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def _normalised(graph: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
    """Return the graph with each weight divided by the square roots of the degrees of its two points."""
    degree = np.asarray(graph.sum(axis=1)).ravel()
    scale = scipy.sparse.diags(np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1e-300)), 0.0))
    return (scale @ graph @ scale).tocsr()


def certainty(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 − H / log classes of each row: 1 if one class is certain, 0 if all are equally probable."""
    entropy = -np.sum(probabilities * np.log(np.maximum(probabilities, 1e-30)), axis=1)
    certainties: NDArray[np.float32] = np.clip(1.0 - entropy / np.log(probabilities.shape[1]), 0.0, 1.0).astype(
        np.float32
    )
    return certainties


def propagated_targets(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one-hot rows of the most probable class, weighted by its certainty, `[points, classes]`.

    Rows sum to 1 on average, to less if labels reach few points, and to at most 10.
    """
    return _weighed(probabilities.argmax(axis=1), certainty(probabilities), probabilities.shape[1])


def _weighed(classes: NDArray[Any], weights: NDArray[np.float32], num_classes: int) -> NDArray[np.float32]:
    weights = weights / np.float32(max(float(weights.mean()), MIN_CERTAINTY))
    targets: NDArray[np.float32] = np.eye(num_classes, dtype=np.float32)[classes] * weights[:, None]
    return targets


def graph_of(images: NDArray[Any], max_shift: int = 0) -> scipy.sparse.csr_matrix:
    """Return the graph of nearest neighbours of images, by their principal components.

    Args:
        images: `[points, *image]`.
        max_shift: Maximum shift of an image, in pixels and both directions, to match another. If above 0, images are
            `height width` or `height width channels`.

    Raises:
        InputError: `max_shift` is above 0 for plain vectors.
    """
    return similarity_graph(neighbours_of(images, NEIGHBOURS, max_shift))


def targets_of(
    graph: scipy.sparse.csr_matrix, labelled: Points, labels: Points, num_classes: int, shares: Points | None = None
) -> NDArray[np.float32]:
    """Return targets for `TrainData.targets`, from the labels of some of a graph's points."""
    return propagated_targets(propagate_labels(graph, labelled, labels, num_classes, shares))
