"""Evaluation of trained models: pure functions of weights and data."""

from aae_jax.evaluation.calibration import (
    Reliability,
    calibration_error,
    cross_entropy,
    describe_calibration,
    fit_temperature,
    probabilities,
    reliability,
)
from aae_jax.evaluation.classification import confusion_counts, error_rate, evaluate, exact_share
from aae_jax.evaluation.clustering import ClusterReport, report_clusters
from aae_jax.evaluation.encoding import EncodeFn, build_draw_codes, build_encode, class_probabilities
from aae_jax.evaluation.health import HealthFn, build_health
from aae_jax.evaluation.judge import Judge, JudgeTraining, build_judge, judge_network, train_judge
from aae_jax.evaluation.latent import (
    LabelEntropies,
    Moments,
    discriminator_accuracy,
    label_entropies,
    maximum_mean_discrepancy,
    moments_beside,
)
from aae_jax.evaluation.leakage import Leakage, measure_leakage
from aae_jax.evaluation.likelihood import LikelihoodReport, measure_likelihood
from aae_jax.evaluation.neighbours import nearest_rows
from aae_jax.evaluation.probes import Probes, probe_codes
from aae_jax.evaluation.reconstruction import build_reconstruction_error
from aae_jax.evaluation.sample_quality import (
    PrecisionRecall,
    frechet_distance,
    precision_recall,
    principal_components,
)
from aae_jax.evaluation.samplers import MixtureSampler, fit_mixture
from aae_jax.evaluation.two_sample import sliced_wasserstein, two_sample_accuracy

__all__ = [
    "ClusterReport",
    "EncodeFn",
    "HealthFn",
    "Judge",
    "JudgeTraining",
    "LabelEntropies",
    "Leakage",
    "LikelihoodReport",
    "MixtureSampler",
    "Moments",
    "PrecisionRecall",
    "Probes",
    "Reliability",
    "build_draw_codes",
    "build_encode",
    "build_health",
    "build_judge",
    "build_reconstruction_error",
    "calibration_error",
    "class_probabilities",
    "confusion_counts",
    "cross_entropy",
    "describe_calibration",
    "discriminator_accuracy",
    "error_rate",
    "evaluate",
    "exact_share",
    "fit_mixture",
    "fit_temperature",
    "frechet_distance",
    "judge_network",
    "label_entropies",
    "maximum_mean_discrepancy",
    "measure_leakage",
    "measure_likelihood",
    "moments_beside",
    "nearest_rows",
    "precision_recall",
    "principal_components",
    "probabilities",
    "probe_codes",
    "reliability",
    "report_clusters",
    "sliced_wasserstein",
    "train_judge",
    "two_sample_accuracy",
]
