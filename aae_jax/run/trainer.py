"""Training loop of a run: epochs, validation, best weights, failed seeds, checkpoints, interruption."""

import contextlib
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.errors import InputError
from aae_jax.evaluation import exact_share
from aae_jax.evaluation.health import VALIDATION
from aae_jax.models.shared.plan import TrainingPlan
from aae_jax.models.spec import RunSetup
from aae_jax.run.checkpoint_notes import checked_notes, refuse_other_settings, settings_of
from aae_jax.run.console import Console
from aae_jax.run.measures import build_seed_measure, flat
from aae_jax.run.process import Interruption, start_is_over
from aae_jax.run.run_dir import RunFolder, source_commit
from aae_jax.run.watch import Watch
from aae_jax.train import checkpoint
from aae_jax.train.epoch import EpochFn
from aae_jax.train.fit import compile_lowered, fit, lower_epoch
from aae_jax.train.phases import Phase
from aae_jax.train.state import AAEState, evaluation_variables, used_networks
from aae_jax.types import Array, Metrics, Params, Stats

__all__ = ["AllSeedsFailed", "Best", "Outcome", "Stopped", "Trainer", "active_means", "first_failure"]


class Stopped(Exception):  # noqa: N818 - not an error, a request
    """The user asked the run to stop; the state is saved."""

    def __init__(self, signum: int) -> None:
        """Store the signal's number."""
        super().__init__(signum)
        self.signum = signum


class AllSeedsFailed(Exception):  # noqa: N818 - the name is the sentence
    """The losses of every seed became non-finite."""


class Best(NamedTuple):
    """Weights with the best validation score, per seed: all arrays have a leading seed axis."""

    params: Params
    stats: Stats
    error: Array
    epoch: Array


class Outcome(NamedTuple):
    """Result of training."""

    state: AAEState
    best: Best
    failed: Mapping[int, Mapping[str, Any]]
    seconds: float
    compile_seconds: float
    updates: int


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


def _all_finite(params: Params) -> Array:
    """Return whether every weight of one seed is finite."""
    return jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(params)]).all()


