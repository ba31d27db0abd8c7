"""Images around the heads of their classes, in few dimensions (Makhzani et al. 2016, §7, figures 10 and 11)."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from aae_jax.data import Dataset
from aae_jax.evaluation import error_rate
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.models.dim_reduction import phases as model
from aae_jax.models.dim_reduction.config import DimReductionConfig, validate_dim_reduction
from aae_jax.models.dim_reduction.presets import PRESETS
from aae_jax.models.shared.class_frequencies import build_class_measures, describe_classes, say_classes
from aae_jax.models.shared.clusters import measure_clusters, say_clusters, within_majority
from aae_jax.models.shared.graph_labels import propagated_labels
from aae_jax.models.spec import MeasureFn, ModelSpec, SavedCodes
from aae_jax.networks import EncoderOutput, Networks
from aae_jax.priors.custom import own_sampler
from aae_jax.run import report as measured
from aae_jax.run.console import percent
from aae_jax.run.setup import Problem
from aae_jax.run.summary import per_seed
from aae_jax.saved.model import Model
from aae_jax.train.phases import Phase
from aae_jax.types import Array, Metrics, Params, PRNGKey

__all__ = ["SPEC"]


def _build_networks(config: DimReductionConfig, dataset: Dataset) -> Networks:
    return model.build_dim_reduction_networks(config, dataset.image_shape, dataset.num_classes)


def _build_phases(networks: Networks, config: DimReductionConfig, dataset: Dataset) -> dict[str, Phase]:
    prior = own_sampler(config.prior, config.network.latent_dim)
    return model.build_phases(networks, config, num_classes=dataset.num_classes, prior=prior)


def _build_measure(problem: Problem) -> MeasureFn:
    of_classes = build_class_measures(problem.dataset.num_classes, problem.validation_labels)

    def own(params: Params, outputs: EncoderOutput, codes: Array, labels: Array, key: PRNGKey) -> Metrics:
        if not problem.dataset.num_classes:
            return {}
        if problem.config.num_clusters is None:
            return {"error": error_rate(outputs.logits, labels), **of_classes(outputs.logits, labels)}
        return {"error": within_majority(outputs.logits, labels, problem.dataset.num_classes)}

    return measured.build_code_measure(problem, problem.config.prior, own=own)


def _saved_codes(config: DimReductionConfig, dataset: Dataset) -> SavedCodes:
    classes = config.num_clusters or dataset.num_classes
    untaught = config.num_clusters is not None
    names = () if untaught else dataset.class_names
    return SavedCodes(config.prior, classes, classes, names, heads=True, clusters=untaught)


def _draw(rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey) -> Drawings:
    from aae_jax.figures.of_models.clusters import draw_head_figures  # matplotlib takes a second

    return draw_head_figures(rows, model, shown, key)


def _further(problem: Problem, models: Sequence[Model]) -> dict[str, Any]:
    if problem.config.num_clusters is not None:
        return measure_clusters(problem, models)
    dataset, tested = problem.dataset, problem.config.test
    return {"classes": describe_classes(dataset, problem.validation_labels, problem.frequencies, tested=tested)}


def _say(summary: Mapping[str, Any]) -> list[str]:
    if "clusters" in summary:
        return say_clusters(summary)
    kind = "test" if summary["tested"] else "validation"
    line = f"{kind} error {percent(per_seed(summary[kind]['error']))} ({summary['splits']['labelled']} labels)"
    balanced = summary[kind].get("balanced_error")
    of_classes = [] if balanced is None else say_classes(summary["classes"], kind, percent(per_seed(balanced)))
    return [line, *of_classes]


SPEC = ModelSpec(
    name="dim_reduction",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate_dim_reduction,
    build_networks=_build_networks,
    build_phases=_build_phases,
    build_hyper=model.build_hyper,
    build_schedule=model.build_schedule,
    build_measure=_build_measure,
    score="error",
    shares=("error", "majority_error"),
    show_score=lambda errors: f"validation error {percent(errors)}",
    saved_codes=_saved_codes,
    draw=_draw,
    report=functools.partial(measured.report, further=_further, say=_say),
    find_targets=propagated_labels,
    without_classes=measured.WITHOUT_CLASSES,
)
