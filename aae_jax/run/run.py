"""Command of an experiment: training in a run folder, then the report."""

import sys
from collections.abc import Sequence

from aae_jax.errors import InputError
from aae_jax.models import find_model
from aae_jax.models.spec import ModelSpec, RunSetup
from aae_jax.plotting_backend import neutral_backend
from aae_jax.priors.custom import with_kept_samples
from aae_jax.run.arguments import Request, code_flags, parse, run_guarded
from aae_jax.run.callbacks import AllSeedsFailed, Callback
from aae_jax.run.console import Console, DataReporter
from aae_jax.run.event_log import require_tensorboard
from aae_jax.run.run_dir import SIGNALLED, SWEEP_FILE, RunFolder, open_run_folder
from aae_jax.run.setup import build_setup, prior_of
from aae_jax.run.trainer import Stopped
from aae_jax.run.training import train_setup
from aae_jax.streams import complain
from aae_jax.train.compile import require_device
from aae_jax.train.compile_cache import keep_compiled_programs

__all__ = ["FAILED", "launch", "main", "run"]

FAILED = 1


def main(name: str, argv: Sequence[str] | None = None, *, launcher: str | None = None) -> int:
    """Run the command of the model named `name` and return its exit status (see `launch`)."""
    return launch(find_model(name).spec, argv, launcher=launcher)


def launch(experiment: ModelSpec, argv: Sequence[str] | None = None, *, launcher: str | None = None) -> int:
    """Run the command of an experiment and return its exit status.

    0: finished. 1: the losses of every seed became non-finite, or a file could not be written. 2: invalid input.
    128 + n: stopped by signal n, saved and resumable.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)

    def command() -> int:
        keep_compiled_programs()
        return run(experiment, parse(experiment, arguments, launcher=launcher))

    with neutral_backend():
        return run_guarded(command)


def run(experiment: ModelSpec, request: Request, callbacks: Sequence[Callback] = ()) -> int:
    """Train, report once at the end (on the test set, if `config.test` is set), and fill the run folder.

    Args:
        experiment: Specification of the model.
        request: Parsed command line.
        callbacks: User callbacks, called after each epoch (see `Trainer`).
    """
    console = Console()
    require_device()
    if request.resume is not None and (request.resume / SWEEP_FILE).exists():
        raise InputError(
            f"{request.resume} is the folder of a sweep; continue it with python experiments/sweep.py --resume."
        )
    if request.resume is not None and RunFolder(request.resume).finished:
        console.say(f"The run in {request.resume} is finished; its results are in its summary.json.")
        return 0
    for note in request.notes:
        console.notice(note)
    if request.config.tensorboard:
        require_tensorboard()
    config = request.config if request.resume is None else with_kept_samples(request.config, request.resume)
    prior = prior_of(config)  # before any slow step
    setup = build_setup(experiment, config, DataReporter(console), prior)
    with open_run_folder(request.out_dir, request.resume, experiment.name, setup.config.seed) as folder:
        status = _run_in(folder, setup, request, console, callbacks)
    if console.failure is not None:
        complain(f"standard output failed ({console.failure}); the results of the run are complete in {folder.path}")
    return status


def _run_in(
    folder: RunFolder, setup: RunSetup, request: Request, console: Console, callbacks: Sequence[Callback]
) -> int:
    try:
        train_setup(setup, folder, console, callbacks, resume=request.resume is not None, command=request.command)
    except Stopped as stopped:
        named = setup.networks.modules.named()
        with_modules = f" (from Python, with its modules {', '.join(named.values())})" if named else ""
        code = code_flags(with_kept_samples(setup.config, folder.path))
        console.say(f"saved; continue with{with_modules}: {request.launcher} --resume {folder.path}{code}")
        return SIGNALLED + stopped.signum
    except AllSeedsFailed:
        kept = f"; the last good state is kept in {folder.last}" if folder.last.is_dir() else ""
        console.say(f"All seeds failed. Try a lower {_rates(setup)}{kept}.")
        return FAILED
    return 0


def _rates(setup: RunSetup) -> str:
    """Return the flags of the learning rates that are most often too high."""
    optimizers = setup.config.optimizers
    suspects = [name for name in ("generator", "discriminator") if hasattr(optimizers, name)] or ["reconstruction"]
    return " or ".join(f"--optimizers.{name}.learning-rate" for name in suspects)
