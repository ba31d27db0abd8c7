"""Callbacks of a training run: failures, validation, best weights, metric files, progress, signals."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.evaluation import exact_share
from aae_jax.evaluation.health import VALIDATION
from aae_jax.models.shared.plan import TrainingPlan
from aae_jax.models.spec import RunSetup
from aae_jax.run.console import Console
from aae_jax.run.measures import build_seed_measure, flat
from aae_jax.run.memory import RunRecord
from aae_jax.run.process import Interruption
from aae_jax.train.phases import Phase
from aae_jax.train.state import AAEState, evaluation_variables, used_networks
from aae_jax.types import Array, Metrics, Params, Stats

__all__ = [
    "AllSeedsFailed",
    "Best",
    "Callback",
    "EpochEnd",
    "FailureGuard",
    "MetricFiles",
    "ProgressLine",
    "Signals",
    "Stop",
    "TrainingProgress",
    "Validation",
    "active_means",
    "first_failure",
    "initial_best",
    "kept_variables",
    "precomputed",
]


class AllSeedsFailed(Exception):  # noqa: N818 - the name is the sentence
    """The losses of every seed became non-finite."""


class Best(NamedTuple):
    """Weights with the best validation score, per seed: all arrays have a leading seed axis."""

    params: Params
    stats: Stats
    error: Array
    epoch: Array


class Stop(NamedTuple):
    """Request of a callback to end training after this epoch.

    Attributes:
        reason: Reason shown to the user.
        signum: Signal that requested it: the run is saved and can be resumed. None: the run ends here, and is
            reported as usual.
    """

    reason: str
    signum: int | None = None


@dataclass
class TrainingProgress:
    """State of the callbacks of a run, kept from epoch to epoch.

    Attributes:
        best: Weights with the lowest score so far.
        failed: Update and phase at which each failed seed's loss was not finite.
        seconds_before: Training time in seconds before a resume.
        started: `time.perf_counter()` at the start of training.
    """

    best: Best
    failed: dict[int, dict[str, Any]] = field(default_factory=dict)
    seconds_before: float = 0.0
    started: float = 0.0

    @property
    def seconds(self) -> float:
        """Training time so far in seconds, including the time before a resume."""
        return self.seconds_before + time.perf_counter() - self.started


@dataclass
class EpochEnd:
    """State of a run after an epoch.

    Attributes:
        number: Number of the epoch, from 0.
        update: Number of updates so far.
        last: Whether it is the last epoch.
        state: Training state, with a leading seed axis; donated to the next epoch, so copy arrays that you keep.
        metrics: Metrics of each update, `[seeds, updates]` by `"phase/metric"`.
        row: Row of metrics for the files, once this epoch has been validated; None before, and without validation.
        score: Name in the row of the validation score that chooses the best weights; lower is better.
        best_epochs: Number of the epoch with the best score so far, per seed; -1 before the first.
        evaluate_every: Number of epochs from one validation to the next.
        stop: First request to end training.
    """

    number: int
    update: int
    last: bool
    state: AAEState
    metrics: Metrics
    row: dict[str, Any] | None = None
    score: str = ""
    best_epochs: tuple[int, ...] = ()
    evaluate_every: int = 1
    stop: Stop | None = None


@runtime_checkable
class Callback(Protocol):
    """Callback after every epoch; see `Trainer`."""

    def after_epoch(self, epoch: EpochEnd, /) -> Stop | None:
        """Process the run after an epoch; return a `Stop` to end training, else None."""
        ...


def first_failure(metrics: Metrics, seed_index: int, phases: Iterable[str]) -> tuple[int, str] | None:
    """Find the first update of an epoch, and its phase, at which a seed's loss was not finite, or None.

    `metrics` are stacked `[seeds, updates]`; `phases` are in the order in which they run, which the dictionary of
    metrics of a compiled program does not preserve.
    """
    names = [f"{phase}/loss" for phase in phases]
    finite = np.stack([np.isfinite(np.asarray(metrics[name])[seed_index]) for name in names], axis=1)
    if finite.all():
        return None
    update = int(np.argmin(finite.all(axis=1)))
    return update, names[int(np.argmin(finite[update]))].removesuffix("/loss")


def active_means(metrics: Metrics, phases: Mapping[str, Phase], first_step: int) -> dict[str, np.ndarray]:
    """Return each metric's mean per seed over the updates in which its phase ran; NaN if it never ran."""
    means = {}
    for name, value in metrics.items():
        values = np.asarray(value)
        ran = (first_step + np.arange(values.shape[1])) % phases[name.split("/")[0]].every == 0
        means[name] = np.mean(values[:, ran], axis=1) if ran.any() else np.full(len(values), np.nan)
    return means


