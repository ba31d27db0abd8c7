"""A graph of neighbours: what it says of images before anything is learnt, with a few labels or with none.

With labels, these are spread over it (Zhou et al. 2004, "Learning with local and global consistency"): a point's
label is what its neighbours have. Without, it falls into clusters with few neighbours in common (Ng, Jordan and Weiss
2002, "On spectral clustering"). `propagated_targets` makes of either what the generator phase is trained towards at
first.
"""

import functools
import itertools
import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from jaxtyping import Float, Int
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.types import Array

__all__ = [
    "Axes",
    "Neighbours",
    "cluster_targets_of",
    "graph_clusters",
    "graph_directions",
    "graph_of",
    "graph_shift",
    "nearest_neighbours",
    "principal_axes",
    "principal_components",
    "propagate_labels",
    "propagated_targets",
    "similarity_graph",
    "targets_of",
]

COMPONENTS, NEIGHBOURS = 50, 10
ALPHA, STEPS = 0.99, 400
BANDWIDTH = 0.3
"""Of the similarity, in units of the median squared distance to a neighbour: where most neighbours are far, the near
ones are heard."""
SAMPLE = 50_000
"""Rows, at least, of which principal axes are taken where images are moved, or all of them."""
MOST_SHIFT, GROUP, LEAST_CERTAINTY = 2, 64, 0.1
DENSE = 2_000
"""Points up to which a graph's eigenvectors are found as those of a full matrix."""
SPARE = 10
"""Eigenvectors that are sought beyond those needed: the last ones converge last."""
ENTRIES = 50_000_000
"""Distances held at once."""

Points = NDArray[Any]


class Neighbours(NamedTuple):
    """A graph: the k nearest other points of each point, and their squared Euclidean distances."""

    indices: Int[Array, "points k"]
    distances: Float[Array, "points k"]


class Axes(NamedTuple):
    """Where the rows of a matrix lie: their mean, and the directions in which they differ most."""

    mean: Float[Array, " features"]
    directions: Float[Array, "features count"]


_product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


@functools.partial(jax.jit, static_argnames="count")
def principal_axes(rows: Float[Array, "points features"], count: int) -> Axes:
    """Return the rows' first principal axes, to the accuracy of four power iterations (Halko et al. 2011).

    Their signs and order are of no account to distances.
    """
    mean = jnp.mean(rows, axis=0)
    centred = rows - mean[None]
    wide = min(count + 10, *rows.shape)
    basis = jax.random.normal(jax.random.key(0), (rows.shape[1], wide), jnp.float32)
    for _ in range(4):
        basis, _ = jnp.linalg.qr(_product(centred.T, _product(centred, basis)))
    covariance = _product(basis.T, _product(centred.T, _product(centred, basis)))
    _, vectors = jnp.linalg.eigh(covariance)  # ascending
    return Axes(mean, _product(basis, vectors[:, -count:]))


@jax.jit
def principal_components(rows: Float[Array, "points features"], axes: Axes) -> Float[Array, "points count"]:
    """Return the rows' coordinates along the axes."""
    return _product(rows - axes.mean[None], axes.directions)


