"""Priors of one-hot label codes."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aae_jax.types import Array, PRNGKey, Sampler

__all__ = ["build_categorical", "categorical_log_density", "draw_classes", "rare_categorical"]


def build_categorical(num_classes: int) -> Sampler:
    """Return a sampler of one-hot vectors of uniform classes: `(key, n) -> [n, num_classes]` (§5)."""

    def sample(key: PRNGKey, n: int) -> Float[Array, "count classes"]:
        drawn = jax.random.randint(key, (n,), 0, num_classes, jnp.int32)
        return jax.nn.one_hot(drawn, num_classes, dtype=jnp.float32)

    return sample


def draw_classes(key: PRNGKey, frequencies: Float[Array, " classes"], n: int) -> Float[Array, "count classes"]:
    """Sample one-hot vectors of classes with the given `frequencies`, all above 0: `[n, classes]`."""
    drawn = jax.random.categorical(key, jnp.log(frequencies), shape=(n,))
    return jax.nn.one_hot(drawn, frequencies.shape[0], dtype=jnp.float32)


def rare_categorical(key: PRNGKey, labels: Float[Array, "batch classes"]) -> Float[Array, "batch classes"]:
    """Sample one-hot vectors of classes that are rare among the most probable classes of a batch of labels.

    Class k has a probability proportional to exp(batch / classes − count of k): shaharazulay's sampling by inverse
    frequency, which almost always draws the rarest class.
    """
    classes = labels.shape[1]
    counts = jnp.sum(jax.nn.one_hot(jnp.argmax(labels, axis=1), classes, dtype=jnp.float32), axis=0)
    drawn = jax.random.categorical(key, -counts, shape=(labels.shape[0],))
    return jax.nn.one_hot(drawn, classes, dtype=jnp.float32)


def categorical_log_density(y: Float[Array, "batch classes"]) -> Float[Array, " batch"]:
    """Return log(1 / classes) for each one-hot row, and minus infinity for rows that are not one-hot."""
    one_hot = jnp.all((y == 0) | (y == 1), axis=-1) & (jnp.sum(y, axis=-1) == 1)
    return jnp.where(one_hot, -jnp.log(jnp.float32(y.shape[-1])), -jnp.inf)