def kept_variables(state: AAEState) -> tuple[Params, Stats]:
    """Return the weights and statistics that are used after training."""
    params, stats = evaluation_variables(state)
    return used_networks(params), stats


def initial_best(state: AAEState, seeds: int) -> Best:
    """Return a copy of a state's weights as the best ones, with an infinite score that any other improves."""
    params, stats = jax.jit(lambda tree: jax.tree.map(jnp.copy, tree))(kept_variables(state))
    return Best(params, stats, error=jnp.full(seeds, jnp.inf, jnp.float32), epoch=jnp.full(seeds, -1, jnp.int32))


def precomputed(setup: RunSetup) -> dict[str, Array]:
    """Return arrays computed from the data before training, whose last bits depend on the number of threads."""
    arrays = {"targets": setup.data.targets, "neighbours": setup.data.neighbours}
    return {name: value for name, value in arrays.items() if value is not None}


class FailureGuard:
    """Recorder of seeds whose losses or weights are not finite, which ends a run without finite seeds.

    Raises:
        AllSeedsFailed: No seed is finite any more; the previous checkpoint is kept.
    """

    def __init__(
        self, setup: RunSetup, plan: TrainingPlan, progress: TrainingProgress, folder: RunRecord, console: Console
    ) -> None:
        """Build the check of the weights."""
        self.setup, self.plan, self.progress = setup, plan, progress
        self.folder, self.console = folder, console
        self.finite = jax.jit(jax.vmap(_all_finite))

    def after_epoch(self, epoch: EpochEnd) -> None:
        """Record the seeds that failed in this epoch."""
        finite, steps = np.asarray(self.finite(epoch.state.params)), self.setup.steps_per_epoch
        for index, seed in enumerate(self.setup.seeds):
            if seed in self.progress.failed:
                continue
            failure = first_failure(epoch.metrics, index, self.plan.phases)
            if failure is None and not finite[index]:
                failure = steps - 1, list(self.plan.phases)[-1]
            if failure is not None:
                update = epoch.number * steps + failure[0] + 1
                self.progress.failed[seed] = {"update": update, "phase": failure[1]}
                self.console.notice(
                    f"{self.setup.called} {seed} failed: phase {failure[1]} is not finite at update {update}."
                )
        if len(self.progress.failed) == len(self.setup.seeds):
            self._write_row(epoch)
            raise AllSeedsFailed

    def any_finite(self, state: AAEState) -> bool:
        """Return whether the weights of any seed are finite."""
        return bool(np.asarray(self.finite(state.params)).any())

    def _write_row(self, epoch: EpochEnd) -> None:
        """Append a row of metrics without values: weights that are not finite are not evaluated."""
        nothing = np.full(len(self.setup.seeds), np.nan)
        row = {"epoch": epoch.number, "update": epoch.update, **dict.fromkeys(sorted(epoch.metrics), nothing)}
        self.folder.append_metrics({**row, "seconds": round(self.progress.seconds, 3)})
        self.folder.write_csv(self.setup.seeds)


def _all_finite(params: Params) -> Array:
    """Return whether every weight of one seed is finite."""
    return jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(params)]).all()


