"""Padded batches: functions of rows that are compiled for a few batch lengths only."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.train.compile import compiler_options
from aae_jax.types import Array, PRNGKey, Sampler

__all__ = ["BATCH_SIZE", "as_rows", "batch_length", "build_batched", "draw_rows", "is_traced"]

BATCH_SIZE = 1000
"""Rows in the largest batch: what bounds the memory that many rows take."""

RowsFn = Callable[..., Any]
"""`(weights, *rows) -> rows`: any pytree of weights; each of the rows `[count, ...]`, and each leaf of the result."""


def batch_length(count: int, most: int | None = BATCH_SIZE) -> int:
    """Return the length to which a batch of `count` rows is padded: a power of two, and at most `most`."""
    length = 1 << max(0, count - 1).bit_length()
    return length if most is None else min(length, most)


def build_batched(function: RowsFn) -> RowsFn:
    """Return `function` compiled for eleven batch lengths at most, whatever the number of rows.

    Rows are padded with zeros to a power of two, more than `BATCH_SIZE` of them go through in batches of that size,
    and the result is cropped, all of it outside jit, where neither padding nor cropping is compiled. So each row of
    the result must depend on that row of the input alone. While JAX traces (jit, vmap, grad) the function is called
    as it is.

    Args:
        function: `(weights, *rows) -> rows`, where `rows` are arrays `[count, ...]` of one length.
    """
    compiled = jax.jit(function, compiler_options=compiler_options())

    def call(weights: Any, *rows: Any) -> Any:
        if is_traced((weights, rows)):
            return function(weights, *map(jnp.asarray, rows))
        count = rows[0].shape[0]
        length = batch_length(count)
        if count == length:
            return compiled(weights, *rows)
        place, held = _place_of(rows), [np.asarray(row) for row in rows]
        parts = [
            compiled(weights, *(_padded(row[first : first + length], length, place) for row in held))
            for first in range(0, max(1, count), length)
        ]
        return jax.tree.map(lambda *leaves: _joined(leaves, count), *parts)

    return call


def is_traced(tree: Any) -> bool:
    """Return whether JAX traces a leaf of `tree`, or is tracing a program in which constants are computed too."""
    leaves = jax.tree.leaves(tree)
    return any(isinstance(leaf, jax.core.Tracer) for leaf in (*leaves, jnp.zeros(())))


def as_rows(values: Any) -> Any:
    """Return numbers as float32: JAX's arrays where they are, traced ones too, everything else in a NumPy array."""
    if isinstance(values, jax.Array) and values.dtype == jnp.float32:
        return values
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values)):
        return jnp.asarray(values, jnp.float32)
    return np.asarray(values, np.float32)


def draw_rows(sample: Sampler, key: PRNGKey, count: int) -> Array:
    """Return `sample(key, count)`, of which few lengths are compiled: more rows are drawn, and cropped.

    That gives the same rows where the bits of a random number depend on the key and on its position alone, as they do
    by JAX's default; by its other generators exactly `count` rows are drawn.
    """
    partitionable = bool(getattr(jax.config, "jax_threefry_partitionable", False))
    if is_traced(key) or not partitionable or str(jax.random.key_impl(key)) != "threefry2x32":
        return sample(key, count)
    drawn = sample(key, batch_length(count, None))
    return drawn if drawn.shape[0] == count else _joined((drawn,), count)


def _place_of(rows: tuple[Any, ...]) -> Any:
    """Return the device to which the user has committed the rows, or None."""
    committed = (row.sharding for row in rows if isinstance(row, jax.Array) and row.committed)
    return next((place for place in committed if len(place.device_set) == 1), None)


def _padded(rows: np.ndarray, length: int, place: Any) -> Any:
    missing = length - rows.shape[0]
    filled = rows if missing == 0 else np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])
    return filled if place is None else jax.device_put(filled, place)


def _joined(parts: tuple[Array, ...], count: int) -> Array:
    """Return the first `count` rows of batches, on the device on which they are.

    They are put there by `device_put`: `jnp.asarray` compiles a program for each shape.
    """
    rows = np.asarray(parts[0]) if len(parts) == 1 else np.concatenate([np.asarray(part) for part in parts])
    place = parts[0].sharding
    target = place if parts[0].committed and place.is_fully_replicated else None
    cropped: Array = jax.device_put(rows[:count], target)
    return cropped
