"""The heart: an adversarial autoencoder is a table of phases, and a step folds over it.

Each phase says which networks move, down which loss, by which optimizer. An encoder trained by several
phases keeps separate moments in each, because optimizer states belong to phases, not to networks.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax

from aae_jax.config import UpdateOrder
from aae_jax.networks import Networks
from aae_jax.text import brief_fields
from aae_jax.train.hyper import Hyper
from aae_jax.train.state import AAEState, average, used_networks
from aae_jax.types import Array, Batch, Metrics, Params, PRNGKey, Schedule, Stats

__all__ = ["LossFn", "Phase", "StepFn", "build_train_step", "constant_schedule", "init_state", "phase_step"]


@runtime_checkable
class LossFn(Protocol):
    """`(params, stats, batch, hyper, key) -> (loss, (stats, metrics))`, differentiated in some of `params`."""

    def __call__(
        self, params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey, /
    ) -> tuple[Array, tuple[Stats, Metrics]]:
        """Return the scalar loss, the advanced batch statistics and further metrics."""
        ...


StepFn = Callable[[AAEState, Batch, PRNGKey], tuple[AAEState, Metrics]]


class Phase(NamedTuple):
    """One row of the table.

    Attributes:
        trained: Names of the networks this phase moves; all others are constants to it.
        loss: The scalar to go down.
        optimizer: Any optax transformation. Those of `aae_jax.train.optimizers` take the traced rate
            `hyper.learning_rates[phase] * schedule(step, hyper.num_steps)` as extra argument.
        every: Run at every n-th step only; at the others its metrics are 0. Under `jax.vmap` it rests as long as the
            state's `step` is not mapped (see `training.over_seeds`); else it is computed at every step.
        updates_stats: Whether the batch statistics of this phase's loss are kept: true of one phase.
    """

    trained: tuple[str, ...]
    loss: LossFn
    optimizer: optax.GradientTransformation
    every: int = 1
    updates_stats: bool = False

    def __repr__(self) -> str:
        """Return the row in a line."""
        return brief_fields(self)


def init_state(networks: Networks, phases: Mapping[str, Phase], key: PRNGKey, *, averaging: bool = False) -> AAEState:
    """Draw weights from `key` and set up each phase's optimizer on the networks that the phase trains."""
    params, stats = networks.init(key)
    opt_states = {
        name: phase.optimizer.init({network: params[network] for network in phase.trained})
        for name, phase in phases.items()
    }
    averaged = tuple(used_networks(params)) if averaging else ()
    return AAEState(
        params=params,
        averaged_params={name: jax.tree.map(jnp.copy, params[name]) for name in averaged},
        batch_stats=stats,
        averaged_stats={name: jax.tree.map(jnp.copy, stats[name]) for name in averaged if name in stats},
        opt_states=opt_states,
        step=jnp.zeros((), jnp.int32),
    )


def constant_schedule(step: Array, num_steps: Array) -> Array:
    """Return 1: the learning rate stays as it is."""
    del num_steps
    return jnp.ones_like(step, dtype=jnp.float32)


def phase_step(
    name: str,
    phase: Phase,
    state: AAEState,
    batch: Batch,
    hyper: Hyper,
    key: PRNGKey,
    rate: Array,
    *,
    at: AAEState | None = None,
) -> tuple[AAEState, Metrics]:
    """Move `phase.trained` once down `phase.loss`; everything else in `state` stays as it is.

    Metrics are prefixed by the phase's name; `"<phase>/loss"` is always among them. The gradient is taken at the
    weights and moments of `at`, by default those of `state`.
    """
    at = state if at is None else at

    def loss_of(trained: Params) -> tuple[Array, tuple[Stats, Metrics]]:
        return phase.loss({**at.params, **trained}, at.batch_stats, batch, hyper, key)

    where = {network: at.params[network] for network in phase.trained}
    (loss, (stats, metrics)), gradients = jax.value_and_grad(loss_of, has_aux=True)(where)
    trained = {network: state.params[network] for network in phase.trained}
    optimizer = optax.with_extra_args_support(phase.optimizer)
    updates, opt_state = optimizer.update(gradients, state.opt_states[name], trained, learning_rate=rate)
    moved: Any = optax.apply_updates(trained, updates)
    state = state._replace(
        params={**state.params, **moved},
        batch_stats=stats if phase.updates_stats else state.batch_stats,
        opt_states={**state.opt_states, name: opt_state},
    )
    return state, {f"{name}/{metric}": value for metric, value in {"loss": loss, **metrics}.items()}


def build_train_step(
    phases: Mapping[str, Phase],
    hyper: Hyper,
    schedule: Schedule = constant_schedule,
    *,
    order: UpdateOrder = "sequential",
) -> StepFn:
    """Return `(state, batch, key) -> (state, metrics)`: every phase of the table once, in its order.

    Every phase gets the same key, so that two phases which draw a view from the same named split of it
    see the same images, and XLA computes what they share once (ADR 0003). In `order` "sequential" a phase sees what
    the phases before it have moved, as in the paper; "simultaneous" takes every phase's gradient at the weights with
    which the update begins, so that more is shared.
    """

    # Numbers of a user's own may be float64 under jax_enable_x64: the state would change its types.
    hyper = jax.tree.map(lambda number: jnp.asarray(number, jnp.float32), hyper)

    def train_step(state: AAEState, batch: Batch, key: PRNGKey) -> tuple[AAEState, Metrics]:
        factor = jnp.asarray(schedule(state.step, jnp.asarray(hyper.num_steps)), jnp.float32)
        current = hyper.at(state.step)
        metrics: Metrics = {}
        begun = state if order == "simultaneous" else None
        for name, phase in phases.items():
            rate = jnp.asarray(hyper.learning_rates.get(name, 1.0), jnp.float32) * factor
            step = functools.partial(
                phase_step, name, phase, batch=batch, hyper=current, key=key, rate=rate, at=begun
            )
            state, more = _run_or_skip(phase, step, state)
            metrics |= more
        state = state._replace(step=state.step + 1)
        return average(state, jnp.asarray(hyper.average_decay)), metrics

    return train_step


def _run_or_skip(
    phase: Phase, run: Callable[[AAEState], tuple[AAEState, Metrics]], state: AAEState
) -> tuple[AAEState, Metrics]:
    if phase.every == 1:
        return run(state)
    shapes = jax.eval_shape(run, state)[1]

    def skip(state: AAEState) -> tuple[AAEState, Metrics]:
        return state, {k: jnp.zeros(v.shape, v.dtype) for k, v in shapes.items()}

    result: tuple[AAEState, Metrics] = jax.lax.cond(state.step % phase.every == 0, run, skip, state)
    return result
