"""Anomaly scores of images by a trained model."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.evaluation.anomaly import TINY, AnomalyScores, excess_error, fit_expected
from aae_jax.priors.configured import configured_prior
from aae_jax.saved.model import Model
from aae_jax.types import Array

__all__ = ["AnomalyScorer"]

Discriminate = Callable[[Array], Array]
SAMPLES, NEIGHBOURS = 5000, 5
"""Number of samples that stand for a prior without a density."""


class AnomalyScorer:
    """Anomaly scores by one model, relative to ordinary images."""

    def __init__(
        self,
        model: Model,
        reference: NDArray[np.generic],
        *,
        discriminator: Discriminate | None = None,
        seed: int = 0,
    ) -> None:
        """Measure what ordinary images have.

        Args:
            model: A trained model whose decoder takes no label, or one that its encoder predicts.
            reference: Ordinary images, as the model stores them, at least 20; best some that it was not trained on.
            discriminator: Function of styles `[count, latent]` that returns the discriminator's logits `[count]`;
                saved models do not have one.
            seed: Seed of samples of a prior without a density.

        Raises:
            InputError: The decoder takes a label that is unknown, or there are too few images.
        """
        if model.decoded_label != model.num_classes:
            raise InputError("The decoder takes the class of each image, which is unknown here; score another model.")
        self.model, self.discriminator = model, discriminator
        latent = model.network.latent_dim
        prior = None if model.prior is None else configured_prior(model.prior, latent, model.prior_samples)
        self.log_prob = None if prior is None else prior.log_prob
        self.samples = None
        if prior is not None and prior.log_prob is None:
            self.samples = np.asarray(model.draw_styles(jax.random.key(seed), SAMPLES))
        errors, codes, brightness = self._measure(np.asarray(reference))
        self.expected = fit_expected(errors, brightness, codes)
        # Those whose distances are measured must not be their own neighbours.
        half = len(codes) // 2
        self.known = codes[:half]
        parts = self._parts(errors[half:], codes[half:], brightness[half:])
        self.centre, self.spread = parts.mean(axis=1, keepdims=True), parts.std(axis=1, keepdims=True) + TINY

    def _parts(
        self, errors: NDArray[np.float64], codes: NDArray[np.float64], brightness: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the three scores that are combined, `[3, count]`."""
        return np.stack(
            [
                excess_error(self.expected, errors, brightness, codes),
                np.log(errors + TINY) - np.log(brightness + TINY),
                np.log(self._distances(codes) + TINY),
            ]
        )

    def _distances(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        return _nearest(self.known, codes, NEIGHBOURS)

    def _measure(
        self, images: NDArray[np.generic]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return errors, codes and mean squared pixels."""
        stored = jnp.asarray(images)
        codes = np.asarray(self.model.encode_stored(stored).mean, np.float64)
        made = np.asarray(self.model.reconstruct_stored(stored), np.float64).reshape(len(images), -1)
        unit = np.asarray(images, np.float64).reshape(len(images), -1)
        unit = unit / 255.0 if images.dtype == np.uint8 else unit
        return np.mean((made - unit) ** 2, axis=1), codes, np.mean(unit**2, axis=1)

    def __call__(self, images: NDArray[np.generic]) -> AnomalyScores:
        """Return the scores of images, as the model stores them."""
        errors, codes, brightness = self._measure(np.asarray(images))
        parts = (self._parts(errors, codes, brightness) - self.centre) / self.spread
        return AnomalyScores(
            errors, self._prior(codes), self._judged(codes), self._distances(codes), parts.mean(axis=0)
        )

    def _prior(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.log_prob is not None:
            return -np.asarray(self.log_prob(jnp.asarray(codes, jnp.float32)), np.float64)
        if self.samples is None:
            return np.full(len(codes), np.nan)
        return _nearest(self.samples, codes, 1)

    def _judged(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.discriminator is None:
            return np.full(len(codes), np.nan)
        return -np.asarray(self.discriminator(jnp.asarray(codes, jnp.float32)), np.float64)


def _nearest(known: NDArray[np.floating], codes: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the mean distance of each code to the nearest known ones."""
    from sklearn.neighbors import NearestNeighbors  # type: ignore[import-untyped, unused-ignore]

    found = NearestNeighbors(n_neighbors=min(count, len(known))).fit(known).kneighbors(codes)[0]
    return np.asarray(found.mean(axis=1), np.float64)
