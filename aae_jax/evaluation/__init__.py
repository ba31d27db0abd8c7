"""Measures of trained models: pure functions of weights and data."""

from aae_jax.evaluation.calibration import (
    Reliability,
    calibration_error,
    cross_entropy,
    describe_calibration,
    fit_temperature,
    probabilities,
    reliability,
)
from aae_jax.evaluation.classification import (
    EncodeFn,
    build_encode,
    confusion_counts,
    error_rate,
    evaluate,
    exact_share,
)

__all__ = [
    "EncodeFn",
    "Reliability",
    "build_encode",
    "calibration_error",
    "confusion_counts",
    "cross_entropy",
    "describe_calibration",
    "error_rate",
    "evaluate",
    "exact_share",
    "fit_temperature",
    "probabilities",
    "reliability",
]
