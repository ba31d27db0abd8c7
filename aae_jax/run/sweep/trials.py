"""Settings tried in memory, many in one program: what an optimiser of hyperparameters asks for."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from aae_jax.data import Dataset, Reporter
from aae_jax.evaluation import exact_share
from aae_jax.models.shared.splits import indices_for_seed, split_for_seed
from aae_jax.models.spec import ModelSpec
from aae_jax.priors.prior import Prior
from aae_jax.run.callbacks import AllSeedsFailed
from aae_jax.run.console import Console
from aae_jax.run.memory import RunMemory
from aae_jax.run.setup import adapted, settle
from aae_jax.run.sweep.members import chunk_size, members_of, prepare_chunk
from aae_jax.run.sweep.results import score_name
from aae_jax.run.sweep.settings import apply_setting, program_of
from aae_jax.run.trainer import Trainer

__all__ = ["Trials", "prepare_trials", "try_settings"]


class Trials(NamedTuple):
    """What all trials share.

    Attributes:
        spec: The model.
        config: Settled configuration, from which settings differ; without testing.
        dataset: The data.
        prior: Its prior, read once.
    """

    spec: ModelSpec
    config: Any
    dataset: Dataset
    prior: Prior | None

    @property
    def score(self) -> str:
        """Name of the measure on the validation images by which settings are compared; smaller is better."""
        return score_name(self.spec)

    def require(self, setting: Mapping[str, float]) -> None:
        """Refuse values that cannot be trained with on these data.

        Raises:
            InputError: A value is out of range, or there are not as many labels.
        """
        config = apply_setting(self.spec, self.config, setting)
        for seed in range(config.seed, config.seed + config.num_seeds):
            indices_for_seed(config, self.dataset, seed)

    def most_at_once(self, setting: Mapping[str, float]) -> int:
        """Return how many members of a setting fit into half of the free memory."""
        return chunk_size(self.spec, self.config, self.dataset, setting, self.prior, None)


def prepare_trials(spec: ModelSpec, config: Any, dataset: Dataset, prior: Prior | None) -> Trials:
    """Return what trials of a configuration share.

    Raises:
        InputError: The configuration and the data do not go together.
    """
    config = dataclasses.replace(config, test=False)
    split = split_for_seed(config, dataset, config.seed)
    spec = adapted(spec, dataset, split.validation_labels)
    return Trials(spec, settle(spec, config, dataset, split.pool), dataset, prior)


def try_settings(
    trials: Trials, settings: Sequence[Mapping[str, float]], size: int, console: Console, reporter: Reporter
) -> list[float | None]:
    """Train settings, those that may in one program together, and return their scores.

    A score is the mean over seeds of the last weights' score on the validation images; None where a seed failed.

    Args:
        trials: What they share.
        settings: Values by dotted name.
        size: The number of settings in a program: fewer are filled up with copies of the last, so that the programs
            of all calls have one shape and are compiled once.
        console: Console for progress.
        reporter: Receiver of lines about the data.
    """
    kinds: dict[tuple[Any, ...], list[int]] = {}
    for number, setting in enumerate(settings):
        kind = program_of(apply_setting(trials.spec, trials.config, setting))
        kinds.setdefault(kind, []).append(number)
    scores: list[float | None] = [None] * len(settings)
    for numbers in kinds.values():
        for first in range(0, len(numbers), size):
            part = numbers[first : first + size]
            filled = [settings[number] for number in part] + [settings[part[-1]]] * (size - len(part))
            for number, score in zip(part, _train(trials, filled, console, reporter), strict=False):
                scores[number] = score
    return scores


def _train(
    trials: Trials, settings: Sequence[Mapping[str, float]], console: Console, reporter: Reporter
) -> list[float | None]:
    """Train settings × seeds in one program, and return the score of each setting."""
    members = members_of(len(settings), trials.config)
    numbers = range(len(members))
    setup, plan = prepare_chunk(
        trials.spec, trials.config, trials.dataset, settings, members, numbers, trials.prior, reporter
    )
    console.setup = setup
    record = RunMemory()
    try:
        Trainer(setup, plan, record, console).run(resume=False, command="")
    except AllSeedsFailed:
        return [None] * len(settings)
    last = [np.nan if value is None else float(value) for value in record.read_rows()[-1][trials.score]]
    found = np.asarray(last, np.float64)
    if trials.spec.score in trials.spec.shares:
        found = exact_share(found, len(setup.validation_labels))
    means = found.reshape(len(settings), -1).mean(axis=1)
    return [float(mean) if np.isfinite(mean) else None for mean in means]
