"""Priors given by samples."""

import jax
import jax.numpy as jnp
from jaxtyping import Float
from numpy.typing import ArrayLike

from aae_jax.errors import InputError
from aae_jax.types import Array, PRNGKey, Sampler

__all__ = ["build_empirical"]


def build_empirical(samples: ArrayLike) -> Sampler:
    """Return a sampler `(key, n) -> [n, latent]` that draws uniformly from the given samples `[count, latent]`.

    Any distribution that can be sampled thus becomes a prior. Give many more samples than a batch has.

    Raises:
        InputError: The samples are not rows of numbers.
    """
    try:
        rows = jnp.asarray(samples, jnp.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"Samples of a prior are not rows of numbers ({error}); give [count, latent].") from error
    if rows.ndim != 2 or not rows.size:
        raise InputError(f"Samples of a prior have shape {list(rows.shape)}; give [count, latent].")

    def sample(key: PRNGKey, n: int) -> Float[Array, "count latent"]:
        return rows[jax.random.randint(key, (n,), 0, rows.shape[0], jnp.int32)]

    return sample
