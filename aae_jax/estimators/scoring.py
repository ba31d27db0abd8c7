"""Anomaly scores of estimators, relative to the rows of `fit`."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors  # type: ignore[import-untyped, unused-ignore]

from aae_jax.estimators.blocks import in_blocks
from aae_jax.evaluation.anomaly import TINY
from aae_jax.saved.anomaly import AnomalyScorer
from aae_jax.saved.model import Model

__all__ = ["ImageScorer", "TableScorer", "reference_of"]

MIN_REFERENCE, MAX_REFERENCE, NEIGHBOURS = 20, 5000, 5


def reference_of(count: int) -> NDArray[np.int64]:
    """Return the places of at most 5,000 of `count` rows, and of at least 20, by repetition."""
    order = np.random.default_rng(0).permutation(count)[:MAX_REFERENCE]
    return np.tile(order, -(-MIN_REFERENCE // len(order))) if len(order) < MIN_REFERENCE else order


class ImageScorer:
    """Combined score of images; see `aae_jax.saved.anomaly.AnomalyScorer`."""

    def __init__(self, model: Model, reference: NDArray[np.float32]) -> None:
        """Measure what ordinary images have."""
        self.score = AnomalyScorer(model, reference)

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return scores `[rows]`, larger for stranger images."""
        return np.asarray(in_blocks(lambda block: self.score(block).combined, images), np.float64)


class TableScorer:
    """Score of rows of a table: mean of two numbers, each in standard deviations of ordinary rows from their mean.

    They are the log-error of the reconstruction, and the log-distance of the code to the five nearest of ordinary
    rows. Numbers outside the range that the model was trained on count in full, although the model sees them clipped.
    """

    def __init__(self, model: Model, reference: NDArray[np.float32]) -> None:
        """Measure what ordinary rows have: half of them give the codes, the other half the scale of both numbers."""
        self.model = model
        half = len(reference) // 2
        codes = self._codes(np.clip(reference[:half], 0, 1))
        self.search = NearestNeighbors(n_neighbors=min(NEIGHBOURS + 1, half)).fit(codes)
        parts = self._parts(reference[half:])
        self.centre, self.spread = parts.mean(axis=1, keepdims=True), parts.std(axis=1, keepdims=True) + TINY

    def _codes(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        return in_blocks(lambda block: self.model.encode_stored(jnp.asarray(block)).mean, rows).astype(np.float64)

    def _parts(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        clipped = np.clip(rows, 0, 1).astype(np.float32)
        codes = self._codes(clipped)
        rebuilt = in_blocks(self.model.reconstruct_stored, clipped).astype(np.float64)
        errors = np.mean((rebuilt - rows) ** 2, axis=1)
        distances = self.search.kneighbors(codes)[0]
        is_known = distances[:, :1] == 0  # the row itself, if it is one of the reference
        distances = np.where(is_known, distances[:, 1:], distances[:, :-1]).mean(axis=1)
        return np.log(np.stack([errors, distances]) + TINY)

    def __call__(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return scores `[rows]`, larger for stranger rows."""
        return np.asarray(((self._parts(rows) - self.centre) / self.spread).mean(axis=0), np.float64)
