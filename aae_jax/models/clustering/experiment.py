"""Clustering without labels (Makhzani et al. 2016, §6, figure 9), end to end."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aae_jax.data import Reporter
from aae_jax.evaluation.seeds import percent
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.models.clustering import phases
from aae_jax.models.clustering.config import ClusteringConfig, validate_clustering
from aae_jax.models.clustering.presets import PRESETS
from aae_jax.models.shared.clusters import measure_clusters, say_clusters, within_majority
from aae_jax.models.shared.graph_labels import pool_neighbours, propagated_labels
from aae_jax.models.shared.measures import build_code_measure
from aae_jax.models.shared.without_classes import WITHOUT_CLASSES
from aae_jax.models.spec import DataShape, MeasureFn, ModelSpec, RunSetup, SavedCodes
from aae_jax.networks import EncoderOutput
from aae_jax.saved.model import Model
from aae_jax.types import Array, Metrics, Params, PRNGKey

__all__ = ["SPEC"]

SCORE = "cluster_error"
"""By majority vote among the evaluated images; the report names and evaluates clusters on separate images."""


def _build_measure(setup: RunSetup) -> MeasureFn:
    def own(params: Params, outputs: EncoderOutput, codes: Array, labels: Array, key: PRNGKey) -> Metrics:
        if not setup.dataset.num_classes:
            return {}
        return {SCORE: within_majority(outputs.logits, labels, setup.dataset.num_classes)}

    return build_code_measure(setup, setup.prior, own=own)


def _find_neighbours(config: ClusteringConfig, pool: np.ndarray, reporter: Reporter) -> np.ndarray | None:
    if not config.neighbours:
        return None
    return pool_neighbours(pool, config.neighbours, config.views.max_shift or 0, reporter)


def _saved_codes(config: ClusteringConfig, shape: DataShape) -> SavedCodes:
    clusters = config.num_clusters
    return SavedCodes(config.prior, clusters, clusters, mode_decoder=config.weights.mode > 0, clusters=True)


def _draw(
    rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey, summary: Mapping[str, Any] | None
) -> Drawings:
    from aae_jax.figures.of_models.clusters import draw_cluster_figures  # importing matplotlib takes 1 s

    return draw_cluster_figures(rows, model, shown, key)


SPEC = ModelSpec(
    name="clustering",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate_clustering,
    build_codes=phases.build_codes,
    build_phases=phases.build_phases,
    build_measure=_build_measure,
    score=SCORE,
    shares=(SCORE,),
    show_score=lambda errors: f"cluster error {percent(errors)}",
    saved_codes=_saved_codes,
    draw=_draw,
    find_targets=propagated_labels,
    find_neighbours=_find_neighbours,
    results=lambda setup, trained, say: measure_clusters(setup, trained),
    lines=say_clusters,
    without_classes=WITHOUT_CLASSES,
)
