"""Training plans: phases, initial state, compiled epoch, traced hyperparameters, keys and length of one training."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from aae_jax.config import LabelledConfig
from aae_jax.data.stored import StoredImages
from aae_jax.models.spec import RunSetup, SeedKeys
from aae_jax.train.epoch import EpochFn, build_train_epoch, over_seeds
from aae_jax.train.hyper import Numbers, traced
from aae_jax.train.optimizers import build_schedule
from aae_jax.train.phases import Phase, init_state
from aae_jax.train.state import AAEState
from aae_jax.train.stream import StreamedTraining, updates_per_chunk
from aae_jax.types import PRNGKey

__all__ = ["TrainingPlan", "main_plan", "plan_training"]


class TrainingPlan(NamedTuple):
    """One training: phases, initial state, epoch, traced hyperparameters, keys and number of epochs."""

    phases: dict[str, Phase]
    build_state: Callable[[], AAEState]
    train_epoch: EpochFn | StreamedTraining
    hyper: Numbers
    keys: SeedKeys
    epochs: int


def main_plan(setup: RunSetup, hypers: Numbers | None = None) -> TrainingPlan:
    """Return the training plan of a run's model; `hypers`: hyperparameters of each seed, with leaves `[seeds]`."""
    phases = setup.spec.build_phases(
        setup.networks, setup.config, num_classes=setup.dataset.num_classes, prior=setup.prior
    )
    return plan_training(setup, phases, setup.keys.train, setup.epochs, hypers)


def plan_training(
    setup: RunSetup, phases: dict[str, Phase], keys: SeedKeys, epochs: int, hypers: Numbers | None = None
) -> TrainingPlan:
    """Return the plan that trains the given phases for `epochs` passes over a setup's data."""
    config = setup.config
    averaging = config.averaging.decay > 0

    @jax.jit
    @jax.vmap
    def init(key: PRNGKey) -> AAEState:
        return init_state(setup.networks, phases, key, averaging=averaging)

    def build_state() -> AAEState:
        state: AAEState = init(setup.keys.init)
        return state

    epoch = _build_epoch(setup, phases, own_hyper=hypers is not None)
    hyper = traced(config, epochs * setup.steps_per_epoch) if hypers is None else hypers
    return TrainingPlan(phases, build_state, epoch, hyper, keys, epochs)


def _build_epoch(setup: RunSetup, phases: dict[str, Phase], *, own_hyper: bool) -> EpochFn | StreamedTraining:
    """Return the epoch of all seeds: one program, or chunks whose images are read while the device computes."""
    config, pool = setup.config, setup.data.pool
    options: dict[str, Any] = {
        "batch_size": config.batch_size,
        "labelled_batch_size": config.labelled_batch_size if isinstance(config, LabelledConfig) else 1,
        "output": config.network.output,
        "schedule": build_schedule(config),
        "order": config.update_order,
    }
    if not isinstance(pool, StoredImages):
        return over_seeds(build_train_epoch(phases, **options), own_hyper=own_hyper)
    updates = updates_per_chunk(
        config.stream_updates,
        pool_size=len(pool),
        batch_size=config.batch_size,
        image_bytes=pool.image_bytes,
        seeds=len(setup.seeds),
    )
    return StreamedTraining(phases=phases, **options, own_hyper=own_hyper, updates=updates)