@functools.partial(jax.jit, static_argnames="k")
def nearest_neighbours(
    points: Float[Array, "points features"],
    k: int = NEIGHBOURS,
    places: Float[Array, "places points features"] | None = None,
) -> Neighbours:
    """Return the k nearest others of each point, the nearest first, by all distances, block by block.

    Twice as many are found by differences of squared norms, a matrix product, and the k nearest of them by those of
    coordinates, which cancel less. The nearest are among the groups of points whose own nearest is nearest: only
    these are sorted.

    Args:
        points: The points.
        k: How many others.
        places: Where each point may stand when it looks for others, such as an image in several positions; the
            distance to another is that from the place nearest to it. None: at the point itself.

    Raises:
        InputError: There are not so many others.
    """
    places = points[None] if places is None else places
    count = points.shape[0]
    if not 1 <= k < count:
        raise InputError(f"k is {k} for {count} points; give a number from 1 to {count - 1}.")
    some = min(2 * k, count - 1)
    block = max(1, min(count, ENTRIES // count))
    groups = -(-count // GROUP)
    rows = jnp.minimum(jnp.arange(-(-count // block) * block), count - 1).reshape(-1, block)
    norms = jnp.sum(points**2, axis=1)
    everyone = jnp.pad(points, ((0, groups * GROUP - count), (0, 0)))
    padded = jnp.pad(norms, (0, groups * GROUP - count), constant_values=jnp.inf)

    def from_place(least: Array, place: Array) -> tuple[Array, None]:
        own_norms = jnp.sum(place**2, axis=1)[:, None]
        return jnp.minimum(least, own_norms + padded[None] - 2 * _product(place, everyone.T)), None

    def of_block(own: Array) -> tuple[Array, Array]:
        own_places = places[:, own]
        squared, _ = jax.lax.scan(from_place, jnp.full((block, groups * GROUP), jnp.inf, jnp.float32), own_places)
        squared = squared.at[jnp.arange(block), own].set(jnp.inf).reshape(block, groups, GROUP)
        _, near = jax.lax.top_k(-jnp.min(squared, axis=2), min(some, groups))
        candidates = jnp.take_along_axis(squared, near[:, :, None], axis=1).reshape(block, -1)
        _, where = jax.lax.top_k(-candidates, some)
        found = jnp.take_along_axis(near, where // GROUP, axis=1) * GROUP + where % GROUP
        exact = jnp.min(jnp.sum((own_places[:, :, None] - points[found][None]) ** 2, axis=3), axis=0)
        least, order = jax.lax.top_k(-exact, k)
        return jnp.take_along_axis(found, order, axis=1), -least

    indices, distances = jax.lax.map(of_block, rows)
    return Neighbours(indices.reshape(-1, k)[:count], distances.reshape(-1, k)[:count])


def similarity_graph(neighbours: Neighbours) -> scipy.sparse.csr_matrix:
    """Return symmetric weights: exp(−d² / (0.3 median d²)) for each of two points among whose nearest the other is.

    The median is that of distances above 0: equal points say nothing of how far apart others are.
    """
    indices, distances = np.asarray(neighbours.indices), np.asarray(neighbours.distances, dtype=np.float64)
    count, k = indices.shape
    apart = distances[distances > 0]
    weights = np.exp(-distances / (BANDWIDTH * np.median(apart) if apart.size else 1.0))
    starts = np.arange(0, count * k + 1, k)
    graph = scipy.sparse.csr_matrix((weights.ravel(), indices.ravel(), starts), shape=(count, count))
    return (graph + graph.T).tocsr()


def propagate_labels(
    graph: scipy.sparse.csr_matrix, labelled: Points, labels: Points, num_classes: int, shares: Points | None = None
) -> NDArray[np.float32]:
    """Return each point's probability of each class, `[points, classes]`.

    Args:
        graph: Symmetric weights, of `similarity_graph`.
        labelled: Which points have a label.
        labels: Theirs.
        num_classes: How many there are.
        shares: Of the classes among the points, `[classes]`; None: equal.
    """
    spread = _normalised(graph)
    given = np.zeros((graph.shape[0], num_classes))
    given[labelled, labels] = 1.0
    found = given.copy()
    for _ in range(STEPS):
        found = ALPHA * (spread @ found) + (1 - ALPHA) * given
    found /= np.maximum(found.sum(axis=0), 1e-300)  # as frequent as under the label's prior (Zhu et al. 2003, §4)
    found *= 1.0 if shares is None else shares
    found += 1e-30  # where no label arrives, all classes alike
    probabilities: NDArray[np.float32] = (found / found.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


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


def _normalised(graph: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
    """Return the graph with each weight divided by the roots of its two points' sums of weights."""
    degree = np.asarray(graph.sum(axis=1)).ravel()
    scale = scipy.sparse.diags(np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1e-300)), 0.0))
    return (scale @ graph @ scale).tocsr()


def certainty(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 − H / log classes of each row: 1 where one class is certain, 0 where all are alike."""
    entropy = -np.sum(probabilities * np.log(np.maximum(probabilities, 1e-30)), axis=1)
    found: NDArray[np.float32] = np.clip(1.0 - entropy / np.log(probabilities.shape[1]), 0.0, 1.0).astype(np.float32)
    return found


def propagated_targets(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one-hot rows of the most probable class times how certain it is, `[points, classes]`.

    Rows sum to 1 on average, to less where labels reach few points, and to 10 at the most.
    """
    return _weighed(probabilities.argmax(axis=1), certainty(probabilities), probabilities.shape[1])


def _weighed(classes: NDArray[Any], weights: NDArray[np.float32], num_classes: int) -> NDArray[np.float32]:
    weights = weights / np.float32(max(float(weights.mean()), LEAST_CERTAINTY))
    targets: NDArray[np.float32] = np.eye(num_classes, dtype=np.float32)[classes] * weights[:, None]
    return targets


def graph_of(images: NDArray[Any], max_shift: int = 0) -> scipy.sparse.csr_matrix:
    """Return the graph of the nearest neighbours of images, by their principal components.

    Args:
        images: `[points, *image]`.
        max_shift: Pixels by which an image may be moved, both ways, to come nearer to another. Above 0 the images are
            `height width` or `height width channels`.

    Raises:
        InputError: Plain vectors shall be moved.
    """
    return similarity_graph(neighbours_of(images, NEIGHBOURS, max_shift))


def neighbours_of(images: NDArray[Any], k: int, max_shift: int = 0) -> Neighbours:
    """Return the k nearest others of each image, fewer where there are fewer, by their principal components.

    Args:
        images: `[points, *image]`.
        k: How many.
        max_shift: As of `graph_of`.

    Raises:
        InputError: Plain vectors shall be moved, or there is but one image.
    """
    if max_shift and images.ndim < 3:
        raise InputError(f"max_shift is {max_shift}, but plain vectors cannot be moved; give 0.")
    shifts = list(itertools.product(range(-max_shift, max_shift + 1), repeat=2))
    every = min(len(shifts), max(1, len(images) * len(shifts) // SAMPLE))  # of many images each in one position
    sample = jnp.concatenate([_moved(images[i % every :: every], *by) for i, by in enumerate(shifts)])
    axes = principal_axes(sample, min(COMPONENTS, *sample.shape))
    places = jnp.stack([principal_components(_moved(images, *by), axes) for by in shifts])
    found: Neighbours = nearest_neighbours(places[len(shifts) // 2], min(k, len(images) - 1), places)
    return found


def graph_shift(max_shift: int) -> int:
    """Return by how much images may be moved to find their neighbours, where views are shifted by `max_shift`.

    By half as much: more finds fewer of the same class. And by no more than 2 pixels: the work grows with the square.
    """
    return min(max_shift // 2, MOST_SHIFT)


def _moved(images: NDArray[Any], down: int, right: int) -> Float[Array, "points features"]:
    """Return images moved by whole pixels, as rows; what comes in at the border is 0."""
    margin = max(abs(down), abs(right))
    if margin:
        height, width = images.shape[1:3]
        padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin), *((0, 0) for _ in images.shape[3:])))
        images = padded[:, margin - down :, margin - right :][:, :height, :width]
    return jnp.asarray(images.reshape(len(images), -1), jnp.float32)


def targets_of(
    graph: scipy.sparse.csr_matrix, labelled: Points, labels: Points, num_classes: int, shares: Points | None = None
) -> NDArray[np.float32]:
    """Return what `TrainData.targets` holds, from the labels that some of a graph's points have."""
    return propagated_targets(propagate_labels(graph, labelled, labels, num_classes, shares))


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
