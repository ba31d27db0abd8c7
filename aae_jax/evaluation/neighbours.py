"""Nearest-neighbour search of a few rows among many, to detect samples that copy training images."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from aae_jax.types import Array

__all__ = ["nearest_rows"]


@jax.jit
def nearest_rows(rows: Float[Array, "few features"], others: Float[Array, "many features"]) -> Int[Array, " few"]:
    """Return the index of the nearest row of `others` to each of `rows`, by Euclidean distance."""
    products = jnp.matmul(rows, others.T, precision=jax.lax.Precision.HIGHEST)
    return jnp.argmin(jnp.sum(others**2, axis=1)[None] - 2 * products, axis=1)
