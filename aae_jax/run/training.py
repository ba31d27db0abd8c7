"""Training and report of a run, for the commands and for `aae_jax.train` alike."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from aae_jax.models.shared.plan import TrainingPlan, main_plan
from aae_jax.models.spec import RunSetup
from aae_jax.priors.custom import keep_samples
from aae_jax.run.callbacks import Callback
from aae_jax.run.console import Console
from aae_jax.run.memory import RunMemory, RunRecord
from aae_jax.run.report import best_models, report
from aae_jax.run.run_dir import RunFolder
from aae_jax.run.trainer import Trainer
from aae_jax.run.watch import model_of
from aae_jax.saved.model import Model
from aae_jax.text import brief_fields
from aae_jax.train.state import evaluation_variables, used_networks

__all__ = ["Run", "TrainedModels", "train_models", "train_setup"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A finished run.

    Attributes:
        models: The model of each seed whose losses stayed finite, with its last weights.
        best_models: The same with the weights that had the best score on the validation images.
        history: Rows of metrics in order, as in `metrics.jsonl`: measures `validation_<name>` and means
            `<phase>/<metric>`, with a list over seeds each.
        summary: As in `summary.json`.
        config: The resolved configuration.
        folder: The folder of the run; None if it left nothing on disk.
    """

    models: tuple[Model, ...]
    best_models: tuple[Model, ...]
    history: tuple[Mapping[str, Any], ...]
    summary: Mapping[str, Any]
    config: Any
    folder: Path | None

    @property
    def model(self) -> Model:
        """The model of the first seed, with its last weights."""
        return self.models[0]

    @property
    def best_model(self) -> Model:
        """The model of the first seed, with the weights that had the best score on the validation images."""
        return self.best_models[0]

    def __repr__(self) -> str:
        """Return the sizes of history and summary instead of their numbers."""
        brief = dataclasses.replace(self, history=(), summary={})
        shown = brief_fields(brief, ("config", "folder"))
        return f"{shown[:-1]}, seeds={self.summary['seeds']}, updates={self.summary['updates']})"


class TrainedModels(NamedTuple):
    """Models of the seeds whose losses stayed finite, with last and with best weights, and the number of epochs."""

    models: tuple[Model, ...]
    best_models: tuple[Model, ...]
    epochs: int


def train_models(
    setup: RunSetup, plan: TrainingPlan, console: Console, callbacks: Sequence[Callback] = (), *, validate: bool
) -> TrainedModels:
    """Train a setup in memory, without a report.

    Args:
        setup: Setup of the run.
        plan: Training plan.
        console: Console for progress.
        callbacks: User callbacks, called after each epoch.
        validate: See `Trainer`.

    Raises:
        AllSeedsFailed: No seed is finite any more.
    """
    console.header(setup, None)
    outcome = Trainer(setup, plan, RunMemory(), console, callbacks, validate=validate).run(resume=False, command="")
    params, stats = evaluation_variables(outcome.state)
    places = [place for place, seed in enumerate(setup.seeds) if seed not in outcome.failed]
    last = tuple(model_of(setup, used_networks(params), stats, place) for place in places)
    best = best_models(setup, outcome, last)
    return TrainedModels(last, best, outcome.updates // setup.steps_per_epoch)


def train_setup(
    setup: RunSetup,
    folder: RunRecord,
    console: Console,
    callbacks: Sequence[Callback] = (),
    *,
    resume: bool,
    command: str,
    plan: TrainingPlan | None = None,
) -> Run:
    """Train a setup from the start or from its newest checkpoint, and report: see `Trainer` and `report`.

    Args:
        setup: Setup of the run.
        folder: Its folder, locked; or a record in memory.
        console: Console for progress and closing lines.
        callbacks: User callbacks, called after each epoch.
        resume: Whether to continue from the newest checkpoint of the folder.
        command: Command that is recorded with the run.
        plan: Training plan; None: the model's.

    Raises:
        Stopped: A signal requested it; the state is saved.
        AllSeedsFailed: No seed is finite any more.
    """
    path = None if isinstance(folder, RunMemory) else folder.path
    if isinstance(folder, RunFolder):
        if not resume:
            folder.write_config(setup.config)
        keep_samples(setup.prior, folder.path)
    console.header(setup, None if path is None else str(path))
    trainer = Trainer(setup, main_plan(setup) if plan is None else plan, folder, console, callbacks)
    outcome = trainer.run(resume=resume, command=command)
    reported = report(setup, outcome, folder, console)
    return Run(
        models=reported.models,
        best_models=reported.best_models,
        history=tuple(folder.read_rows()),
        summary=reported.summary,
        config=setup.config,
        folder=path,
    )
