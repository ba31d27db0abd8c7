"""Gaussian prior."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aae_jax.types import Array, PRNGKey, Sampler

__all__ = ["build_gaussian", "gaussian_log_density", "gaussian_quantile"]


def build_gaussian(dim: int, std: float = 1.0) -> Sampler:
    """Return a sampler of N(0, std² I) in `dim` dimensions: `(key, n) -> [n, dim]` (§2.1).

    `std` is the standard deviation (1 for the paper's style code, 5 in its 2-D figures).
    """

    def sample(key: PRNGKey, n: int) -> Float[Array, "count latent"]:
        return std * jax.random.normal(key, (n, dim), jnp.float32)

    return sample


def gaussian_quantile(u: Float[Array, "*count"], std: float = 1.0) -> Float[Array, "*count"]:
    """Return the quantiles of N(0, std²) at shares u, as in the prior's percentiles of figure 2e."""
    return std * jax.scipy.special.ndtri(u)


def gaussian_log_density(z: Float[Array, "batch latent"], std: float = 1.0) -> Float[Array, " batch"]:
    """Return log N(z; 0, std² I) of each row."""
    dim = z.shape[-1]
    return -0.5 * jnp.sum((z / std) ** 2, axis=-1) - dim * (
        jnp.log(jnp.asarray(std, jnp.float32)) + 0.5 * jnp.log(jnp.float32(2 * jnp.pi))
    )
