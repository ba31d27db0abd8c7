"""Callbacks for users: early stopping, and metrics passed on to a logger."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from aae_jax.errors import InputError
from aae_jax.run.callbacks import EpochEnd, Stop

__all__ = ["EarlyStopping", "LogTo", "Logger"]


@dataclass
class EarlyStopping:
    """End of training once the validation score has not improved for some validations.

    With several seeds, training ends when none of them has improved. `Run.best_model` has the best weights. Learning
    rates that fall towards the planned end (the default schedule) have not fallen yet when a run stops early.

    Attributes:
        patience: Number of validations without an improvement after which training ends.
        min_epochs: Number of epochs before which it does not end.

    Raises:
        InputError: `patience` is below 1.
    """

    patience: int = 10
    min_epochs: int = 0

    def __post_init__(self) -> None:
        """Refuse a patience below 1."""
        if self.patience < 1:
            raise InputError(f"patience is {self.patience}; give at least 1.")

    def after_epoch(self, epoch: EpochEnd) -> Stop | None:
        """Count the validations since the best one, also of a run that was resumed in between."""
        if epoch.row is None:
            return None
        best = max(epoch.best_epochs)
        if best < 0:  # no score could be measured
            return None
        since = (epoch.number + 1) // epoch.evaluate_every - (best + 1) // epoch.evaluate_every
        if since < self.patience or epoch.number + 1 < self.min_epochs:
            return None
        name = epoch.score.removeprefix("validation_").replace("_", " ")
        return Stop(f"the validation {name} has not improved for {since} validations")


@runtime_checkable
class Logger(Protocol):
    """Receiver of a run's settings and metrics; docs/python.md has adapters for TensorBoard, MLflow and W&B."""

    def settings(self, values: Mapping[str, Any], /) -> None:
        """Receive the settings of a run, by dotted names, before its first metrics."""
        ...

    def metrics(self, values: Mapping[str, float], update: int, /) -> None:
        """Receive the metrics after so many updates: finite numbers, with the seed's index in the name if several."""
        ...


@dataclass
class LogTo:
    """Callback that passes settings and metrics on to a logger."""

    logger: Logger

    def before_training(self, settings: Mapping[str, Any]) -> None:
        """Pass the settings on."""
        self.logger.settings(settings)

    def after_epoch(self, epoch: EpochEnd) -> None:
        """Pass the row of a validated epoch on."""
        if epoch.row is not None:
            self.logger.metrics(_scalars(epoch.row), epoch.update)


def _scalars(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers of a row of metrics, one per seed."""
    numbers: dict[str, float] = {}
    for name, value in row.items():
        values = np.atleast_1d(np.asarray(value, np.float64))
        several = len(values) > 1
        numbers |= {
            f"{name}/{place}" if several else name: float(number)
            for place, number in enumerate(values)
            if np.isfinite(number)
        }
    return numbers
