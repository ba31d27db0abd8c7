"""Report of a finished run: measures on the test images, saved models, figures, summary, closing lines."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from aae_jax.evaluation import exact_share
from aae_jax.evaluation.seeds import over_seeds, per_seed, spoken
from aae_jax.figures.of_models.drawing import Drawings, draw_and_save
from aae_jax.models.shared.generation import measure_generation, say_generation
from aae_jax.models.spec import RunSetup, Trained
from aae_jax.run.console import Console
from aae_jax.run.measures import SeedMeasure, build_seed_measure, flat
from aae_jax.run.memory import RunRecord
from aae_jax.run.run_dir import RunFolder, to_json
from aae_jax.run.setup import images_of
from aae_jax.run.summary import best_epochs, last_measures, summarise
from aae_jax.run.trainer import Outcome
from aae_jax.run.watch import model_of, save_models, write_cards
from aae_jax.saved.model import Model
from aae_jax.train.state import evaluation_variables, used_networks
from aae_jax.types import Params, Stats

__all__ = ["Reported", "best_models", "report"]


class Reported(NamedTuple):
    """Models of the seeds whose losses stayed finite, with last and with best weights, and the summary as in JSON."""

    models: tuple[Model, ...]
    best_models: tuple[Model, ...]
    summary: dict[str, Any]


def report(setup: RunSetup, outcome: Outcome, folder: RunRecord, console: Console) -> Reported:
    """Evaluate the last weights on the test images, if `config.test` is set; write models, figures and summary.

    Args:
        setup: Setup of the run.
        outcome: Result of its training.
        folder: Run folder; of a record in memory, nothing is written or drawn.
        console: Console for the closing lines.
    """
    spec, rows = setup.spec, folder.read_rows()
    trained = _trained(setup, outcome)
    results = {
        **_measures(setup, outcome, trained, rows),
        **spec.results(setup, trained, console.say),
    }
    models = _with_temperatures(trained, results)
    if isinstance(folder, RunFolder):
        save_models(models, folder)
    notices: list[str] = []
    results |= measure_generation(setup, trained, console.say, notices.append)
    summary = summarise(setup, outcome, folder.read_origin(), results)
    if isinstance(folder, RunFolder):
        _save_figures(setup, rows, models[0], summary, folder, notices.append)
        folder.write_summary(summary)
        write_cards(models, folder, to_json(summary))
    for notice in notices:
        console.notice(notice)
    for line in (*spec.lines(summary), *_lines(summary)):
        console.say(line)
    where = f", results in {folder.path}" if isinstance(folder, RunFolder) else ""
    console.say(f"  training time {summary['train_seconds']:.0f} s{where}")
    return Reported(tuple(models), best_models(setup, outcome, models), to_json(summary))


def best_models(setup: RunSetup, outcome: Outcome, last: Sequence[Model]) -> tuple[Model, ...]:
    """Return the models of the surviving seeds with their best weights; with the last, if no score was measured."""
    places = [place for place, seed in enumerate(setup.seeds) if seed not in outcome.failed]
    best = outcome.best
    return tuple(
        model_of(setup, best.params, best.stats, place) if int(best.epoch[place]) >= 0 else model
        for place, model in zip(places, last, strict=True)
    )


def _trained(setup: RunSetup, outcome: Outcome) -> Trained:
    params, stats = evaluation_variables(outcome.state)
    survivors = tuple(seed not in outcome.failed for seed in setup.seeds)
    kept = used_networks(params)
    models = tuple(model_of(setup, kept, stats, index) for index, alive in enumerate(survivors) if alive)
    return Trained(params, stats, outcome.best.params, outcome.best.stats, survivors, models)


def _measures(
    setup: RunSetup, outcome: Outcome, trained: Trained, rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the measures that every model has: of the last and the best weights, on test and validation images."""
    spec, survivors = setup.spec, trained.survivors
    score = np.asarray(outcome.best.error, np.float64)
    if spec.score in spec.shares:
        score = exact_share(score, len(setup.validation_labels))
    measure = build_seed_measure(setup) if setup.config.test else None
    # The best weights lack discriminators; take those of the last weights.
    best = {**trained.params, **trained.best_params}, {**trained.stats, **trained.best_stats}
    return {
        "test": _on_test_images(setup, measure, trained.params, trained.stats, survivors),
        "validation": last_measures(rows, survivors),
        "best_by_validation": {
            "epoch": best_epochs(outcome, survivors),
            "validation": {spec.score: over_seeds(score, survivors)},
            "test": _score_alone(spec.score, _on_test_images(setup, measure, *best, survivors)),
        },
    }


def _on_test_images(
    setup: RunSetup, measure: SeedMeasure | None, params: Params, stats: Stats, survivors: Sequence[bool]
) -> dict[str, Any] | None:
    """Return every measure of weights, `{per_seed, mean, std}`; None for a run without testing."""
    if measure is None:
        return None
    images, labels = jnp.asarray(setup.dataset.test_images), jnp.asarray(setup.dataset.test_labels)
    metrics = flat(measure(params, stats, images, labels))
    for name in metrics.keys() & set(setup.spec.shares):
        metrics[name] = exact_share(metrics[name], len(labels))
    return {name: over_seeds(values, survivors) for name, values in metrics.items()}


def _score_alone(score: str, measured: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the score of the best weights alone: measures of discriminators belong to the last weights."""
    return None if measured is None else {score: measured[score]}


def _with_temperatures(trained: Trained, results: Mapping[str, Any]) -> list[Model]:
    """Return the models with their temperatures from `results`."""
    temperatures = results.get("calibration", {}).get("temperature", [None] * len(trained.survivors))
    pairs = zip(trained.models, trained.places(), strict=True)
    return [dataclasses.replace(model, temperature=temperatures[place]) for model, place in pairs]


def _save_figures(
    setup: RunSetup,
    rows: list[dict[str, Any]],
    model: Model,
    summary: Mapping[str, Any],
    folder: RunFolder,
    notice: Callable[[str], None],
) -> None:
    def prepare() -> Drawings:
        shown = images_of(setup, test=setup.config.test)
        return setup.spec.draw(rows, model, shown, setup.keys.samples[0], summary)

    draw_and_save(prepare, folder.figures, notice)


def _lines(summary: Mapping[str, Any]) -> list[str]:
    """Return the closing lines on reconstruction and codes of every run."""
    kind = "test" if summary["tested"] else "validation"
    measured = summary[kind]

    def of(name: str) -> np.ndarray:
        return per_seed(measured[name])

    lines = []
    if "reconstruction_error" in measured:
        images = f"{summary['splits'][kind]} {summary['data']['name']} {kind} images"
        error = spoken(of("reconstruction_error"))
        lines.append(f"reconstruction error {error} per pixel on {images} ({summary['updates']} updates)")
    if "code_mmd" in measured:
        ratios = np.stack([of(name) for name in measured if name.startswith("code_std_ratio/")])
        gaps = np.stack([of(name) for name in measured if name.startswith("code_mean_gap/")])
        lines.append(
            f"  codes and prior: std ratio {np.nanmin(ratios):.2f} to {np.nanmax(ratios):.2f}, largest mean offset "
            f"{np.nanmax(np.abs(gaps)):.2f} σ, squared discrepancy {spoken(of('code_mmd'), 4)}"
        )
    if "discriminator_z_accuracy" in measured:
        lines.append(f"  discriminator accuracy {100 * np.nanmean(of('discriminator_z_accuracy')):.1f} %")
    lines += say_generation(summary)
    if not summary["tested"] and summary["splits"]["test"]:
        lines.append("  the test images were not evaluated")
    return lines
