"""The distributions that codes are pulled towards: samplers `(key, n) -> samples`, and log-densities.

A sampler for the trainer is any `(key, n) -> [n, dim]` function; the builders here return such functions.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aae_jax.types import Array, Prior, PRNGKey

__all__ = [
    "build_categorical",
    "build_gaussian",
    "build_uniform",
    "categorical_log_density",
    "gaussian_log_density",
]


def build_gaussian(dim: int, std: float = 1.0) -> Prior:
    """Return a sampler of N(0, std² I) in `dim` dimensions: `(key, n) -> [n, dim]` (§2.1).

    `std` is the standard deviation (the paper's style code has 1, its 2-D figures 5).
    """

    def sample(key: PRNGKey, n: int) -> Float[Array, "count latent"]:
        return std * jax.random.normal(key, (n, dim))

    return sample


def build_uniform(dim: int, half_width: float = 1.0) -> Prior:
    """Return a sampler of the uniform distribution on [−half_width, half_width]^dim: `(key, n) -> [n, dim]`."""

    def sample(key: PRNGKey, n: int) -> Float[Array, "count latent"]:
        return jax.random.uniform(key, (n, dim), minval=-half_width, maxval=half_width)

    return sample


def build_categorical(num_classes: int) -> Prior:
    """Return a sampler of one-hot vectors of a uniform class: `(key, n) -> [n, num_classes]` (§5)."""

    def sample(key: PRNGKey, n: int) -> Float[Array, "count classes"]:
        return jax.nn.one_hot(jax.random.randint(key, (n,), 0, num_classes), num_classes)

    return sample


def gaussian_log_density(z: Float[Array, "batch latent"], std: float = 1.0) -> Float[Array, " batch"]:
    """Return log N(z; 0, std² I), one number per row."""
    dim = z.shape[-1]
    return -0.5 * jnp.sum((z / std) ** 2, axis=-1) - dim * (jnp.log(std) + 0.5 * jnp.log(2 * jnp.pi))


def categorical_log_density(y: Float[Array, "batch classes"]) -> Float[Array, " batch"]:
    """Return log(1 / classes) for each one-hot row, minus infinity for rows that are not one-hot."""
    one_hot = jnp.all((y == 0) | (y == 1), axis=-1) & (jnp.sum(y, axis=-1) == 1)
    return jnp.where(one_hot, -jnp.log(y.shape[-1]), -jnp.inf)
