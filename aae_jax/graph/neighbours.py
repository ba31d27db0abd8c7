"""Nearest neighbours of images, by their principal components."""

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
"""Rows, at least, of which principal axes are taken where images are moved, or all of them."""
MOST_SHIFT, GROUP = 2, 64
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
    centred = rows - mean
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
    return _product(rows - axes.mean, axes.directions)


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
        return jnp.minimum(least, own_norms + padded - 2 * _product(place, everyone.T)), None

    def of_block(own: Array) -> tuple[Array, Array]:
        own_places = places[:, own]
        squared, _ = jax.lax.scan(from_place, jnp.full((block, groups * GROUP), jnp.inf, jnp.float32), own_places)
        squared = squared.at[jnp.arange(block), own].set(jnp.inf).reshape(block, groups, GROUP)
        _, near = jax.lax.top_k(-jnp.min(squared, axis=2), min(some, groups))
        candidates = jnp.take_along_axis(squared, near[:, :, None], axis=1).reshape(block, -1)
        _, where = jax.lax.top_k(-candidates, some)
        found = jnp.take_along_axis(near, where // GROUP, axis=1) * GROUP + where % GROUP
        exact = jnp.min(jnp.sum((own_places[:, :, None] - points[found]) ** 2, axis=3), axis=0)
        least, order = jax.lax.top_k(-exact, k)
        return jnp.take_along_axis(found, order, axis=1), -least

    indices, distances = jax.lax.map(of_block, rows)
    return Neighbours(indices.reshape(-1, k)[:count], distances.reshape(-1, k)[:count])


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
