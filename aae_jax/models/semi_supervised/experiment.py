"""Semi-supervised classification with few labels (Makhzani et al. 2016, §5, figure 8), end to end."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.config import PriorConfig
from aae_jax.data import Dataset
from aae_jax.evaluation import build_encode, error_rate, exact_share
from aae_jax.figures.of_models.drawing import Drawings, Shown, draw_and_save
from aae_jax.models.semi_supervised import phases as model
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig, validate
from aae_jax.models.semi_supervised.presets import PRESETS
from aae_jax.models.shared.class_frequencies import (
    balanced_error,
    build_class_measures,
    describe_classes,
    say_classes,
)
from aae_jax.models.shared.graph_labels import propagated_labels
from aae_jax.models.spec import MeasureFn, ModelSpec, SavedCodes
from aae_jax.networks import Networks, build_mlp_networks
from aae_jax.run.console import Console, percent
from aae_jax.run.measures import draw_views, health_of
from aae_jax.run.run_dir import RunFolder
from aae_jax.run.setup import Problem, Task, images_of, task_of
from aae_jax.run.summary import (
    best_epochs,
    calibrate,
    errors_on_test_images,
    last_measures,
    over_seeds,
    per_seed,
    seed_errors,
    seed_logits,
    summarise,
)
from aae_jax.run.trainer import Outcome
from aae_jax.run.watch import save_models
from aae_jax.saved.model import Model
from aae_jax.train.fit import compile_epoch, fit
from aae_jax.train.hyper import Hyper
from aae_jax.train.phases import Phase
from aae_jax.train.state import evaluation_variables
from aae_jax.types import Array, Metrics, Params, Pixels, PRNGKey, Stats

__all__ = ["SPEC", "baseline_task"]


def baseline_task(problem: Problem) -> Task:
    """Return the supervised baseline's training: the same encoder, its labelled images alone."""
    phases = model.build_baseline_phases(problem.networks, problem.config)
    epochs = max(1, round(problem.epochs * problem.config.baseline_share))
    return task_of(problem, phases, problem.keys.baseline, epochs)


def _build_networks(config: SemiSupervisedConfig, dataset: Dataset) -> Networks:
    return build_mlp_networks(config.network, dataset.image_shape, dataset.num_classes)


def _build_phases(networks: Networks, config: SemiSupervisedConfig, dataset: Dataset) -> dict[str, Phase]:
    return model.build_phases(networks, config, num_classes=dataset.num_classes)


def _build_measure(problem: Problem) -> MeasureFn:
    encode = build_encode(problem.networks, problem.config.network.output)
    draw_codes, health = draw_views(problem), health_of(problem, PriorConfig(std=1.0))
    of_classes = build_class_measures(problem.dataset.num_classes, problem.validation_labels)

    def measure(params: Params, stats: Stats, images: Pixels, labels: Array, key: PRNGKey, hyper: Hyper) -> Metrics:
        key_codes, key_prior = jax.random.split(key)
        outputs = encode(params, stats, images)
        codes = draw_codes(params, stats, images, key_codes, hyper)
        measured = health(params, codes, outputs.logits, key_prior, jnp.asarray(hyper.prior_std))
        return {"error": error_rate(outputs.logits, labels), **of_classes(outputs.logits, labels), **measured}

    return measure


def _saved_codes(config: SemiSupervisedConfig, dataset: Dataset) -> SavedCodes:
    prior, classes = PriorConfig(std=config.weights.prior_std), dataset.num_classes
    return SavedCodes(prior, classes, classes, dataset.class_names)


def _draw(rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey) -> Drawings:
    from aae_jax.figures.of_models.common import draw_figures  # matplotlib takes a second, and is wanted at the end

    return draw_figures(rows, model, shown, key)


def _report(problem: Problem, outcome: Outcome, folder: RunFolder, console: Console) -> None:
    rows = folder.read_rows()
    console.say("supervised baseline: the same encoder, the labelled images alone …")
    baseline = _train_baseline(problem, outcome)
    best, survivors = outcome.best, [seed not in outcome.failed for seed in problem.seeds]
    last = evaluation_variables(outcome.state)
    measured = last_measures(rows, survivors)
    calibration = calibrate(problem, *last, survivors)
    for name in ("balanced_error", "majority_error"):
        measured.pop(name, None)
    results = {
        "test_error": over_seeds(errors_on_test_images(problem, *last), survivors),
        "validation_error": measured.pop("error"),
        "best_by_validation": {
            "epoch": best_epochs(outcome, survivors),
            "validation_error": over_seeds(exact_share(best.error, len(problem.validation_labels)), survivors),
            "test_error": over_seeds(errors_on_test_images(problem, best.params, best.stats), survivors),
        },
        "baseline": baseline,
        "calibration": calibration,
        "classes": _describe_classes(problem, *last, survivors),
        "health": measured,
    }
    summary = summarise(problem, outcome, folder.read_origin(), results)
    models = save_models(problem, outcome, folder, calibration["temperature"])
    notices: list[str] = []
    _save_figures(problem, rows, summary, models, folder, notices.append)
    folder.write_summary(summary)
    for notice in notices:
        console.notice(notice)
    _say_results(console, summary, folder)


