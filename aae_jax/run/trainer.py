"""Trainer: `fit` with callbacks, from the start or from a checkpoint."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from aae_jax.config.text import to_flat
from aae_jax.config.traced import marks_of
from aae_jax.errors import InputError
from aae_jax.models.shared.plan import TrainingPlan
from aae_jax.models.spec import RunSetup
from aae_jax.priors.custom import names_sampler
from aae_jax.run.callbacks import (
    Best,
    Callback,
    EpochEnd,
    FailureGuard,
    MetricFiles,
    ProgressLine,
    Signals,
    TrainingProgress,
    Validation,
    initial_best,
    precomputed,
)
from aae_jax.run.checkpoint_notes import checked_notes, refuse_other_modules, refuse_other_settings
from aae_jax.run.checkpoints import NOT_BEGUN, Checkpoints
from aae_jax.run.console import Console
from aae_jax.run.memory import RunRecord
from aae_jax.run.process import Interruption, start_is_over
from aae_jax.run.run_dir import RunFolder, source_commit
from aae_jax.run.watch import Watch
from aae_jax.train import checkpoint
from aae_jax.train.epoch import EpochFn
from aae_jax.train.fit import compile_lowered, fit, lower_epoch
from aae_jax.train.state import AAEState
from aae_jax.train.stream import LoweredStream, PartialEpoch, StreamedEpoch
from aae_jax.types import Metrics

__all__ = ["Outcome", "Stopped", "Trainer"]


class Stopped(Exception):  # noqa: N818 - not an error, a request
    """The user asked the run to stop; the state is saved."""

    def __init__(self, signum: int) -> None:
        """Store the signal's number."""
        super().__init__(signum)
        self.signum = signum


class Outcome(NamedTuple):
    """Result of training.

    Attributes:
        state: State after the last update, with a leading seed axis.
        best: Weights with the lowest score on the validation images.
        failed: Update and phase at which each failed seed's loss was not finite.
        seconds: Training time, including the time before a resume.
        compile_seconds: Compile time.
        updates: Total number of updates.
    """

    state: AAEState
    best: Best
    failed: Mapping[int, Mapping[str, Any]]
    seconds: float
    compile_seconds: float
    updates: int


