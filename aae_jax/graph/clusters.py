"""Spectral clustering of a graph of nearest neighbours (Ng, Jordan and Weiss 2002)."""

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
    """Return the spectral embedding of a graph's points: unit vectors `[points, num_clusters]`.

    The embedding uses the first eigenvectors. Points with many common neighbours have similar directions;
    `graph_clusters` groups them.

    Args:
        graph: Symmetric weights, from `similarity_graph`.
        num_clusters: Number of clusters to find, equal to the number of eigenvectors.

    Raises:
        InputError: There are too few points for this number of clusters.
    """
    count = graph.shape[0]
    most = count if count <= DENSE else count // 5 - SPARE  # beyond that, lobpcg uses dense matrices
    if not 2 <= num_clusters <= most:
        raise InputError(f"num_clusters is {num_clusters} for {count} points; give a number from 2 to {most}.")
    vectors = _first_eigenvectors(_normalised(graph), num_clusters)
    rows: NDArray[np.float64] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return rows


def graph_clusters(directions: NDArray[np.float64], seed: int = 0) -> NDArray[np.int64]:
    """Return each point's cluster, by k-means with one cluster per dimension (Ng, Jordan and Weiss 2002).

    Args:
        directions: Unit vectors from `graph_directions`.
        seed: Seed of the initialisation of k-means only.
    """
    from sklearn.cluster import KMeans  # importing takes 1 s

    means = KMeans(directions.shape[1], n_init=10, random_state=seed)
    clusters: NDArray[np.int64] = means.fit_predict(directions).astype(np.int64)
    return clusters


def _first_eigenvectors(matrix: scipy.sparse.csr_matrix, count: int) -> NDArray[np.float64]:
    """Return the eigenvectors of the largest eigenvalues, `[points, count]`.

    For large matrices, a block method is used: a method that starts from a single vector finds only one eigenvector
    of a repeated eigenvalue, such as 1 in a graph with several components.
    """
    if matrix.shape[0] <= DENSE:
        return np.asarray(np.linalg.eigh(matrix.toarray())[1][:, -count:])
    begin = np.random.default_rng(0).standard_normal((matrix.shape[0], count + SPARE))
    with warnings.catch_warnings():  # of incomplete convergence, which clusters tolerate
        warnings.simplefilter("ignore", UserWarning)
        values, vectors = scipy.sparse.linalg.lobpcg(matrix, begin, largest=True, maxiter=200, tol=1e-4)
    return np.asarray(vectors[:, np.argsort(-values)[:count]])


def cluster_targets_of(
    graph: scipy.sparse.csr_matrix, clusters: NDArray[Any], num_clusters: int
) -> NDArray[np.float32]:
    """Return targets for `TrainData.targets` from a graph's clusters: one-hot rows, weighted by their certainty.

    A point's cluster counts as much as those of all its neighbours together; the entropy of the result gives the
    certainty. A point whose neighbours are all in one other cluster is thus only slightly less certain (by a quarter,
    for 16 clusters); one without neighbours has no target.

    Args:
        graph: Symmetric weights, from `similarity_graph`.
        clusters: `[points]`, from `graph_clusters`.
        num_clusters: Number of clusters.
    """
    one_hot = np.eye(num_clusters, dtype=np.float32)[clusters]
    degree = np.asarray(graph.sum(axis=1))
    shares = (one_hot + graph @ one_hot / np.maximum(degree, 1e-300)) / 2
    sure = np.where(degree.ravel() > 0, certainty(shares.astype(np.float32)), 0.0)
    return _weighed(clusters, sure.astype(np.float32), num_clusters)
