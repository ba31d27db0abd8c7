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
from aae_jax.evaluation.clustering import ClusterReport, report_clusters
from aae_jax.evaluation.latent import (
    LabelEntropies,
    Moments,
    discriminator_accuracy,
    label_entropies,
    maximum_mean_discrepancy,
    moments_beside,
)
from aae_jax.evaluation.likelihood import LikelihoodReport, measure_likelihood

__all__ = [
    "ClusterReport",
    "EncodeFn",
    "LabelEntropies",
    "LikelihoodReport",
    "Moments",
    "Reliability",
    "build_encode",
    "calibration_error",
    "confusion_counts",
    "cross_entropy",
    "describe_calibration",
    "discriminator_accuracy",
    "error_rate",
    "evaluate",
    "exact_share",
    "fit_temperature",
    "label_entropies",
    "maximum_mean_discrepancy",
    "measure_likelihood",
    "moments_beside",
    "probabilities",
    "reliability",
    "report_clusters",
]
