"""Uniform prior."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aae_jax.types import Array, PRNGKey, Sampler

__all__ = ["build_uniform", "uniform_quantile"]


def build_uniform(dim: int, half_width: float = 1.0) -> Sampler:
    """Return a sampler of the uniform distribution on [−half_width, half_width]^dim: `(key, n) -> [n, dim]`."""

    def sample(key: PRNGKey, n: int) -> Float[Array, "count latent"]:
        return jax.random.uniform(key, (n, dim), jnp.float32, -half_width, half_width)

    return sample


def uniform_quantile(u: Float[Array, "*count"], half_width: float = 1.0) -> Float[Array, "*count"]:
    """Return the quantiles of the uniform distribution on [−half_width, half_width] at shares u."""
    return half_width * (2 * u - 1)
