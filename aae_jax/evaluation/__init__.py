"""Measures of trained models: pure functions of weights and data."""

from aae_jax.evaluation.classification import (
    EncodeFn,
    build_encode,
    confusion_counts,
    error_rate,
    evaluate,
    exact_share,
)

__all__ = ["EncodeFn", "build_encode", "confusion_counts", "error_rate", "evaluate", "exact_share"]
