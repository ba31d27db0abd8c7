"""What the experiments without labels have in common: measures, figures, report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from aae_jax.bundle import Model
from aae_jax.config import PriorConfig
from aae_jax.evaluation import build_encode, build_reconstruction_error
from aae_jax.experiments.console import Console
from aae_jax.experiments.experiment import MeasureFn
from aae_jax.experiments.measures import build_seed_measure, flat, health_of
from aae_jax.experiments.problem import Problem, Shown, images_of
from aae_jax.experiments.run_folder import RunFolder
from aae_jax.experiments.summary import best_epochs, last_measures, over_seeds, summarise
from aae_jax.experiments.trainer import Outcome
from aae_jax.experiments.watch import save_models
from aae_jax.state import evaluation_variables
from aae_jax.types import Array, Metrics, Params, Pixels, PRNGKey, Stats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SCORE", "build_code_measure", "draw", "report", "show_score"]

SCORE = "reconstruction_error"


def build_code_measure(problem: Problem, prior: PriorConfig | None) -> MeasureFn:
    """Return the measures of a model without labels: how well it rebuilds images, and its codes beside a prior."""
    output = problem.config.network.output
    encode, rebuild = build_encode(problem.networks, output), build_reconstruction_error(problem.networks, output)
    health = None if prior is None else health_of(problem, prior)

    def measure(params: Params, stats: Stats, images: Pixels, labels: Array, key: PRNGKey, scale: Array) -> Metrics:
        outputs = encode(params, stats, images)
        found = {SCORE: rebuild(params, images, outputs)}
        return found if health is None else {**found, **health(params, stats, images, outputs, key, scale)}

    return measure


def show_score(errors: np.ndarray) -> str:
    """Say the mean squared error per pixel of all seeds."""
    return f"validation reconstruction error {_said(errors)}"


def _said(values: np.ndarray, digits: int = 5) -> str:
    found = values[np.isfinite(values)]
    if not found.size:
        return "–"
    spread = f" ± {found.std(ddof=1):.{digits}f}" if found.size > 1 else ""
    return f"{found.mean():.{digits}f}{spread}"


def draw(rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey) -> "dict[str, Figure]":
    """Return the figures of a model without labels by file name."""
    from aae_jax.experiments.code_pictures import draw_code_figures  # matplotlib takes a second

    return draw_code_figures(rows, model, shown, key)


def report(problem: Problem, outcome: Outcome, folder: RunFolder, console: Console) -> None:
    """Measure the last weights on the test images, unless told not to; write summary, models and figures."""
    rows = folder.read_rows()
    survivors = [seed not in outcome.failed for seed in problem.seeds]
    results = {
        "test": _on_test_images(problem, outcome, survivors),
        "validation": last_measures(rows, survivors),
        "best_by_validation": {
            "epoch": best_epochs(outcome, survivors),
            SCORE: over_seeds(np.asarray(outcome.best.error, np.float64), survivors),
        },
    }
    summary = summarise(problem, outcome, folder.read_origin(), results)
    models = save_models(problem, outcome, folder)
    _save_figures(problem, rows, models[0], folder)
    folder.write_summary(summary)
    _say_results(console, problem, summary, folder)


def _on_test_images(problem: Problem, outcome: Outcome, survivors: Sequence[bool]) -> dict[str, Any] | None:
    """Return every measure of the last weights, `{per_seed, mean, std}`; None where they are not to be looked at."""
    if not problem.config.test:
        return None
    images, labels = jnp.asarray(problem.dataset.test_images), jnp.asarray(problem.dataset.test_labels)
    found = flat(build_seed_measure(problem)(*evaluation_variables(outcome.state), images, labels))
    return {name: over_seeds(values, survivors) for name, values in found.items()}


def _save_figures(problem: Problem, rows: list[dict[str, Any]], model: Model, folder: RunFolder) -> None:
    from aae_jax.figures import save_figure

    shown = images_of(problem, test=problem.config.test)
    for name, figure in problem.experiment.draw(rows, model, shown, problem.keys.samples[0]).items():
        save_figure(figure, folder.figures / name)


def _say_results(console: Console, problem: Problem, summary: Mapping[str, Any], folder: RunFolder) -> None:
    kind = "test" if summary["tested"] else "validation"
    measured = summary[kind]

    def of(name: str) -> np.ndarray:
        return np.asarray([np.nan if each is None else each for each in measured[name]["per_seed"]])

    images = f"{summary['splits'][kind]} {summary['data']['name']} {kind} images"
    console.say(f"reconstruction error {_said(of(SCORE))} per pixel on {images} ({summary['updates']} updates)")
    if "code_mmd" in measured:
        ratios = np.stack([of(name) for name in measured if name.startswith("code_std_ratio/")])
        gaps = np.stack([of(name) for name in measured if name.startswith("code_mean_gap/")])
        console.say(
            f"  codes beside the prior: std {np.nanmin(ratios):.2f} to {np.nanmax(ratios):.2f} of its, mean at most "
            f"{np.nanmax(np.abs(gaps)):.2f} of its std away, squared discrepancy {_said(of('code_mmd'), 4)}"
        )
    if "discriminator_z_accuracy" in measured:
        console.say(f"  the adversary tells {100 * np.nanmean(of('discriminator_z_accuracy')):.1f} % apart")
    if not summary["tested"]:
        console.say("  the test images were not looked at")
    console.say(f"  {summary['train_seconds']:.0f} s of training; everything is in {folder.path}")
