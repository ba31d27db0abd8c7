"""Projections of cluster heads to a circle (figure 11d)."""

import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.types import Array

__all__ = ["circle_projection"]

ORDERS = 20
"""First orders of heads around a circle from which better ones are looked for."""


def circle_projection(heads: Float[Array, "classes latent"], style_std: float = 0.0) -> Float[Array, "latent 2"]:
    """Return the matrix by which heads come to lie on the unit circle at equal distances (figure 11d).

    Args:
        heads: One to a row.
        style_std: Of the styles around them, N(0, style_std²) in every dimension. 0: the heads come exactly to their
            points, in order, by the matrix of least norm. Above: heads with their styles come nearest to them, in the
            mean of squares, in the order in which they come nearest; a direction in which heads hardly differ would
            else make styles large.

    Raises:
        InputError: Fewer dimensions than heads: no matrix does.
    """
    classes, latent = heads.shape
    if classes > latent:
        raise InputError(
            f"{classes} heads of {latent} dimensions cannot all be brought to a circle; take as many dimensions."
        )
    angles = 2 * np.pi * np.arange(classes) / classes
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if style_std == 0.0:
        return jnp.linalg.pinv(heads) @ jnp.asarray(circle, heads.dtype)
    rows = np.asarray(heads, np.float64)
    inverse = np.linalg.solve(rows.T @ rows + classes * style_std**2 * np.eye(latent), rows.T)
    left = np.eye(classes) - rows @ inverse  # what is left of any targets, as a quadratic form
    return jnp.asarray(inverse @ circle[_nearest_order(left, circle)], heads.dtype)


def _nearest_order(left: NDArray[np.float64], circle: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return at which of the circle's points each head leaves least, by swaps of two from several first orders."""
    generator = np.random.default_rng(0)

    def cost(order: NDArray[np.int64]) -> float:
        return float(np.sum(circle[order] * (left @ circle[order])))

    def improved(order: NDArray[np.int64]) -> NDArray[np.int64]:
        pairs, tried = list(itertools.combinations(range(len(order)), 2)), 0
        while tried < len(pairs):  # until no swap in a row of all of them helps
            for i, j in pairs:
                swapped = order.copy()
                swapped[[i, j]] = order[[j, i]]
                better = cost(swapped) < cost(order) - 1e-9
                order, tried = (swapped, 0) if better else (order, tried + 1)
        return order

    firsts = (generator.permutation(len(circle)) for _ in range(ORDERS))
    return min((improved(order) for order in firsts), key=cost)