class Validation:
    """Evaluation of the weights on the validation images at the planned epochs, which keeps the best weights."""

    def __init__(self, setup: RunSetup, plan: TrainingPlan, progress: TrainingProgress) -> None:
        """Build the measures, which are compiled at their first evaluation."""
        self.setup, self.plan, self.progress = setup, plan, progress
        self.measure = build_seed_measure(setup, plan.hyper)
        self.update_best = jax.jit(_update_best)

    def after_epoch(self, epoch: EpochEnd) -> None:
        """Set the row of metrics of an epoch with validation."""
        if epoch.row is not None or not self._is_due(epoch):
            return
        setup, progress = self.setup, self.progress
        labels = setup.validation_labels
        measures = self.measure(*evaluation_variables(epoch.state), setup.validation_images, labels)
        params, stats = kept_variables(epoch.state)
        number = jnp.asarray(epoch.number, jnp.int32)
        progress.best = self.update_best(progress.best, params, stats, measures[setup.spec.score], number)
        flattened = {name: value for name, value in flat(measures).items() if name not in setup.spec.unmeasured}
        for name in flattened.keys() & set(setup.spec.shares):
            flattened[name] = exact_share(flattened[name], len(labels))
        alive = np.asarray([seed not in progress.failed for seed in setup.seeds])
        epoch.row = {
            "epoch": epoch.number,
            "update": epoch.update,
            **{f"{VALIDATION}{name}": np.where(alive, value, np.nan) for name, value in flattened.items()},
            **active_means(epoch.metrics, self.plan.phases, epoch.number * setup.steps_per_epoch),
            "seconds": round(progress.seconds, 3),
        }
        epoch.score = VALIDATION + setup.spec.score
        epoch.evaluate_every = self.setup.config.evaluate_every or 1
        epoch.best_epochs = tuple(np.asarray(progress.best.epoch).tolist())

    def _is_due(self, epoch: EpochEnd) -> bool:
        return epoch.last or (epoch.number + 1) % (self.setup.config.evaluate_every or 1) == 0


def _update_best(best: Best, params: Params, stats: Stats, error: Array, epoch: Array) -> Best:
    better = error < best.error

    def pick(new: Array, old: Array) -> Array:
        return jnp.where(better.reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    return Best(
        jax.tree.map(pick, params, best.params),
        jax.tree.map(pick, stats, best.stats),
        jnp.where(better, error, best.error),
        jnp.where(better, epoch, best.epoch),
    )


class MetricFiles:
    """Writer of `metrics.jsonl`, to which rows are appended, and of `metrics.csv`."""

    def __init__(self, folder: RunRecord, seeds: tuple[int, ...]) -> None:
        """Write to `folder`."""
        self.folder, self.seeds = folder, seeds

    def after_epoch(self, epoch: EpochEnd) -> None:
        """Write the row of a validated epoch."""
        if epoch.row is not None:
            self.folder.append_metrics(epoch.row)
            self.folder.write_csv(self.seeds)


class ProgressLine:
    """Display of validated epochs on the console."""

    def __init__(self, setup: RunSetup, progress: TrainingProgress, console: Console) -> None:
        """Show the model's score."""
        self.score, self.progress, self.console = VALIDATION + setup.spec.score, progress, console

    def after_epoch(self, epoch: EpochEnd) -> None:
        """Show the row of a validated epoch."""
        if epoch.row is not None:
            means = {name: value for name, value in epoch.row.items() if "/" in name}
            self.console.progress(epoch.number, epoch.update, epoch.row[self.score], means, self.progress.seconds)


class Signals:
    """End of training after Ctrl-C, SIGTERM or SIGHUP."""

    def __init__(self, interruption: Interruption) -> None:
        """Monitor an interruption, whose handlers are installed elsewhere."""
        self.interruption = interruption

    def after_epoch(self, epoch: EpochEnd) -> Stop | None:
        """Request a stop after a signal."""
        signum = self.interruption.signum
        return None if signum is None else Stop("a signal requested it", signum)
