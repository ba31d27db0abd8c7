"""Projection of cluster heads to a circle (figure 11d)."""

import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.types import Array

__all__ = ["circle_projection"]

ORDERS = 20
"""Number of initial orders of heads around the circle in the local search."""


def circle_projection(heads: Float[Array, "classes latent"], style_std: float = 0.0) -> Float[Array, "latent 2"]:
    """Return the matrix that projects heads to equidistant points of the unit circle (figure 11d).

    Args:
        heads: Cluster heads, one per row.
        style_std: Standard deviation of the styles added to the heads, N(0, style_std²) in every dimension. 0: the
            heads are mapped exactly to the points, in order, by the matrix of least norm. Above 0: heads with styles
            are mapped to the points in the least-squares sense, in the best order found; otherwise, directions in
            which heads hardly differ would amplify styles.

    Raises:
        InputError: There are fewer dimensions than heads, for which no such matrix exists.
    """
    classes, latent = heads.shape
    if classes > latent:
        raise InputError(
            f"{classes} heads of {latent} dimensions cannot all be projected to a circle; use as many dimensions as "
            "heads."
        )
    angles = 2 * np.pi * np.arange(classes) / classes
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if style_std == 0.0:
        return jnp.linalg.pinv(heads) @ jnp.asarray(circle, heads.dtype)
    rows = np.asarray(heads, np.float64)
    inverse = np.linalg.solve(rows.T @ rows + classes * style_std**2 * np.eye(latent), rows.T)
    left = np.eye(classes) - rows @ inverse  # quadratic form of the residual of any targets
    return jnp.asarray(inverse @ circle[_nearest_order(left, circle)], heads.dtype)


def _nearest_order(left: NDArray[np.float64], circle: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the point of each head with the smallest total residual, by pairwise swaps from several orders."""
    generator = np.random.default_rng(0)

    def cost(order: NDArray[np.int64]) -> float:
        return float(np.sum(circle[order] * (left @ circle[order])))

    def improved(order: NDArray[np.int64]) -> NDArray[np.int64]:
        pairs, tried = list(itertools.combinations(range(len(order)), 2)), 0
        while tried < len(pairs):  # until no swap improves the order
            for i, j in pairs:
                swapped = order.copy()
                swapped[[i, j]] = order[[j, i]]
                better = cost(swapped) < cost(order) - 1e-9
                order, tried = (swapped, 0) if better else (order, tried + 1)
        return order

    firsts = (generator.permutation(len(circle)) for _ in range(ORDERS))
    return min((improved(order) for order in firsts), key=cost)
