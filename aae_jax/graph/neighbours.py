"""Nearest neighbours of images in the space of their principal components."""

import functools
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.types import Array

__all__ = ["Axes", "Neighbours", "graph_shift", "nearest_neighbours", "principal_axes", "principal_components"]

COMPONENTS, NEIGHBOURS = 50, 10
SAMPLE = 50_000
"""Minimum number of rows (or all, if fewer) from which principal axes of shifted images are computed."""
MAX_SHIFT, GROUP = 2, 64
DENSE = 2_000
"""Maximum number of points for which a graph's eigenvectors are computed from a dense matrix."""
SPARE = 10
"""Number of additional eigenvectors to compute, because the last ones converge last."""
ENTRIES = 50_000_000
"""Maximum number of distances in memory at once."""
Points = NDArray[Any]


class Neighbours(NamedTuple):
    """Graph of nearest neighbours: the k nearest other points of each point and their squared Euclidean distances."""

    indices: Int[Array, "points k"]
    distances: Float[Array, "points k"]


class Axes(NamedTuple):
    """Principal axes of a matrix: the mean of its rows and the directions of their largest variance."""

    mean: Float[Array, " features"]
    directions: Float[Array, "features count"]


_product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


@functools.partial(jax.jit, static_argnames="count")
def principal_axes(rows: Float[Array, "points features"], count: int) -> Axes:
    """Return the first principal axes of the rows, to the accuracy of four power iterations (Halko et al. 2011).

    Distances do not depend on their signs and order.
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
    """Return the coordinates of the rows along the axes."""
    return _product(rows - axes.mean[None], axes.directions)


@functools.partial(jax.jit, static_argnames="k")
def nearest_neighbours(
    points: Float[Array, "points features"],
    k: int = NEIGHBOURS,
    places: Float[Array, "places points features"] | None = None,
) -> Neighbours:
    """Return the k nearest other points of each point, nearest first, by exhaustive search in blocks.

    2k candidates are found from squared norms and a matrix product, and the k nearest of them from differences of
    coordinates, which suffer less cancellation. The candidates are in the groups of points with the smallest minimum
    distances: only these groups are sorted.

    Args:
        points: The points.
        k: Number of neighbours.
        places: Alternative positions of each query point, such as an image with several shifts; the distance to
            another point is that from the nearest position. None: only the point itself.

    Raises:
        InputError: There are fewer than k other points.
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
        place_norms = jnp.sum(place**2, axis=1)[:, None]
        return jnp.minimum(least, place_norms + padded[None] - 2 * _product(place, everyone.T)), None

    def of_block(members: Array) -> tuple[Array, Array]:
        block_places = places[:, members]
        squared, _ = jax.lax.scan(from_place, jnp.full((block, groups * GROUP), jnp.inf, jnp.float32), block_places)
        squared = squared.at[jnp.arange(block), members].set(jnp.inf).reshape(block, groups, GROUP)
        _, near = jax.lax.top_k(-jnp.min(squared, axis=2), min(some, groups))
        candidates = jnp.take_along_axis(squared, near[:, :, None], axis=1).reshape(block, -1)
        _, where = jax.lax.top_k(-candidates, some)
        nearest = jnp.take_along_axis(near, where // GROUP, axis=1) * GROUP + where % GROUP
        exact = jnp.min(jnp.sum((block_places[:, :, None] - points[nearest][None]) ** 2, axis=3), axis=0)
        least, order = jax.lax.top_k(-exact, k)
        return jnp.take_along_axis(nearest, order, axis=1), -least

    indices, distances = jax.lax.map(of_block, rows)
    return Neighbours(indices.reshape(-1, k)[:count], distances.reshape(-1, k)[:count])


def neighbours_of(images: NDArray[Any], k: int, max_shift: int = 0) -> Neighbours:
    """Return the k nearest other images of each image (all if there are fewer), by their principal components.

    Args:
        images: `[points, *image]`.
        k: Number of neighbours.
        max_shift: As in `graph_of`.

    Raises:
        InputError: `max_shift` is above 0 for plain vectors, or there is only one image.
    """
    if max_shift and images.ndim < 3:
        raise InputError(f"max_shift is {max_shift}, but plain vectors cannot be shifted; give 0.")
    shifts = list(itertools.product(range(-max_shift, max_shift + 1), repeat=2))
    every = min(len(shifts), max(1, len(images) * len(shifts) // SAMPLE))  # with many images, each in one position
    sample = jnp.concatenate([_moved(images[i % every :: every], *by) for i, by in enumerate(shifts)])
    axes = principal_axes(sample, min(COMPONENTS, *sample.shape))
    places = jnp.stack([principal_components(_moved(images, *by), axes) for by in shifts])
    neighbours: Neighbours = nearest_neighbours(places[len(shifts) // 2], min(k, len(images) - 1), places)
    return neighbours


def graph_shift(max_shift: int) -> int:
    """Return the maximum shift, in pixels, in the search for neighbours, if views are shifted by up to `max_shift`.

    It is half as large: larger shifts find fewer neighbours of the same class. And it is at most 2 pixels: the cost
    grows with its square.
    """
    return min(max_shift // 2, MAX_SHIFT)


def _moved(images: NDArray[Any], down: int, right: int) -> Float[Array, "points features"]:
    """Return images shifted by whole pixels, as rows, padded with 0."""
    margin = max(abs(down), abs(right))
    if margin:
        height, width = images.shape[1:3]
        padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin), *((0, 0) for _ in images.shape[3:])))
        images = padded[:, margin - down :, margin - right :][:, :height, :width]
    return jnp.asarray(images.reshape(len(images), -1), jnp.float32)
