"""Samplers of codes fitted after training: a Gaussian mixture in place of the prior."""

import warnings
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

        def draw(of_one: tuple[Array, Array]) -> Array:
            component, row = of_one
            return self.means[component] + jnp.matmul(self.roots[component], row, precision=jax.lax.Precision.HIGHEST)

        drawn: Array = jax.lax.map(draw, (chosen, noise), batch_size=min(count, 1000))
        return drawn


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
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture  # slow to import

    kept = np.asarray(codes, np.float64)[np.random.default_rng(seed).permutation(len(codes))[:MAX_CODES]]
    if components < 1 or len(kept) < 2 * components or not np.isfinite(kept).all():
        raise InputError(
            f"A mixture of {components} components cannot be fitted to {len(kept)} codes; give at least two finite "
            "codes for each component."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a mixture that still improves is good enough
        fitted = GaussianMixture(components, reg_covar=1e-6, random_state=seed).fit(kept)
    return MixtureSampler(
        log_weights=jnp.log(jnp.asarray(fitted.weights_, jnp.float32)),
        means=jnp.asarray(fitted.means_, jnp.float32),
        roots=jnp.asarray(np.linalg.cholesky(fitted.covariances_), jnp.float32),
    )
