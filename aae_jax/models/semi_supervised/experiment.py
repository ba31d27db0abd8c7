"""Semi-supervised classification with few labels (Makhzani et al. 2016, §5, figure 8), end to end."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.evaluation import build_encode, build_reconstruction_error, error_rate
from aae_jax.evaluation.seeds import over_seeds, per_seed, percent
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.models.semi_supervised import phases
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig, validate
from aae_jax.models.semi_supervised.presets import PRESETS
from aae_jax.models.shared.class_frequencies import (
    balanced_error,
    build_class_measures,
    describe_classes,
    reference_labels,
    say_classes,
)
from aae_jax.models.shared.graph_labels import propagated_labels
from aae_jax.models.shared.measures import SCORE, draw_views, health_of
from aae_jax.models.shared.plan import TrainingPlan, plan_training
from aae_jax.models.shared.results import calibrate, seed_errors, seed_logits
from aae_jax.models.shared.without_classes import without_validation_labels
from aae_jax.models.spec import DataShape, MeasureFn, ModelSpec, RunSetup, SavedCodes, Trained
from aae_jax.saved.model import Model
from aae_jax.train.fit import compile_epoch, fit
from aae_jax.train.hyper import Numbers
from aae_jax.train.state import evaluation_variables
from aae_jax.types import Array, Metrics, Params, Pixels, PRNGKey, Stats

__all__ = ["SPEC", "baseline_plan"]

UNLABELLED = "no validation image has a label: no validation error, and probabilities are not calibrated"


def baseline_plan(setup: RunSetup) -> TrainingPlan:
    """Return the training plan of the supervised baseline: the same encoder, on the labelled images only."""
    baseline = phases.build_baseline_phases(setup.networks, setup.config)
    epochs = max(1, round(setup.epochs * setup.config.baseline_share))
    return plan_training(setup, baseline, setup.keys.baseline, epochs)


def _build_measure(setup: RunSetup) -> MeasureFn:
    encode = build_encode(setup.networks, setup.config.network.output)
    assert setup.prior is not None, "the configuration has one"
    draw_codes, health = draw_views(setup), health_of(setup, setup.prior)
    reference = reference_labels(setup.config, setup.dataset, setup.validation_labels)
    of_classes = build_class_measures(setup.dataset.num_classes, reference)
    by_error = setup.spec.score == SPEC.score
    rebuild = None if by_error else build_reconstruction_error(setup.networks, setup.config.network.output)

    def measure(params: Params, stats: Stats, images: Pixels, labels: Array, key: PRNGKey, hyper: Numbers) -> Metrics:
        key_codes, key_prior = jax.random.split(key)
        outputs = encode(params, stats, images)
        codes = draw_codes(params, stats, images, key_codes, hyper)
        measured = health(params, codes, outputs.logits, key_prior, jnp.asarray(hyper.prior.std))
        if rebuild is not None:
            measured = {SCORE: rebuild(params, stats, images, outputs), **measured}
        return {"error": error_rate(outputs.logits, labels), **of_classes(outputs.logits, labels), **measured}

    return measure


def _saved_codes(config: SemiSupervisedConfig, shape: DataShape) -> SavedCodes:
    return SavedCodes(config.prior, shape.num_classes, shape.num_classes, shape.class_names)


def _draw(
    rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey, summary: Mapping[str, Any] | None
) -> Drawings:
    from aae_jax.figures.of_models.classifier import draw_classifier_figures  # importing matplotlib takes 1 s

    if summary is None:
        return draw_classifier_figures(rows, model, shown, key)
    tested = [] if summary["test"] is None else summary["test"]["error"]["per_seed"]
    return draw_classifier_figures(
        rows,
        model,
        shown,
        key,
        baseline_error=summary["baseline"]["validation"]["error"]["mean"],
        test_errors=[error for error in tested if error is not None],
    )


def _results(setup: RunSetup, trained: Trained, say: Callable[[str], None]) -> dict[str, Any]:
    trains_baseline = setup.config.baseline_share > 0 and (setup.config.test or setup.validates_labels)
    if trains_baseline:
        say("supervised baseline: the same encoder, the labelled images alone …")
    last, survivors = (trained.params, trained.stats), trained.survivors
    reference = reference_labels(setup.config, setup.dataset, setup.validation_labels)
    classes = describe_classes(
        setup.dataset, setup.validation_labels, reference, setup.frequencies, tested=setup.config.test
    )
    balanced = {kind: found["balanced_error"] for kind, found in _errors(setup, *last, survivors).items() if found}
    return {
        "baseline": _train_baseline(setup, survivors) if trains_baseline else _no_baseline(setup),
        "calibration": calibrate(setup, *last, survivors),
        "classes": {**classes, "balanced_error": balanced},
    }


def _train_baseline(setup: RunSetup, survivors: Sequence[bool]) -> dict[str, Any]:
    plan = baseline_plan(setup)
    state = plan.build_state()
    epoch, _ = compile_epoch(plan.train_epoch, state, setup.data, plan.hyper, plan.keys)
    state, _ = fit(state, setup.data, train_epoch=epoch, hyper=plan.hyper, key=plan.keys, epochs=plan.epochs)
    errors = _errors(setup, *evaluation_variables(state), survivors)
    return {"updates": plan.epochs * setup.steps_per_epoch, **errors}


def _no_baseline(setup: RunSetup) -> dict[str, Any]:
    """Return the entry of a run that leaves the baseline out, or could not measure its error."""
    nothing = over_seeds(np.full(len(setup.seeds), np.nan), [True] * len(setup.seeds))
    errors = {"error": nothing, "balanced_error": nothing}
    return {"updates": 0, "validation": errors, "test": errors if setup.config.test else None}


def _errors(setup: RunSetup, params: Params, stats: Stats, survivors: Sequence[bool]) -> dict[str, Any]:
    """Return each seed's error and class-balanced error on the validation images and, if allowed, the test images."""
    dataset = setup.dataset
    kinds: dict[str, tuple[Any, Any]] = {"validation": (setup.validation_images, setup.validation_labels)}
    if setup.config.test:
        kinds["test"] = dataset.test_images, dataset.test_labels
    found: dict[str, Any] = {"test": None}
    for kind, (images, labels) in kinds.items():
        predicted = np.argmax(np.asarray(seed_logits(setup, params, stats, images)), axis=2)
        balanced = [balanced_error(own, labels, dataset.num_classes) for own in predicted]
        found[kind] = {
            "error": over_seeds(seed_errors(setup, params, stats, images, labels), survivors),
            "balanced_error": over_seeds(balanced, survivors),
        }
    return found


