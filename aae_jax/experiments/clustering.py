"""Clusters without labels (Makhzani et al. 2016, §6, figure 9), end to end."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aae_jax.bundle import Model
from aae_jax.config import ClusteringConfig, validate_clustering
from aae_jax.data import Dataset, Reporter
from aae_jax.experiments import measured
from aae_jax.experiments.clusters import measure_clusters, say_clusters, within_majority
from aae_jax.experiments.console import percent
from aae_jax.experiments.drawing import Drawings
from aae_jax.experiments.experiment import Experiment, MeasureFn, SavedCodes
from aae_jax.experiments.launch import launch
from aae_jax.experiments.problem import Problem, Shown
from aae_jax.experiments.propagated import pool_neighbours, propagated_labels
from aae_jax.experiments.user_prior import own_sampler
from aae_jax.models import clustering as model
from aae_jax.networks import EncoderOutput, Networks
from aae_jax.phases import Phase
from aae_jax.presets import CLUSTERING_PRESETS
from aae_jax.types import Array, Metrics, Params, PRNGKey

__all__ = ["EXPERIMENT", "main"]

SCORE = "cluster_error"
"""By majority vote among the images themselves; clusters are named and judged apart in the report."""


def main(argv: Sequence[str] | None = None, *, launcher: str | None = None) -> int:
    """Run the command `clustering` and return its exit status (see `launch`)."""
    return launch(EXPERIMENT, argv, launcher=launcher)


def _build_networks(config: ClusteringConfig, dataset: Dataset) -> Networks:
    return model.build_clustering_networks(config, dataset.image_shape)


def _build_phases(networks: Networks, config: ClusteringConfig, dataset: Dataset) -> dict[str, Phase]:
    return model.build_phases(networks, config, prior=own_sampler(config.prior, config.network.latent_dim))


def _build_measure(problem: Problem) -> MeasureFn:
    def own(params: Params, outputs: EncoderOutput, codes: Array, labels: Array, key: PRNGKey) -> Metrics:
        if not problem.dataset.num_classes:
            return {}
        return {SCORE: within_majority(outputs.logits, labels, problem.dataset.num_classes)}

    return measured.build_code_measure(problem, problem.config.prior, own=own)


def _find_neighbours(config: ClusteringConfig, pool: np.ndarray, reporter: Reporter) -> np.ndarray | None:
    if not config.neighbours:
        return None
    return pool_neighbours(pool, config.neighbours, config.views.max_shift or 0, reporter)


def _saved_codes(config: ClusteringConfig, dataset: Dataset) -> SavedCodes:
    clusters = config.num_clusters
    return SavedCodes(config.prior, clusters, clusters, mode_decoder=config.weights.mode > 0, clusters=True)


def _draw(rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey) -> Drawings:
    from aae_jax.experiments.cluster_pictures import draw_cluster_figures  # matplotlib takes a second

    return draw_cluster_figures(rows, model, shown, key)


EXPERIMENT = Experiment(
    name="clustering",
    description=__doc__ or "",
    presets=CLUSTERING_PRESETS,
    validate=validate_clustering,
    build_networks=_build_networks,
    build_phases=_build_phases,
    build_hyper=model.build_hyper,
    build_schedule=model.build_schedule,
    build_measure=_build_measure,
    score=SCORE,
    shares=(SCORE,),
    show_score=lambda errors: f"cluster error {percent(errors)}",
    saved_codes=_saved_codes,
    draw=_draw,
    find_targets=propagated_labels,
    find_neighbours=_find_neighbours,
    report=functools.partial(measured.report, further=measure_clusters, say=say_clusters),
    without_classes=measured.WITHOUT_CLASSES,
)
