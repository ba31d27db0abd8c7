"""Samplers of codes fitted after training: a Gaussian mixture in place of the prior."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from aae_jax.errors import InputError
from aae_jax.types import Array, PRNGKey

__all__ = ["MixtureSampler", "fit_mixture"]

MAX_CODES = 20_000
"""Maximum number of codes to which a mixture is fitted, a random subset of more."""


class MixtureSampler(NamedTuple):
    """Mixture of Gaussians; call it as a prior, `(key, n) -> [n, latent]`.

    Attributes:
        log_weights: Logarithms of the components' probabilities.
        means: Their means.
        roots: Lower triangular roots L of their covariances L Lᵀ.
    """

    log_weights: Float[Array, " components"]
    means: Float[Array, "components latent"]
    roots: Float[Array, "components latent latent"]

    def __call__(self, key: PRNGKey, count: int) -> Float[Array, "count latent"]:
        """Draw samples."""
        key_component, key_noise = jax.random.split(key)
        chosen = jax.random.categorical(key_component, self.log_weights, shape=(count,))
        noise = jax.random.normal(key_noise, (count, self.means.shape[1]), jnp.float32)
        return self.means[chosen] + jnp.einsum("nij,nj->ni", self.roots[chosen], noise)


def fit_mixture(codes: Float[np.ndarray, "count latent"], components: int = 10, *, seed: int = 0) -> MixtureSampler:
    """Fit a mixture of Gaussians with full covariances to codes, by expectation maximisation.

    Its samples are near codes that the decoder was trained on, also where codes do not match the prior, and in models
    without one (Ghosh et al. 2020, §4: density estimation after training).

    Args:
        codes: Codes of training images.
        components: Number of Gaussians.
        seed: Seed of the subset and of the initial means.

    Raises:
        InputError: There are fewer codes than twice the components, or some are not finite.
    """
    from sklearn.mixture import GaussianMixture  # slow to import

    if components < 1 or len(codes) < 2 * components or not np.isfinite(codes).all():
        raise InputError(
            f"A mixture of {components} components cannot be fitted to {len(codes)} codes; give at least two finite "
            "codes for each component."
        )
    some = np.random.default_rng(seed).permutation(len(codes))[:MAX_CODES]
    fitted = GaussianMixture(components, reg_covar=1e-6, random_state=seed).fit(np.asarray(codes, np.float64)[some])
    return MixtureSampler(
        log_weights=jnp.log(jnp.asarray(fitted.weights_, jnp.float32)),
        means=jnp.asarray(fitted.means_, jnp.float32),
        roots=jnp.asarray(np.linalg.cholesky(fitted.covariances_), jnp.float32),
    )