class Trainer:
    """Trainer of all seeds of a plan in parallel that keeps the run folder up to date."""

    def __init__(self, setup: RunSetup, plan: TrainingPlan, folder: RunFolder, console: Console) -> None:
        """Build the validation measures; training is compiled in `run`."""
        self.setup, self.plan, self.folder, self.console = setup, plan, folder, console
        self.failed: dict[int, dict[str, Any]] = {}
        self.seconds_before = 0.0
        self.measure = build_seed_measure(setup, plan.hyper)
        self.update_best = jax.jit(_update_best)
        self.finite = jax.jit(jax.vmap(_all_finite))

    def run(self, *, resume: bool, command: str) -> Outcome:
        """Train from the start, or from the newest checkpoint; the last state is saved in either case.

        The `command` is recorded in the folder, with the commit, once the initial state exists.

        Raises:
            Stopped: A signal requested it; the state is saved.
            AllSeedsFailed: No seed is finite any more; the previous checkpoint is kept.
        """
        state, self.best, first_epoch, train_epoch = self._resume() if resume else self._begin()
        self.folder.write_origin(command, source_commit())
        self.console.training_starts(self.compile_seconds, first_epoch)
        start_is_over()
        self.started = self.saved = time.perf_counter()
        self.watch = Watch(self.setup, self.folder, first_epoch=first_epoch, notice=self.console.notice)
        with contextlib.closing(self.watch), Interruption() as self.interruption:
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
        updates = self.plan.epochs * self.setup.steps_per_epoch
        return Outcome(state, self.best, self.failed, self.seconds, self.compile_seconds, updates)

    @property
    def seconds(self) -> float:
        """Training time so far in seconds, including the time before a resume."""
        return self.seconds_before + time.perf_counter() - self.started

    def _begin(self) -> tuple[AAEState, Best, int, EpochFn]:
        """Initialise the weights while the epoch is compiled, or read from the compilation cache."""
        self.console.compiling()
        begun = time.perf_counter()
        lowered = self._lower(jax.eval_shape(self.plan.build_state))
        with ThreadPoolExecutor(1, "compile") as pool:
            compiling = pool.submit(compile_lowered, lowered)
            state, best = self._start()
            train_epoch = compiling.result()
        self.compile_seconds = time.perf_counter() - begun
        return state, best, 0, train_epoch

    def _resume(self) -> tuple[AAEState, Best, int, EpochFn]:
        state, best, first_epoch = self._restore()
        self.console.compiling()
        begun = time.perf_counter()
        train_epoch = compile_lowered(self._lower(state))
        self.compile_seconds = time.perf_counter() - begun
        return state, best, first_epoch, train_epoch

    def _start(self) -> tuple[AAEState, Best]:
        state = self.plan.build_state()
        return state, self._no_best(state)

    def _no_best(self, state: AAEState) -> Best:
        params, stats = self._kept(state)
        seeds = len(self.setup.seeds)
        params, stats = jax.jit(lambda tree: jax.tree.map(jnp.copy, tree))((params, stats))
        return Best(params, stats, error=jnp.full(seeds, jnp.inf, jnp.float32), epoch=jnp.full(seeds, -1, jnp.int32))

    def _kept(self, state: AAEState) -> tuple[Params, Stats]:
        params, stats = evaluation_variables(state)
        return used_networks(params), stats

    def _lower(self, state: AAEState) -> jax.stages.Lowered:
        return lower_epoch(self.plan.train_epoch, state, self.setup.data, self.plan.hyper, self.plan.keys)

    def _restore(self) -> tuple[AAEState, Best, int]:
        if not checkpoint.any_saved(self.folder.last):
            self.console.notice("No checkpoint was saved yet: the run begins anew.")
            self.folder.cut_metrics(-1)
            return (*self._start(), 0)
        found = self._found_before()
        like = jax.eval_shape(lambda: self._start())
        restored = checkpoint.restore_latest(self.folder.last, (*like, *found.values()), self.console.notice)
        state, best = restored.tree[:2]
        as_they_were = dict(zip(found, restored.tree[2:], strict=True))
        self.setup = self.setup._replace(data=self.setup.data._replace(**as_they_were))
        notes = checked_notes(restored.notes, self.folder.last)
        self._check_data(notes.data_sha256)
        refuse_other_settings(notes, self.setup, self.folder.path)
        self.failed = notes.failed
        self.seconds_before = notes.seconds
        self.folder.cut_metrics(notes.epoch)
        return state, best, notes.epoch + 1

    def _found_before(self) -> dict[str, Array]:
        """Return arrays computed from the data before training, whose last bits depend on the number of threads."""
        data = self.setup.data
        found = {"targets": data.targets, "neighbours": data.neighbours}
        return {name: value for name, value in found.items() if value is not None}

    def _check_data(self, began_with: str | None) -> None:
        found = self.setup.dataset.sha256
        if began_with not in (None, found):  # None: a checkpoint of the first version
            raise InputError(
                f"The data have changed since the run began: SHA-256 {str(began_with)[:9]}… then, {found[:9]}… now; "
                "bring the old ones back, or start a new run."
            )

    def _after_epoch(self, epoch: int, state: AAEState, metrics: Metrics) -> bool:
        self._note_failures(epoch, state, metrics)
        last = epoch + 1 == self.plan.epochs
        if last or (epoch + 1) % (self.setup.config.evaluate_every or 1) == 0:
            self._evaluate(epoch, state, metrics)
        due = time.perf_counter() - self.saved >= self.setup.config.checkpoint_seconds
        if last or due or self.interruption.signum is not None:
            self._save(epoch, state)
        if self.interruption.signum is not None:
            raise Stopped(self.interruption.signum)
        return False

    def _note_failures(self, epoch: int, state: AAEState, metrics: Metrics) -> None:
        finite = np.asarray(self.finite(state.params))
        for index, seed in enumerate(self.setup.seeds):
            if seed in self.failed:
                continue
            failure = first_failure(metrics, index, self.plan.phases)
            if failure is None and not finite[index]:
                failure = self.setup.steps_per_epoch - 1, list(self.plan.phases)[-1]
            if failure is not None:
                update = epoch * self.setup.steps_per_epoch + failure[0] + 1
                self.failed[seed] = {"update": update, "phase": failure[1]}
                self.console.notice(
                    f"{self.setup.called} {seed} failed: phase {failure[1]} is not finite at update {update}."
                )
        if len(self.failed) == len(self.setup.seeds):
            self._append_failure(epoch, metrics)
            raise AllSeedsFailed

    def _append_failure(self, epoch: int, metrics: Metrics) -> None:
        """Append a row of metrics without values: weights that are not finite are not evaluated."""
        nothing = np.full(len(self.setup.seeds), np.nan)
        update = (epoch + 1) * self.setup.steps_per_epoch
        row = {"epoch": epoch, "update": update, **dict.fromkeys(sorted(metrics), nothing)}
        self.folder.append_metrics({**row, "seconds": round(self.seconds, 3)})
        self.folder.write_csv(self.setup.seeds)

    def _evaluate(self, epoch: int, state: AAEState, metrics: Metrics) -> None:
        params, stats = self._kept(state)
        setup = self.setup
        images, labels = setup.validation_images, setup.validation_labels
        measures = self.measure(*evaluation_variables(state), images, labels)
        score = measures[setup.spec.score]
        self.best = self.update_best(self.best, params, stats, score, jnp.asarray(epoch, jnp.int32))
        alive = np.asarray([seed not in self.failed for seed in setup.seeds])
        found = flat(measures)
        for name in found.keys() & set(setup.spec.shares):
            found[name] = exact_share(found[name], len(labels))
        shown = {name: np.where(alive, value, np.nan) for name, value in found.items()}
        means = active_means(metrics, self.plan.phases, epoch * self.setup.steps_per_epoch)
        update = (epoch + 1) * self.setup.steps_per_epoch
        row = {
            "epoch": epoch,
            "update": update,
            **{f"{VALIDATION}{name}": value for name, value in shown.items()},
            **means,
            "seconds": round(self.seconds, 3),
        }
        self.folder.append_metrics(row)
        self.folder.write_csv(self.setup.seeds)
        self.watch.evaluated(epoch, row, params, stats)
        self.console.progress(epoch, update, shown[setup.spec.score], means, self.seconds)

    def _save(self, epoch: int, state: AAEState) -> None:
        notes = {
            "epoch": epoch,
            "seconds": self.seconds,
            "failed": self.failed,
            "data_sha256": self.setup.dataset.sha256,
            **settings_of(self.setup),
        }
        checkpoint.save(self.folder.best, epoch, self.best, notes, keep=1)
        checkpoint.save(self.folder.last, epoch, (state, self.best, *self._found_before().values()), notes)
        self.saved = time.perf_counter()
