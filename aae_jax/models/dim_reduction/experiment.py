"""Dimensionality reduction: codes around the heads of their classes (Makhzani et al. 2016, §7, figures 10 and 11)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aae_jax.evaluation import error_rate
from aae_jax.evaluation.seeds import per_seed, percent
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.models.dim_reduction import phases
from aae_jax.models.dim_reduction.config import DimReductionConfig, validate_dim_reduction
from aae_jax.models.dim_reduction.presets import PRESETS
from aae_jax.models.shared.class_frequencies import (
    build_class_measures,
    describe_classes,
    reference_labels,
    say_classes,
)
from aae_jax.models.shared.clusters import measure_clusters, say_clusters, within_majority
from aae_jax.models.shared.graph_labels import propagated_labels
from aae_jax.models.shared.measures import build_code_measure
from aae_jax.models.shared.without_classes import WITHOUT_CLASSES, without_validation_labels
from aae_jax.models.spec import DataShape, MeasureFn, ModelSpec, RunSetup, SavedCodes, Trained
from aae_jax.networks import EncoderOutput
from aae_jax.saved.model import Model
from aae_jax.types import Array, Metrics, Params, PRNGKey

__all__ = ["SPEC"]


def _build_measure(setup: RunSetup) -> MeasureFn:
    reference = reference_labels(setup.config, setup.dataset, setup.validation_labels)
    of_classes = build_class_measures(setup.dataset.num_classes, reference)

    def own(params: Params, outputs: EncoderOutput, codes: Array, labels: Array, key: PRNGKey) -> Metrics:
        if not setup.dataset.num_classes:
            return {}
        if setup.config.num_clusters is None:
            return {"error": error_rate(outputs.logits, labels), **of_classes(outputs.logits, labels)}
        return {"error": within_majority(outputs.logits, labels, setup.dataset.num_classes)}

    return build_code_measure(setup, setup.prior, own=own)


def _saved_codes(config: DimReductionConfig, shape: DataShape) -> SavedCodes:
    classes = config.num_clusters or shape.num_classes
    untaught = config.num_clusters is not None
    names = () if untaught else shape.class_names
    return SavedCodes(config.prior, classes, classes, names, heads=True, clusters=untaught)


def _draw(
    rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey, summary: Mapping[str, Any] | None
) -> Drawings:
    from aae_jax.figures.of_models.clusters import draw_head_figures  # importing matplotlib takes 1 s

    return draw_head_figures(rows, model, shown, key)


def _results(setup: RunSetup, trained: Trained, say: Callable[[str], None]) -> dict[str, Any]:
    if setup.config.num_clusters is not None:
        return measure_clusters(setup, trained)
    dataset, tested = setup.dataset, setup.config.test
    reference = reference_labels(setup.config, dataset, setup.validation_labels)
    described = describe_classes(dataset, setup.validation_labels, reference, setup.frequencies, tested=tested)
    return {"classes": described}


def _lines(summary: Mapping[str, Any]) -> list[str]:
    if "clusters" in summary:
        return say_clusters(summary)
    kind = "test" if summary["tested"] else "validation"
    if "error" not in summary[kind]:
        return ["no validation image has a label: no validation error"]
    line = f"{kind} error {percent(per_seed(summary[kind]['error']))} ({summary['splits']['labelled']} labels)"
    balanced = summary[kind].get("balanced_error")
    of_classes = [] if balanced is None else say_classes(summary["classes"], kind, percent(per_seed(balanced)))
    return [line, *of_classes]


SPEC = ModelSpec(
    name="dim_reduction",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate_dim_reduction,
    build_codes=phases.build_codes,
    build_phases=phases.build_phases,
    build_measure=_build_measure,
    score="error",
    shares=("error", "majority_error"),
    show_score=lambda errors: f"validation error {percent(errors)}",
    saved_codes=_saved_codes,
    draw=_draw,
    results=_results,
    lines=_lines,
    find_targets=propagated_labels,
    without_classes=WITHOUT_CLASSES,
    without_validation_labels=without_validation_labels("error", "balanced_error", "majority_error"),
)
