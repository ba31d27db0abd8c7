"""Two-sample comparison of codes with samples of the prior, by fresh classifiers and by projections."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from aae_jax.errors import InputError
from aae_jax.evaluation.classifiers import fit_classifier, perceptron
from aae_jax.types import Array, PRNGKey

__all__ = ["sliced_wasserstein", "two_sample_accuracy"]

PROJECTIONS = 256


def two_sample_accuracy(
    codes: Float[np.ndarray, "count latent"], samples: Float[np.ndarray, "others latent"], *, seed: int = 0
) -> float:
    """Return the accuracy with which a classifier tells codes from samples of the prior; ½ for a perfect match.

    A classifier two-sample test (Lopez-Paz and Oquab 2017): a perceptron with two hidden layers of 100 units is
    fitted on one half of codes and samples, and scored on the other half. Unlike the model's own discriminator, it
    does not lag behind the encoder. As many codes as samples are used; by chance, the accuracy of a perfect match
    deviates by about 0.5 / √n for n scored rows.

    Args:
        codes: Codes of held-out images.
        samples: Samples of the prior.
        seed: Seed of the halves and of the classifier's weights.

    Raises:
        InputError: There are fewer than four codes or samples, or some are not finite.
    """
    count = min(len(codes), len(samples))
    if count < 4 or not np.isfinite(codes).all() or not np.isfinite(samples).all():
        raise InputError(
            f"There are {len(codes)} codes and {len(samples)} samples of the prior; give four finite ones of each."
        )
    random = np.random.default_rng(seed)
    rows = [np.asarray(each)[random.permutation(len(each))[:count]] for each in (codes, samples)]
    fitted, scored = (_labelled(rows, part) for part in (slice(count // 2), slice(count // 2, None)))
    classifier = fit_classifier(perceptron(fitted[1], seed), *fitted)
    return float(np.mean(classifier.predict(scored[0]) == scored[1]))


def _labelled(rows: list[Any], part: slice) -> tuple[np.ndarray, np.ndarray]:
    """Return a part of codes and samples as rows, and which of the two each is."""
    halves = [each[part] for each in rows]
    return np.concatenate(halves), np.repeat([0, 1], [len(half) for half in halves])


def sliced_wasserstein(
    codes: Float[Array | np.ndarray, "count latent"],
    samples: Float[Array | np.ndarray, "others latent"],
    key: PRNGKey,
) -> Float[Array, ""]:
    """Return the sliced Wasserstein distance between codes and samples of the prior.

    The root mean square, over random directions, of the 2-Wasserstein distance between the projections (Bonneel et
    al. 2015), in units of the root mean squared projection of a centred sample. 0 for equal sets; a few times 1 / √n
    by chance for n rows of one distribution.

    Args:
        codes: Codes of images.
        samples: Samples of the prior; as many rows of either as there are of the fewer are compared.
        key: PRNG key of the directions.

    Raises:
        InputError: There are fewer than two codes or samples.
    """
    count = min(codes.shape[0], samples.shape[0])
    if count < 2:
        raise InputError(f"There are {codes.shape[0]} codes and {samples.shape[0]} samples; give two of each.")
    directions = jax.random.normal(key, (codes.shape[1], PROJECTIONS), jnp.float32)
    directions = directions / jnp.linalg.norm(directions, axis=0, keepdims=True)
    ours, theirs = (
        jnp.sort(jnp.matmul(rows[:count], directions, precision=jax.lax.Precision.HIGHEST), axis=0)
        for rows in (codes, samples)
    )
    spread = jnp.mean(jnp.var(theirs, axis=0))
    return jnp.sqrt(jnp.mean((ours - theirs) ** 2) / spread)
