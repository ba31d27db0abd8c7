"""Spectral clusters of a graph of nearest neighbours (Ng, Jordan and Weiss 2002)."""

import warnings
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.graph.neighbours import DENSE, SPARE
from aae_jax.graph.propagation import _normalised, _weighed, certainty

__all__ = ["cluster_targets_of", "graph_clusters", "graph_directions"]


def graph_directions(graph: scipy.sparse.csr_matrix, num_clusters: int) -> NDArray[np.float64]:
    """Return where each point lies by a graph's first eigenvectors, as unit vectors `[points, num_clusters]`.

    Points with many neighbours in common lie in nearly the same direction; `graph_clusters` groups them.

    Args:
        graph: Symmetric weights, of `similarity_graph`.
        num_clusters: How many clusters there shall be: one eigenvector for each.

    Raises:
        InputError: There are too few points for so many.
    """
    count = graph.shape[0]
    most = count if count <= DENSE else count // 5 - SPARE  # beyond that, full matrices would be computed with
    if not 2 <= num_clusters <= most:
        raise InputError(f"num_clusters is {num_clusters} for {count} points; give a number from 2 to {most}.")
    vectors = _first_eigenvectors(_normalised(graph), num_clusters)
    found: NDArray[np.float64] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return found


def graph_clusters(directions: NDArray[np.float64], seed: int = 0) -> NDArray[np.int64]:
    """Return each point's cluster, as many as the directions have dimensions, by k-means (Ng, Jordan and Weiss 2002).

    Args:
        directions: Of `graph_directions`.
        seed: Decides where k-means begins, and nothing else.
    """
    from sklearn.cluster import KMeans  # takes a second

    means = KMeans(directions.shape[1], n_init=10, random_state=seed)
    found: NDArray[np.int64] = means.fit_predict(directions).astype(np.int64)
    return found


def _first_eigenvectors(matrix: scipy.sparse.csr_matrix, count: int) -> NDArray[np.float64]:
    """Return the eigenvectors of the largest eigenvalues, `[points, count]`.

    Of a larger matrix by a method that improves them together: one that begins with a single vector misses all but
    one of an eigenvalue that comes several times, as 1 does in a graph of several parts.
    """
    if matrix.shape[0] <= DENSE:
        return np.asarray(np.linalg.eigh(matrix.toarray())[1][:, -count:])
    begin = np.random.default_rng(0).standard_normal((matrix.shape[0], count + SPARE))
    with warnings.catch_warnings():  # of vectors that may still turn a little: clusters do not ask for more
        warnings.simplefilter("ignore", UserWarning)
        values, vectors = scipy.sparse.linalg.lobpcg(matrix, begin, largest=True, maxiter=200, tol=1e-4)
    return np.asarray(vectors[:, np.argsort(-values)[:count]])


def cluster_targets_of(
    graph: scipy.sparse.csr_matrix, clusters: NDArray[Any], num_clusters: int
) -> NDArray[np.float32]:
    """Return what `TrainData.targets` holds, from the clusters of a graph: one-hot rows times how sure they are.

    A point's own cluster counts as much as those of all its neighbours; how sure that is, is by its entropy. So a
    point with all neighbours in one other cluster is little less sure (by a quarter, of 16 clusters); one without
    neighbours has no target.

    Args:
        graph: Symmetric weights, of `similarity_graph`.
        clusters: `[points]`, of `graph_clusters`.
        num_clusters: How many there are.
    """
    one_hot = np.eye(num_clusters, dtype=np.float32)[clusters]
    degree = np.asarray(graph.sum(axis=1))
    shares = (one_hot + graph @ one_hot / np.maximum(degree, 1e-300)) / 2
    sure = np.where(degree.ravel() > 0, certainty(shares.astype(np.float32)), 0.0)
    return _weighed(clusters, sure.astype(np.float32), num_clusters)