def _lines(summary: Mapping[str, Any]) -> list[str]:
    def of(result: Mapping[str, Any]) -> str:
        return percent(per_seed(result))

    kind = "test" if summary["tested"] else "validation"
    splits, data, baseline = summary["splits"], summary["data"]["name"], summary["baseline"]
    how = f"{splits['labelled']} labels, {summary['updates']} updates, last weights"
    unlabelled = "error" not in summary["validation"]
    if unlabelled and not summary["tested"]:
        return [UNLABELLED]
    lines = [f"{kind} error {of(summary[kind]['error'])} on {splits[kind]} {data} {kind} images ({how})"]
    if unlabelled:
        lines.append(f"  {UNLABELLED}")
    elif summary["tested"]:
        best = of(summary["best_by_validation"]["test"]["error"])
        lines.append(f"  validation {of(summary['validation']['error'])}; best by validation: {best} on test")
    if baseline["updates"]:
        lines.append(f"  supervised baseline {of(baseline[kind]['error'])}")
    lines += say_classes(summary["classes"], kind, of(summary["classes"]["balanced_error"][kind]))
    calibration = summary["calibration"]
    before, after = of(calibration["expected_error"]), of(calibration["calibrated_error"])
    where = "" if summary["tested"] else " (validation images, on which it was fitted)"
    fitted = "" if unlabelled else f", with temperature {after}{where}"
    return [*lines, f"  expected calibration error {before}{fitted}"]


SPEC = ModelSpec(
    name="semi_supervised",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate,
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
    without_validation_labels=without_validation_labels("error", "balanced_error", "majority_error"),
)
