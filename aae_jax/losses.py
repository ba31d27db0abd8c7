"""One pure scalar function per equation. Every one is a mean over the batch; what is summed is said.

Discriminators' outputs are logits; "real" is a sample of the prior, "fake" a code of the encoder.
Cross-entropies are computed from logits: nowhere is the logarithm of a sigmoid or a softmax taken.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from aae_jax.types import Array

__all__ = [
    "DISCRIMINATOR_EQUILIBRIUM",
    "GENERATOR_EQUILIBRIUM",
    "bernoulli_cross_entropy",
    "classification_loss",
    "consistency_loss",
    "discriminator_loss",
    "generator_loss",
    "half_squared_error",
    "propagation_loss",
]

DISCRIMINATOR_EQUILIBRIUM = 1.3862943611198906
"""2 ln 2: `discriminator_loss` where real and fake cannot be told apart."""
GENERATOR_EQUILIBRIUM = 0.6931471805599453
"""ln 2: `generator_loss` there."""


def half_squared_error(
    output: Float[Array, "batch *pixels"], target: Float[Array, "batch *pixels"]
) -> Float[Array, ""]:
    """Return ½ Σ over pixels of (output − target)², mean over the batch.

    Makhzani et al. 2016, appendix A (Euclidean cost). A learning rate for this sum is not one for the
    mean over pixels: that is 392 times smaller on 28×28 images.
    """
    return 0.5 * jnp.sum((output - target) ** 2) / output.shape[0]


def bernoulli_cross_entropy(
    logits: Float[Array, "batch *pixels"], target: Float[Array, "batch *pixels"]
) -> Float[Array, ""]:
    """Return Σ over pixels of the cross-entropy of `sigmoid(logits)` with `target` in [0, 1], batch mean."""
    return jnp.sum(jax.nn.softplus(logits) - target * logits) / logits.shape[0]


def discriminator_loss(real_logits: Float[Array, " real"], fake_logits: Float[Array, " fake"]) -> Float[Array, ""]:
    """Return −mean log D(real) − mean log(1 − D(fake)), with D the sigmoid of the logits.

    Makhzani et al. 2016, §2, equation (1), maximised by the discriminator; 2 ln 2 at equilibrium.
    """
    return jnp.mean(jax.nn.softplus(-real_logits)) + jnp.mean(jax.nn.softplus(fake_logits))


def generator_loss(fake_logits: Float[Array, " fake"]) -> Float[Array, ""]:
    """Return −mean log D(fake), the non-saturating form of equation (1) (Goodfellow et al. 2014, §3)."""
    return jnp.mean(jax.nn.softplus(-fake_logits))


def classification_loss(logits: Float[Array, "batch classes"], labels: Int[Array, " batch"]) -> Float[Array, ""]:
    """Return the cross-entropy of `softmax(logits)` with integer `labels`, batch mean (§5, third phase)."""
    log_probabilities = jax.nn.log_softmax(logits)
    return -jnp.mean(jnp.take_along_axis(log_probabilities, labels[:, None], axis=1))


def propagation_loss(
    logits: Float[Array, "batch classes"], targets: Float[Array, "batch classes"]
) -> Float[Array, ""]:
    """Return −Σ over classes of targets · log softmax(logits), batch mean.

    The targets' rows sum to how certain they are (as in Iscen et al. 2019, without weights of classes).
    """
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(logits), axis=1))


def consistency_loss(
    target_logits: Float[Array, "batch classes"],
    logits: Float[Array, "batch classes"],
    sharpness: Float[Array, ""] | float = 1.0,
    confidence: Float[Array, ""] | float = 0.0,
) -> Float[Array, ""]:
    """Return the cross-entropy of `softmax(logits)` with `softmax(sharpness · target_logits)`, batch mean.

    The target is held constant (no gradient), as in virtual adversarial training (Miyato et al. 2016,
    §3.1); a sharpness over one pulls targets towards one-hot. Rows in which no class of
    `softmax(target_logits)` has at least the probability `confidence` count as 0 in the mean (Sohn et al.
    2020, FixMatch, whose targets are one-hot).
    """
    target_logits = jax.lax.stop_gradient(target_logits)
    cross_entropy = -jnp.sum(jax.nn.softmax(sharpness * target_logits) * jax.nn.log_softmax(logits), axis=1)
    unsure = jnp.max(jax.nn.softmax(target_logits), axis=1) < confidence  # not so for NaN, which must show
    return jnp.mean(jnp.where(unsure, 0.0, cross_entropy))
