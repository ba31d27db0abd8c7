"""Anomaly scores of images: how badly a model reconstructs them, and how improbable their codes are."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from aae_jax.errors import InputError

__all__ = ["MIN_REFERENCE", "TINY", "AnomalyScores", "Expected", "auroc", "excess_error", "fit_expected"]

TINY = 1e-8
"""Added to errors and brightness before their logarithm is taken."""
MIN_REFERENCE = 20


class AnomalyScores(NamedTuple):
    """Scores `[count]`, larger for stranger images.

    Attributes:
        reconstruction: Squared error per pixel of the reconstruction; pixels are in [0, 1].
        prior: Minus the log-density of the code under the prior, in nats and without a constant; for a prior without
            a density, the distance to the nearest of its samples; NaN for a model without a prior.
        discriminator: Minus the logit of the discriminator of z: large for codes that it takes for an image's, not
            for a sample of the prior; NaN without its weights.
        neighbours: Mean distance of the code to the five nearest codes among the reference images.
        combined: Mean of three scores, each in standard deviations of the reference images from their mean: the
            log-error beyond what is expected (`excess_error`), the log of error by brightness, and the log of
            `neighbours`.
    """

    reconstruction: NDArray[np.float64]
    prior: NDArray[np.float64]
    discriminator: NDArray[np.float64]
    neighbours: NDArray[np.float64]
    combined: NDArray[np.float64]


class Expected(NamedTuple):
    """Log-error that is expected of ordinary images, fitted by `fit_expected`.

    Attributes:
        weights: `[features]` of a linear regression.
        spread: Standard deviation of the residuals.
    """

    weights: NDArray[np.float64]
    spread: float


def _features(brightness: NDArray[np.float64], codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1, log-brightness, codes, and the squares of both, `[count, 3 + 2 · latent]`."""
    log = np.log(brightness + TINY)[:, None]
    return np.concatenate([np.ones_like(log), log, log**2, codes, codes**2], axis=1)


def fit_expected(
    errors: Float[np.ndarray, " count"],
    brightness: Float[np.ndarray, " count"],
    codes: Float[np.ndarray, "count latent"],
) -> Expected:
    """Fit the log-error of ordinary images to their brightness and codes, by ridge regression.

    Bright images and rare codes have larger errors without being anomalies; the residual of this regression is free
    of that. The penalty is one hundredth of each feature's variance.

    Args:
        errors: Squared error per pixel.
        brightness: Mean squared pixel.
        codes: Styles.

    Raises:
        InputError: There are fewer than 20 images.
    """
    if len(errors) < MIN_REFERENCE:
        raise InputError(f"There are {len(errors)} reference images; give at least {MIN_REFERENCE}.")
    rows = _features(np.asarray(brightness, np.float64), np.asarray(codes, np.float64))
    target = np.log(np.asarray(errors, np.float64) + TINY)
    penalty = 0.01 * rows.var(axis=0) * len(rows)
    weights = np.asarray(np.linalg.solve(rows.T @ rows + np.diag(penalty + TINY), rows.T @ target), np.float64)
    return Expected(weights, float(np.std(target - rows @ weights)) + TINY)


def excess_error(
    expected: Expected,
    errors: Float[np.ndarray, " count"],
    brightness: Float[np.ndarray, " count"],
    codes: Float[np.ndarray, "count latent"],
) -> NDArray[np.float64]:
    """Return the log-error beyond what is expected, in standard deviations of the reference images, `[count]`."""
    rows = _features(np.asarray(brightness, np.float64), np.asarray(codes, np.float64))
    residual: NDArray[np.float64] = np.log(np.asarray(errors, np.float64) + TINY) - rows @ expected.weights
    return residual / expected.spread


def auroc(scores: Float[np.ndarray, " count"], is_anomaly: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve: the probability that an anomaly has the larger score, ties counted half.

    It is NaN if a score is.

    Raises:
        InputError: There are no anomalies, or nothing else.
    """
    marked = np.asarray(is_anomaly, bool)
    if marked.all() or not marked.any():
        raise InputError("The AUROC needs anomalies and ordinary images; give some of both.")
    if np.isnan(scores).any():
        return float("nan")
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    anomalies, others = int(marked.sum()), int((~marked).sum())
    return float((ranks[places.reshape(-1)][marked].sum() - anomalies * (anomalies + 1) / 2) / (anomalies * others))
