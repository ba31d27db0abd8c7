"""What experiments have in common whose summary is what they measured: measures of codes, figures, report."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.config import PriorConfig
from aae_jax.evaluation import build_encode, build_reconstruction_error, discriminator_accuracy, exact_share
from aae_jax.figures.of_models.drawing import Drawings, Shown, draw_and_save
from aae_jax.models.shared.adversary import beside_labels
from aae_jax.models.spec import MeasureFn
from aae_jax.networks import EncoderOutput
from aae_jax.run.console import Console
from aae_jax.run.measures import build_seed_measure, draw_views, flat, health_of
from aae_jax.run.run_dir import RunFolder
from aae_jax.run.setup import Problem, images_of
from aae_jax.run.summary import best_epochs, last_measures, over_seeds, per_seed, summarise
from aae_jax.run.trainer import Outcome
from aae_jax.run.watch import save_models
from aae_jax.saved.model import Model
from aae_jax.train.hyper import Hyper
from aae_jax.train.state import evaluation_variables
from aae_jax.types import Array, Metrics, Params, Pixels, PRNGKey, Stats

__all__ = [
    "SCORE",
    "WITHOUT_CLASSES",
    "Labelled",
    "OwnMeasure",
    "build_code_measure",
    "by_seed",
    "chosen_and_judged",
    "draw",
    "judge_beside_labels",
    "report",
    "show_score",
    "spoken",
]

SCORE = "reconstruction_error"

Labelled = tuple[np.ndarray, np.ndarray]
"""Images as they are stored, and their classes."""
OwnMeasure = Callable[[Params, EncoderOutput, Array, Array, PRNGKey], Metrics]
"""`(params, encoder's outputs, codes of views, labels, key) -> measures` that one experiment alone has."""
Further = Callable[[Problem, Sequence[Model]], dict[str, Any]]
"""`(problem, models of the seeds that did not fail) ->` results for the summary, which the shell cannot compile."""


def build_code_measure(
    problem: Problem,
    prior: PriorConfig | None,
    *,
    own: OwnMeasure | None = None,
    judge_codes: bool = True,
    given_labels: int = 0,
    reconstructed: bool = False,
) -> MeasureFn:
    """Return the measures of a model: how well it rebuilds images, its codes beside a prior, and its `own`.

    Args:
        problem: The run.
        prior: What codes are pulled to, or None.
        own: Further measures.
        judge_codes: Whether the adversary of z sees codes alone, and can be asked.
        given_labels: Length of the one-hot labels that the decoder gets of the true classes; 0: it gets none.
        reconstructed: Whether codes beside the prior are of the views that are rebuilt, as a VAE's divergence is.
    """
    output = problem.config.network.output
    encode, rebuild = build_encode(problem.networks, output), build_reconstruction_error(problem.networks, output)
    health = None if prior is None else health_of(problem, prior, judge_codes=judge_codes)
    draw_codes = draw_views(problem, reconstructed=reconstructed)

    def measure(params: Params, stats: Stats, images: Pixels, labels: Array, key: PRNGKey, hyper: Hyper) -> Metrics:
        key_codes, key_prior, key_own = jax.random.split(key, 3)
        outputs = encode(params, stats, images)
        codes = outputs.mean if health is None else draw_codes(params, stats, images, key_codes, hyper)
        given = jax.nn.one_hot(labels, given_labels, dtype=jnp.float32) if given_labels else None
        found = {SCORE: rebuild(params, images, outputs, given)}
        if own is not None:
            found |= own(params, outputs, codes, labels, key_own)
        if health is not None:
            found |= health(params, codes, outputs.logits, key_prior, jnp.asarray(hyper.prior_std))
        return found

    return measure


def show_score(errors: np.ndarray) -> str:
    """Say the mean squared error per pixel of all seeds."""
    return f"validation reconstruction error {spoken(errors)}"


def spoken(values: np.ndarray, digits: int = 5) -> str:
    """Say the mean of seeds with their standard deviation; a dash where none has a value."""
    found = values[np.isfinite(values)]
    if not found.size:
        return "–"
    spread = f" ± {found.std(ddof=1):.{digits}f}" if found.size > 1 else ""
    return f"{found.mean():.{digits}f}{spread}"


def draw(rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey) -> Drawings:
    """Return what draws the figures of a model of style alone, by file name."""
    from aae_jax.figures.of_models.codes import draw_code_figures  # matplotlib takes a second

    return draw_code_figures(rows, model, shown, key)


def report(
    problem: Problem,
    outcome: Outcome,
    folder: RunFolder,
    console: Console,
    *,
    further: Further | None = None,
    say: Callable[[Mapping[str, Any]], list[str]] | None = None,
) -> None:
    """Measure the last weights on the test images, unless told not to; write summary, models and figures.

    Args:
        problem: The run.
        outcome: What it ended with.
        folder: Where everything goes.
        console: Is told.
        further: Further results.
        say: The lines that say what an experiment is about, from its summary.
    """
    rows = folder.read_rows()
    survivors = [seed not in outcome.failed for seed in problem.seeds]
    models = save_models(problem, outcome, folder)
    results = {
        "test": _on_test_images(problem, outcome, survivors),
        "validation": last_measures(rows, survivors),
        "best_by_validation": {
            "epoch": best_epochs(outcome, survivors),
            problem.experiment.score: over_seeds(np.asarray(outcome.best.error, np.float64), survivors),
        },
        **({} if further is None else further(problem, models)),
    }
    summary = summarise(problem, outcome, folder.read_origin(), results)
    notices: list[str] = []
    _save_figures(problem, rows, models[0], folder, notices.append)
    folder.write_summary(summary)
    for notice in notices:
        console.notice(notice)
    for line in say(summary) if say is not None else ():
        console.say(line)
    _say_results(console, problem, summary, folder)


def _on_test_images(problem: Problem, outcome: Outcome, survivors: Sequence[bool]) -> dict[str, Any] | None:
    """Return every measure of the last weights, `{per_seed, mean, std}`; None where they are not to be looked at."""
    if not problem.config.test:
        return None
    images, labels = jnp.asarray(problem.dataset.test_images), jnp.asarray(problem.dataset.test_labels)
    found = flat(build_seed_measure(problem)(*evaluation_variables(outcome.state), images, labels))
    for name in found.keys() & set(problem.experiment.shares):
        found[name] = exact_share(found[name], len(labels))
    return {name: over_seeds(values, survivors) for name, values in found.items()}


def _save_figures(
    problem: Problem,
    rows: list[dict[str, Any]],
    model: Model,
    folder: RunFolder,
    notice: Callable[[str], None],
) -> None:
    def prepare() -> Drawings:
        shown = images_of(problem, test=problem.config.test)
        return problem.experiment.draw(rows, model, shown, problem.keys.samples[0])

    draw_and_save(prepare, folder.figures, notice)


def _say_results(console: Console, problem: Problem, summary: Mapping[str, Any], folder: RunFolder) -> None:
    kind = "test" if summary["tested"] else "validation"
    measured = summary[kind]

    def of(name: str) -> np.ndarray:
        return per_seed(measured[name])

    images = f"{summary['splits'][kind]} {summary['data']['name']} {kind} images"
    console.say(f"reconstruction error {spoken(of(SCORE))} per pixel on {images} ({summary['updates']} updates)")
    if "code_mmd" in measured:
        ratios = np.stack([of(name) for name in measured if name.startswith("code_std_ratio/")])
        gaps = np.stack([of(name) for name in measured if name.startswith("code_mean_gap/")])
        console.say(
            f"  codes beside the prior: std {np.nanmin(ratios):.2f} to {np.nanmax(ratios):.2f} of its, mean at most "
            f"{np.nanmax(np.abs(gaps)):.2f} of its std away, squared discrepancy {spoken(of('code_mmd'), 4)}"
        )
    if "discriminator_z_accuracy" in measured:
        console.say(f"  the adversary tells {100 * np.nanmean(of('discriminator_z_accuracy')):.1f} % apart")
    if not summary["tested"]:
        console.say("  the test images were not looked at")
    console.say(f"  {summary['train_seconds']:.0f} s of training; everything is in {folder.path}")


WITHOUT_CLASSES: Mapping[str, Any] = {"score": SCORE, "shares": (), "show_score": show_score, "report": report}
"""What experiments that find clusters do with data without labels, by which clusters cannot be named or judged."""


def chosen_and_judged(problem: Problem) -> tuple[Labelled, Labelled]:
    """Return images by which something is chosen, with their labels, and others on which it is judged.

    Validation and test images; where these are not to be looked at, halves of the validation images.
    """
    dataset = problem.dataset
    images, labels = np.asarray(problem.validation_images), np.asarray(problem.validation_labels)
    if problem.config.test:
        return (images, labels), (dataset.test_images, dataset.test_labels)
    first, second = np.array_split(np.random.default_rng(0).permutation(len(labels)), 2)  # data may come by class
    return (images[first], labels[first]), (images[second], labels[second])


def by_seed(
    problem: Problem, models: Sequence[Model], measure: Callable[[Model, int], Mapping[str, float]]
) -> dict[str, dict[str, Any]]:
    """Return what `measure(model, its place among the seeds)` finds, `{name: {per_seed, mean, std}}`."""
    found = {}
    for model in models:
        assert model.seed is not None, "models of a run have one"
        index = problem.seeds.index(model.seed)
        found[index] = measure(model, index)
    names = next(iter(found.values()))
    alive = [index in found for index in range(len(problem.seeds))]
    return {
        name: over_seeds([found[i][name] if i in found else np.nan for i in range(len(alive))], alive)
        for name in names
    }


def judge_beside_labels(
    problem: Problem, draw: Callable[[PRNGKey, Array], Array], length: int
) -> Callable[[Params, Array, Array, PRNGKey], Array]:
    """Return `(params, codes, labels, key) ->` how often an adversary that sees labels tells codes from the prior.

    Args:
        problem: The run.
        draw: `(key, labels) -> samples` of the prior.
        length: Of the one-hot labels that the adversary sees.
    """

    def judge(params: Params, codes: Array, labels: Array, key: PRNGKey) -> Array:
        real, fake = (
            problem.networks.discriminate_z(params, beside_labels(each, labels, length), None)
            for each in (draw(key, labels), codes)
        )
        return discriminator_accuracy(real, fake)

    return judge