def _describe_classes(problem: Problem, params: Params, stats: Stats, survivors: Sequence[bool]) -> dict[str, Any]:
    """Return class frequencies, the error of always answering the most frequent class, and each seed's by class."""
    found = describe_classes(
        problem.dataset, problem.validation_labels, problem.frequencies, tested=problem.config.test
    )
    return {**found, "balanced_error": _balanced_errors(problem, params, stats, survivors)}


def _balanced_errors(problem: Problem, params: Params, stats: Stats, survivors: Sequence[bool]) -> dict[str, Any]:
    """Return each seed's error averaged over the classes, of validation and, where allowed, test images."""
    dataset, tested = problem.dataset, problem.config.test
    images: dict[str, tuple[Any, Any]] = {"validation": (problem.validation_images, problem.validation_labels)}
    if tested:
        images["test"] = dataset.test_images, dataset.test_labels
    balanced = {}
    for kind, (pictures, labels) in images.items():
        predicted = np.argmax(np.asarray(seed_logits(problem, params, stats, pictures)), axis=2)
        errors = [balanced_error(own, labels, dataset.num_classes) for own in predicted]
        balanced[kind] = over_seeds(errors, survivors)
    return balanced


def _train_baseline(problem: Problem, outcome: Outcome) -> dict[str, Any]:
    task = baseline_task(problem)
    state = task.build_state()
    epoch, _ = compile_epoch(task.train_epoch, state, problem.data, task.hyper, task.keys)
    state, _ = fit(state, problem.data, train_epoch=epoch, hyper=task.hyper, key=task.keys, epochs=task.epochs)
    variables = evaluation_variables(state)
    survivors = [seed not in outcome.failed for seed in problem.seeds]
    test = errors_on_test_images(problem, *variables)
    validation = seed_errors(problem, *variables, problem.validation_images, problem.validation_labels)
    return {
        "updates": task.epochs * problem.steps_per_epoch,
        "test_error": over_seeds(test, survivors),
        "validation_error": over_seeds(validation, survivors),
        "balanced_error": _balanced_errors(problem, *variables, survivors),
    }


def _save_figures(
    problem: Problem,
    rows: list[dict[str, Any]],
    summary: dict[str, Any],
    models: list[Model],
    folder: RunFolder,
    notice: Callable[[str], None],
) -> None:
    def prepare() -> Drawings:
        from aae_jax.figures.of_models.common import (
            draw_figures,  # matplotlib takes a second, and is wanted at the end
        )

        return draw_figures(
            rows,
            models[0],
            images_of(problem, test=problem.config.test),
            problem.keys.samples[0],
            baseline_error=summary["baseline"]["validation_error"]["mean"],
            test_errors=[error for error in summary["test_error"]["per_seed"] if error is not None],
        )

    draw_and_save(prepare, folder.figures, notice)


def _say_results(console: Console, summary: dict[str, Any], folder: RunFolder) -> None:
    def of(result: dict[str, Any]) -> str:
        return percent(per_seed(result))

    splits, data = summary["splits"], summary["data"]["name"]
    validation, baseline = of(summary["validation_error"]), summary["baseline"]
    how = f"{splits['labelled']} labels, {summary['updates']} updates, last weights"
    if summary["tested"]:
        console.say(f"test error {of(summary['test_error'])} on {splits['test']} {data} test images ({how})")
        best = of(summary["best_by_validation"]["test_error"])
        console.say(f"  validation {validation}; best by validation: {best} on test")
        console.say(f"  supervised baseline {of(baseline['test_error'])}")
    else:
        console.say(f"validation error {validation} on {splits['validation']} {data} images ({how})")
        console.say(f"  supervised baseline {of(baseline['validation_error'])}; the test images were not looked at")
    kind = "test" if summary["tested"] else "validation"
    for line in say_classes(summary["classes"], kind, of(summary["classes"]["balanced_error"][kind])):
        console.say(line)
    sure = summary["calibration"]
    before, after = of(sure["expected_error"]), of(sure["calibrated_error"])
    where = "" if summary["tested"] else " (validation images, on which it was fitted)"
    console.say(f"  expected calibration error {before}, with temperature {after}{where}")
    console.say(f"  {summary['train_seconds']:.0f} s of training; everything is in {folder.path}")


SPEC = ModelSpec(
    name="semi_supervised",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate,
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
    report=_report,
    find_targets=propagated_labels,
)