class Trainer:
    """Trainer of all seeds of a plan in parallel, with callbacks that keep the run folder up to date.

    After each epoch it calls, in this order: the guard of failed seeds, validation, metric files, TensorBoard and
    figures, the progress line, the user's callbacks, signals, checkpoints.
    """

    def __init__(
        self,
        setup: RunSetup,
        plan: TrainingPlan,
        folder: RunRecord,
        console: Console,
        callbacks: Sequence[Callback] = (),
        *,
        validate: bool = True,
    ) -> None:
        """Store the parts of a run; nothing is compiled before `run`.

        Args:
            setup: Setup of the run.
            plan: Training plan.
            folder: Run folder, locked; or a record in memory, without checkpoints.
            console: Console for the progress.
            callbacks: User callbacks, called after each epoch, and after its validation if that is due. Before the
                first one, a method `before_training(settings)` gets the configuration by dotted names, if there is
                one.
            validate: Whether the weights are evaluated during training. Without, there are no rows of metrics, and
                the best weights are the first.

        Raises:
            TypeError: A callback has no method `after_epoch`.
        """
        self.setup, self.plan, self.folder, self.console = setup, plan, folder, console
        self.metrics: dict[str, jax.ShapeDtypeStruct] = {}
        self.begin = NOT_BEGUN
        self.callbacks = tuple(callbacks)
        self.validate = validate
        for callback in self.callbacks:
            if isinstance(callback, type):
                raise TypeError(f"A callback is a class; give an object, {callback.__name__}(…).")
            if not isinstance(callback, Callback):
                raise TypeError(f"A callback of type {type(callback).__name__} has no method after_epoch(epoch).")

    def run(self, *, resume: bool, command: str) -> Outcome:
        """Train from the start, or from the newest checkpoint; the last state is saved in either case.

        The `command` is recorded in the folder, with the commit, once the initial state exists.

        Raises:
            Stopped: A signal requested it; the state is saved.
            AllSeedsFailed: No seed is finite any more; the previous checkpoint is kept.
        """
        state, first_epoch, train_epoch = self._resume() if resume else self._begin()
        self.folder.write_origin(command, source_commit())
        self.console.training_starts(self.compile_seconds, first_epoch, self.begin.updates)
        start_is_over()
        self.progress.started = time.perf_counter()
        self.updates = first_epoch * self.setup.steps_per_epoch + self.begin.updates
        with contextlib.ExitStack() as stack:
            self._assemble(first_epoch, stack)
            for callback in self.callbacks:
                if hasattr(callback, "before_training"):
                    callback.before_training(to_flat(self.setup.config))
            if isinstance(train_epoch, StreamedEpoch):
                train_epoch = dataclasses.replace(train_epoch, begin=(first_epoch, self.begin))
                if self.checkpoints is not None:
                    train_epoch = dataclasses.replace(train_epoch, on_chunk=self._after_chunk)
            state, _ = fit(
                state,
                self.setup.data,
                train_epoch=train_epoch,
                hyper=self.plan.hyper,
                key=self.plan.keys,
                epochs=self.plan.epochs,
                first_epoch=first_epoch,
                on_epoch=self._after_epoch,
            )
        progress = self.progress
        return Outcome(state, progress.best, progress.failed, progress.seconds, self.compile_seconds, self.updates)

    @property
    def best(self) -> Best:
        """Weights with the lowest score so far."""
        return self.progress.best

    @property
    def failed(self) -> dict[int, dict[str, Any]]:
        """Update and phase at which each failed seed's loss was not finite."""
        return self.progress.failed

    def _assemble(self, first_epoch: int, stack: contextlib.ExitStack) -> None:
        """Build the callbacks; without a folder, none that write to one, and signals act as usual."""
        setup, progress, folder = self.setup, self.progress, self.folder
        self.guard = FailureGuard(setup, self.plan, progress, folder, self.console)
        watches: tuple[Callback, ...] = ()
        self.requests: tuple[Callback, ...] = self.callbacks
        self.checkpoints: Checkpoints | None = None
        if isinstance(folder, RunFolder):
            watch = Watch(setup, folder, first_epoch=first_epoch, notice=self.console.notice)
            watches = (stack.enter_context(contextlib.closing(watch)),)
            part = "these updates" if setup.config.stream else "this epoch"
            self.interruption = stack.enter_context(Interruption(part))
            self.requests = (*self.callbacks, Signals(self.interruption))
            self.checkpoints = Checkpoints(setup, progress, folder, self.metrics)
        self.validation: tuple[Callback, ...] = ()
        if not self.validate:
            return
        self.validation = (
            Validation(setup, self.plan, progress),
            MetricFiles(folder, setup.seeds),
            *watches,
            ProgressLine(setup, progress, self.console),
        )

    def _after_chunk(self, number: int, state: AAEState, so_far: Callable[[], PartialEpoch]) -> None:
        """Save within an epoch if it is due, or requested by a signal."""
        assert self.checkpoints is not None, "runs without a folder do not call this"
        signum = self.interruption.signum
        if (signum is None and not self.checkpoints.due) or not self.guard.any_finite(state):
            return  # failed seeds are not saved, and reported at the end of the epoch
        self.checkpoints.save_within(number, state, so_far())
        if signum is not None:
            raise Stopped(signum)

    def _after_epoch(self, number: int, state: AAEState, metrics: Metrics) -> bool:
        self.updates = (number + 1) * self.setup.steps_per_epoch
        epoch = EpochEnd(number, self.updates, number + 1 == self.plan.epochs, state, metrics)
        _call([self.guard, *self.validation, *self.requests], epoch)
        if epoch.stop is not None and epoch.stop.signum is None:
            epoch.last = True
            if epoch.row is None:  # the report needs the metrics of a validated epoch
                _call(self.validation, epoch)
        _call([] if self.checkpoints is None else [self.checkpoints], epoch)
        if epoch.stop is None:
            return False
        if epoch.stop.signum is not None:
            raise Stopped(epoch.stop.signum)
        self.console.notice(f"Training ends after epoch {number + 1}: {epoch.stop.reason}.")
        return True

    def _begin(self) -> tuple[AAEState, int, EpochFn]:
        """Initialise the weights while the epoch is compiled, or read from the compilation cache."""
        self.console.compiling()
        begun = time.perf_counter()
        lowered = self._lower()
        with ThreadPoolExecutor(1, "compile") as pool:
            compiling = pool.submit(compile_lowered, lowered, _program_key(self.setup))
            state, best = self._start()
            train_epoch = compiling.result()
        self.progress = TrainingProgress(best)
        self.compile_seconds = time.perf_counter() - begun
        return state, 0, train_epoch

    def _resume(self) -> tuple[AAEState, int, EpochFn]:
        lowered = self._lower()  # the metrics of a checkpoint within an epoch have its shapes
        state, first_epoch = self._restore()
        self.console.compiling()
        begun = time.perf_counter()
        train_epoch = compile_lowered(lowered)
        self.compile_seconds = time.perf_counter() - begun
        return state, first_epoch, train_epoch

    def _start(self) -> tuple[AAEState, Best]:
        state = self.plan.build_state()
        return state, initial_best(state, len(self.setup.seeds))

    def _lower(self) -> jax.stages.Lowered | LoweredStream:
        state = jax.eval_shape(self.plan.build_state)
        lowered = lower_epoch(self.plan.train_epoch, state, self.setup.data, self.plan.hyper, self.plan.keys)
        if isinstance(lowered, LoweredStream):
            self.metrics = lowered.metrics
        return lowered

    def _restore(self) -> tuple[AAEState, int]:
        folder = self.folder
        assert isinstance(folder, RunFolder), "a record in memory has no checkpoints"
        if not checkpoint.any_saved(folder.last):
            self.console.notice("No checkpoint was saved yet; the run starts over.")
            folder.cut_metrics(-1)
            state, best = self._start()
            self.progress = TrainingProgress(best)
            return state, 0
        refuse_other_modules(folder.last, self.setup)
        arrays = precomputed(self.setup)
        like = jax.eval_shape(lambda: self._start())
        further = (*arrays.values(), *([self.metrics] if self.metrics else []))
        restored = checkpoint.restore_latest(folder.last, (*like, *further), self.console.notice)
        state, best = restored.tree[:2]
        restored_arrays = dict(zip(arrays, restored.tree[2:], strict=False))
        self.setup = self.setup._replace(data=self.setup.data._replace(**restored_arrays))
        notes = checked_notes(restored.notes, folder.last)
        self._check_data(notes.data_sha256)
        refuse_other_settings(notes, self.setup, folder.path)
        self.progress = TrainingProgress(best, notes.failed, notes.seconds)
        folder.cut_metrics(notes.epoch)
        if notes.updates and self.metrics:
            metrics = {name: np.asarray(value)[:, : notes.updates] for name, value in restored.tree[-1].items()}
            self.begin = PartialEpoch(notes.updates, metrics)
        return state, notes.epoch + 1

    def _check_data(self, trained_on: str | None) -> None:
        current = self.setup.dataset.sha256
        if trained_on not in (None, current):  # None: a checkpoint of the first version
            raise InputError(
                f"The data have changed since the run started: SHA-256 {str(trained_on)[:9]}… then, {current[:9]}… "
                "now; restore the old data, or start a new run."
            )


def _program_key(setup: RunSetup) -> Hashable | None:
    """Return all settings of a run's program, but seed and traced numbers; None if it has code of a user's own."""
    config = setup.config
    if setup.networks.modules.named() or config.views.transform is not None or names_sampler(config):
        return None
    settings = {name: value for name, value in to_flat(config).items() if name != "seed"}
    for name, mark in marks_of(type(config)).items():  # arguments of the program, which differ in what zero removes
        if mark.value != "data":
            settings[name] = mark.zero != "number" and settings[name] > 0
    return setup.spec.name, repr(settings), len(setup.seeds), setup.members is None


def _call(callbacks: Sequence[Callback], epoch: EpochEnd) -> None:
    """Call callbacks in order and store the first request to stop."""
    for callback in callbacks:
        stop = callback.after_epoch(epoch)
        epoch.stop = epoch.stop or stop
