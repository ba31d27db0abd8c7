"""Latent statistics: match of codes and prior, discriminator accuracy, entropy and balance of labels."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from aae_jax.errors import InputError
from aae_jax.types import Array

__all__ = [
    "LabelEntropies",
    "Moments",
    "discriminator_accuracy",
    "label_entropies",
    "maximum_mean_discrepancy",
    "moments_beside",
]

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Scales of the kernels, in units of the mean squared distance between two samples of the prior."""


class Moments(NamedTuple):
    """Means and standard deviations per dimension, of codes and of samples of the prior."""

    mean: Float[Array, " latent"]
    std: Float[Array, " latent"]
    prior_mean: Float[Array, " latent"]
    prior_std: Float[Array, " latent"]

    @property
    def mean_gap(self) -> Float[Array, " latent"]:
        """Offset of the codes' means from the prior's, in the prior's standard deviations."""
        return (self.mean - self.prior_mean) / self.prior_std

    @property
    def std_ratio(self) -> Float[Array, " latent"]:
        """Ratio of the codes' standard deviations to the prior's: below 1 where codes do not fill the prior."""
        return self.std / self.prior_std


def moments_beside(codes: ArrayLike, samples: ArrayLike) -> Moments:
    """Return the moments of codes `[count, latent]` and of samples of the prior `[others, latent]`."""
    encoded, prior = jnp.asarray(codes), jnp.asarray(samples)
    return Moments(encoded.mean(axis=0), encoded.std(axis=0), prior.mean(axis=0), prior.std(axis=0))


@jax.jit
def maximum_mean_discrepancy(
    codes: Float[Array, "count latent"], samples: Float[Array, "others latent"]
) -> Float[Array, ""]:
    """Estimate the squared maximum mean discrepancy of codes and samples of the prior, without bias.

    Gretton et al. 2012, lemma 6, with the mean of inverse multiquadratic kernels c / (c + d²) at seven scales
    (Tolstikhin et al. 2018, appendix C). About 0 if codes match the prior, possibly negative by chance; at most 2.
    Two thousand rows of each are enough; all pairs are compared.

    Raises:
        InputError: There are fewer than two codes or samples.
    """
    if min(codes.shape[0], samples.shape[0]) < 2:
        raise InputError(
            f"There are {codes.shape[0]} codes and {samples.shape[0]} samples; give at least two of each."
        )
    encoded, prior, between = _squared(codes, codes), _squared(samples, samples), _squared(codes, samples)
    count, others = codes.shape[0], samples.shape[0]
    unit = jnp.sum(prior) / (others * (others - 1))

    def at(scale: Array) -> Array:
        kernels = [scale * unit / (scale * unit + distances) for distances in (encoded, prior, between)]
        within = (jnp.sum(kernels[0]) - count) / (count * (count - 1))  # kernels on the diagonal are 1
        of_prior = (jnp.sum(kernels[1]) - others) / (others * (others - 1))
        return within + of_prior - 2 * jnp.mean(kernels[2])

    return jnp.mean(jax.vmap(at)(jnp.asarray(SCALES, jnp.float32)))


def _squared(a: Array, b: Array) -> Array:
    """Return all squared distances, exactly 0 for equal rows."""
    return jnp.sum((a[:, None] - b[None]) ** 2, axis=2)


def discriminator_accuracy(real_logits: ArrayLike, fake_logits: ArrayLike) -> Float[Array, ""]:
    """Return the accuracy of a discriminator on codes and samples of the prior; ½ for a fooled one.

    This is the mean of the accuracies on both, as if their numbers were equal; a logit of 0 counts as half correct.
    NaN if a logit is NaN.
    """

    def share(logits: Array) -> Array:
        return jnp.mean(jnp.where(jnp.isnan(logits), jnp.nan, (logits > 0) + 0.5 * (logits == 0)))

    return 0.5 * (share(jnp.asarray(real_logits)) + share(-jnp.asarray(fake_logits)))


class LabelEntropies(NamedTuple):
    """Entropies of label codes, in nats; the maximum is log(classes)."""

    of_each: Float[Array, ""]
    """Mean entropy of the label of an image: 0 if all are one-hot."""
    of_all: Float[Array, ""]
    """Entropy of the mean label: log(classes) if all classes are equally frequent."""
    used: Int[Array, ""]
    """Number of classes that are the most probable one of some image; 0 if a probability is not finite."""


def label_entropies(probabilities: ArrayLike) -> LabelEntropies:
    """Return the entropies of single labels and of their mean; NaN if a probability is NaN.

    Args:
        probabilities: Non-negative class probabilities of images, `[count, classes]`.
    """
    rows = jnp.asarray(probabilities)
    entropy = jax.scipy.special.entr
    most = jnp.zeros(rows.shape[1], bool).at[jnp.argmax(rows, axis=1)].set(True)
    used = jnp.where(jnp.isfinite(rows).all(), jnp.sum(most), 0)
    return LabelEntropies(entropy(rows).sum(axis=1).mean(), entropy(rows.mean(axis=0)).sum(), used)
