"""Calibration of a classifier: reliability, expected calibration error, temperature scaling."""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BINS",
    "TEMPERATURES",
    "Reliability",
    "calibration_error",
    "cross_entropy",
    "describe_calibration",
    "fit_temperature",
    "probabilities",
    "reliability",
]

BINS = 15
TEMPERATURES = (0.05, 20.0)
"""Smallest and largest result of `fit_temperature`."""


class Reliability(NamedTuple):
    """Statistics of predictions in bins of equal width of the confidence; NaN for empty bins."""

    edges: Float[np.ndarray, " bins+1"]
    counts: Int[np.ndarray, " bins"]
    confidence: Float[np.ndarray, " bins"]
    """Mean probability of the predicted class."""
    accuracy: Float[np.ndarray, " bins"]
    """Share of correct predictions."""


def probabilities(logits: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return softmax(logits / temperature) in float64, `[count, classes]`."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    normalised: NDArray[np.float64] = scaled / scaled.sum(axis=-1, keepdims=True)
    return normalised


def reliability(logits: ArrayLike, labels: ArrayLike, *, temperature: float = 1.0, bins: int = BINS) -> Reliability:
    """Return the accuracy of predictions by confidence (Guo et al. 2017, figure 1).

    Args:
        logits: Logits, `[count, classes]`; non-finite rows are ignored.
        labels: True classes, `[count]`.
        temperature: Divisor of the logits.
        bins: Number of bins of equal width from 0 to 1; each includes its upper edge.
    """
    finite = np.isfinite(np.asarray(logits)).all(axis=1)
    chances, truth = probabilities(np.asarray(logits)[finite], temperature), np.asarray(labels)[finite]
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    places = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    filled = np.where(counts > 0, counts, np.nan)
    return Reliability(
        edges=np.linspace(0.0, 1.0, bins + 1),
        counts=counts,
        confidence=np.bincount(places, weights=sure, minlength=bins) / filled,
        accuracy=np.bincount(places, weights=right, minlength=bins) / filled,
    )


def calibration_error(bins: Reliability) -> float:
    """Return the expected calibration error: Σ over bins of their share · |accuracy − confidence|.

    Naeini et al. 2015; Guo et al. 2017, equation (3), with 15 bins. NaN without predictions.
    """
    gaps = np.abs(bins.accuracy - bins.confidence)
    return float(np.nansum(bins.counts * gaps) / bins.counts.sum()) if bins.counts.any() else math.nan


def cross_entropy(logits: ArrayLike, labels: ArrayLike, temperature: float = 1.0) -> float:
    """Return the mean cross-entropy of softmax(logits / temperature) with integer labels, in nats."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    picked = np.take_along_axis(scaled, np.asarray(labels)[:, None], axis=1)[:, 0]
    return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - picked))


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Fit the temperature that minimises the cross-entropy (Guo et al. 2017, §4.2).

    The temperature changes no prediction, only its confidence; it is above 1 for an overconfident classifier. It is
    fitted on held-out images and restricted to `TEMPERATURES`. If every prediction is correct it is 1: the minimum
    would be at 0, but no error among these images does not imply none among others.

    Args:
        logits: Finite logits, `[count, classes]`.
        labels: True classes, `[count]`.
    """
    from scipy.optimize import minimize_scalar  # importing SciPy takes a third of a second

    if bool((np.argmax(logits, axis=1) == np.asarray(labels)).all()):
        return 1.0
    least, largest = np.log(TEMPERATURES)
    optimum = minimize_scalar(
        lambda log: cross_entropy(logits, labels, float(np.exp(log))),
        bounds=(least, largest),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(optimum.x))


def describe_calibration(logits: ArrayLike, labels: ArrayLike, temperature: float | None) -> dict[str, Any]:
    """Return the report on calibration, consisting of numbers and lists only.

    `expected_calibration_error`, `cross_entropy` and `bins` of the uncalibrated probabilities; the given
    `temperature`; and `calibrated`, the same three at that temperature, or None.
    """

    def at(temperature: float) -> dict[str, Any]:
        bins = reliability(logits, labels, temperature=temperature)
        return {
            "expected_calibration_error": calibration_error(bins),
            "cross_entropy": cross_entropy(logits, labels, temperature),
            "bins": [
                {"images": int(count), "confidence": float(sure), "accuracy": float(right)}
                for count, sure, right in zip(bins.counts, bins.confidence, bins.accuracy, strict=True)
                if count
            ],
        }

    calibrated = None if temperature is None else at(temperature)
    return {**at(1.0), "temperature": temperature, "calibrated": calibrated}
