"""Saving of a run's state for `--resume`: after epochs, and within those of a streamed run."""

import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from aae_jax.models.spec import RunSetup
from aae_jax.run.callbacks import EpochEnd, TrainingProgress, precomputed
from aae_jax.run.checkpoint_notes import settings_of
from aae_jax.run.run_dir import RunFolder
from aae_jax.train import checkpoint
from aae_jax.train.state import AAEState
from aae_jax.train.stream import PartialEpoch

__all__ = ["NOT_BEGUN", "Checkpoints"]

NOT_BEGUN = PartialEpoch(0, {})


class Checkpoints:
    """Saving of the state at the end, every `checkpoint_seconds`, and before training stops.

    The checkpoints of a streamed run have one part more: the metrics of the updates so far of an unfinished epoch.
    """

    def __init__(
        self,
        setup: RunSetup,
        progress: TrainingProgress,
        folder: RunFolder,
        metrics: Mapping[str, jax.ShapeDtypeStruct] | None = None,
    ) -> None:
        """Save to `folder`; the first interval starts now. `metrics`: shapes of those of a streamed epoch."""
        self.setup, self.progress, self.folder, self.metrics = setup, progress, folder, metrics or {}
        self.saved = time.perf_counter()

    def after_epoch(self, epoch: EpochEnd) -> None:
        """Save if it is due."""
        if epoch.last or self.due or epoch.stop is not None:
            self.save(epoch)

    @property
    def due(self) -> bool:
        """Whether the time between checkpoints is over."""
        return time.perf_counter() - self.saved >= float(self.setup.config.checkpoint_seconds)

    def save(self, epoch: EpochEnd) -> None:
        """Save the state and the best weights."""
        notes = self._notes(epoch.number)
        checkpoint.save(self.folder.best, epoch.number, self.progress.best, notes, keep=1)
        self._save_last(epoch.number, epoch.state, notes, NOT_BEGUN)

    def save_within(self, number: int, state: AAEState, so_far: PartialEpoch) -> None:
        """Save the state within epoch `number` of a streamed run, under the number that its end will have."""
        self._save_last(number, state, {**self._notes(number - 1), "updates": so_far.updates}, so_far)

    def _notes(self, finished: int) -> dict[str, Any]:
        return {
            "epoch": finished,
            "seconds": self.progress.seconds,
            "failed": self.progress.failed,
            "data_sha256": self.setup.dataset.sha256,
            **settings_of(self.setup),
        }

    def _save_last(self, number: int, state: AAEState, notes: dict[str, Any], so_far: PartialEpoch) -> None:
        tree = (state, self.progress.best, *precomputed(self.setup).values(), *self._metrics(so_far))
        checkpoint.save(self.folder.last, number, tree, notes)
        self.saved = time.perf_counter()

    def _metrics(self, so_far: PartialEpoch) -> tuple[dict[str, np.ndarray], ...]:
        """Return the metrics of an epoch's updates so far, padded to those of an epoch; none without streaming."""
        padded = {name: np.zeros(leaf.shape, leaf.dtype) for name, leaf in self.metrics.items()}
        for name, values in so_far.metrics.items():
            padded[name][:, : so_far.updates] = values
        return (padded,) if padded else ()
