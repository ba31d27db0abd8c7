"""Semi-supervised classification with few labels (Makhzani et al. 2016, §5, figure 8), end to end."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from aae_jax.bundle import Model, save_model
from aae_jax.errors import InputError
from aae_jax.evaluation import exact_share
from aae_jax.experiments.command import Request, parse, run_guarded
from aae_jax.experiments.compilation import keep_compiled_programs
from aae_jax.experiments.console import Console, DataReporter, percent
from aae_jax.experiments.event_log import require_tensorboard
from aae_jax.experiments.problem import Problem, baseline_task, build_problem, images_of, main_task
from aae_jax.experiments.run_folder import SIGNALLED, SWEEP_FILE, RunFolder, open_run_folder
from aae_jax.experiments.summary import calibrate, error_over_seeds, errors_on_test_images, seed_errors, summarise
from aae_jax.experiments.trainer import AllSeedsFailed, Outcome, Stopped, Trainer
from aae_jax.experiments.watch import model_of
from aae_jax.state import evaluation_variables
from aae_jax.training import compile_epoch, fit

__all__ = ["main", "run"]

FAILED = 1


def main(argv: Sequence[str] | None = None, *, launcher: str | None = None) -> int:
    """Run the command `semi_supervised` and return its exit status.

    0: finished. 1: every seed's losses turned non-finite, or something could not be written. 2: input that cannot
    be used.
    128 + n: stopped by signal n, saved and resumable.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)

    def command() -> int:
        keep_compiled_programs()
        request = parse(arguments, prog="semi_supervised", description=__doc__ or "", launcher=launcher)
        return run(request)

    return run_guarded(command)


def run(request: Request) -> int:
    """Train, evaluate once at the end (on the test set, unless told not to), and fill the run's folder."""
    console = Console()
    if request.resume is not None and (request.resume / SWEEP_FILE).exists():
        raise InputError(
            f"{request.resume} is the folder of a sweep; python experiments/sweep.py --resume goes on with it."
        )
    if request.resume is not None and RunFolder(request.resume).finished:
        console.say(f"The run in {request.resume} is finished; its results are in its summary.json.")
        return 0
    for note in request.notes:
        console.notice(note)
    if request.config.tensorboard:
        require_tensorboard()
    problem = build_problem(request.config, DataReporter(console))
    with open_run_folder(request.out_dir, request.resume, "semi_supervised", problem.config.seed) as folder:
        return _run_in(folder, problem, request, console)


def _run_in(folder: RunFolder, problem: Problem, request: Request, console: Console) -> int:
    if request.resume is None:
        folder.write_config(problem.config)
    console.header(problem, str(folder.path))
    try:
        trainer = Trainer(problem, main_task(problem), folder, console)
        outcome = trainer.run(resume=request.resume is not None, command=request.command)
    except Stopped as stopped:
        console.say(f"saved; go on with: {request.launcher} --resume {folder.path}")
        return SIGNALLED + stopped.signum
    except AllSeedsFailed:
        kept = f"; the last good state is kept in {folder.last}" if folder.last.is_dir() else ""
        console.say(
            "All seeds failed. Try a lower --optimizers.generator.learning-rate or "
            f"--optimizers.discriminator.learning-rate{kept}."
        )
        return FAILED
    _report(problem, outcome, folder, console)
    return 0


def _report(problem: Problem, outcome: Outcome, folder: RunFolder, console: Console) -> None:
    rows = folder.read_metrics()
    if not rows:
        raise InputError(f"{folder.path} has lost its metrics.jsonl; start the run anew.")
    console.say("supervised baseline: the same encoder, the labelled images alone …")
    baseline = _train_baseline(problem, outcome)
    best = outcome.best
    last_validation = [np.nan if e is None else e for e in rows[-1]["validation_error"]]
    errors = {
        "test": errors_on_test_images(problem, *evaluation_variables(outcome.state)),
        "best_test": errors_on_test_images(problem, best.params, best.stats),
        "validation": exact_share(last_validation, len(problem.validation_labels)),
    }
    survivors = [seed not in outcome.failed for seed in problem.seeds]
    calibration = calibrate(problem, *evaluation_variables(outcome.state), survivors)
    summary = summarise(problem, outcome, errors, baseline, calibration, folder.read_origin())
    models = _save_models(problem, outcome, folder, calibration["temperature"])
    _save_figures(problem, rows, summary, models, folder)
    folder.write_summary(summary)
    _say_results(console, summary, folder)


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
        "test_error": error_over_seeds(test, survivors),
        "validation_error": error_over_seeds(validation, survivors),
    }


def _save_models(
    problem: Problem, outcome: Outcome, folder: RunFolder, temperatures: Sequence[float | None]
) -> list[Model]:
    params, stats = evaluation_variables(outcome.state)
    kept = {name: params[name] for name in ("encoder", "decoder")}
    survivors = [(i, seed) for i, seed in enumerate(problem.seeds) if seed not in outcome.failed]
    models = []
    for index, seed in survivors:
        model = model_of(problem, kept, stats, index, temperature=temperatures[index])
        save_model(model, folder.model(seed, survivors[0][1]))
        models.append(model)
    return models


def _save_figures(
    problem: Problem,
    rows: list[dict[str, Any]],
    summary: dict[str, Any],
    models: list[Model],
    folder: RunFolder,
) -> None:
    from aae_jax.experiments.pictures import draw_figures  # matplotlib takes a second, and is wanted at the end
    from aae_jax.figures import save_figure

    drawn = draw_figures(
        rows,
        models[0],
        images_of(problem, test=problem.config.test),
        problem.keys.samples[0],
        baseline_error=summary["baseline"]["validation_error"]["mean"],
        test_errors=[error for error in summary["test_error"]["per_seed"] if error is not None],
    )
    for name, figure in drawn.items():
        save_figure(figure, folder.figures / name)


def _say_results(console: Console, summary: dict[str, Any], folder: RunFolder) -> None:
    def of(result: dict[str, Any]) -> str:
        return percent(np.asarray([np.nan if e is None else e for e in result["per_seed"]]))

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
    sure = summary["calibration"]
    before, after = of(sure["expected_error"]), of(sure["calibrated_error"])
    where = "" if summary["tested"] else " (validation images, on which it was fitted)"
    console.say(f"  expected calibration error {before}, with temperature {after}{where}")
    console.say(f"  {summary['train_seconds']:.0f} s of training; everything is in {folder.path}")
