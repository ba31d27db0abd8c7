"""Training phases: an adversarial autoencoder is a table of phases, and a training step runs all of them in turn.

Each phase defines the networks to train, their loss and their optimizer. An encoder trained by several phases has
separate moments in each, because optimizer states belong to phases, not to networks.
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
from aae_jax.train.hyper import Numbers, Scalar
from aae_jax.train.state import AAEState, average, used_networks
from aae_jax.types import Array, Batch, Metrics, Params, PRNGKey, Schedule, Stats

__all__ = ["LossFn", "Phase", "StepFn", "build_train_step", "constant_schedule", "init_state", "phase_step"]


@runtime_checkable
class LossFn(Protocol):
    """`(params, stats, batch, hyper, key) -> (loss, (stats, metrics))`, differentiable with respect to `params`."""

    def __call__(
        self, params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey, /
    ) -> tuple[Array, tuple[Stats, Metrics]]:
        """Return the scalar loss, the updated batch-norm statistics and additional metrics."""
        ...


StepFn = Callable[[AAEState, Batch, PRNGKey], tuple[AAEState, Metrics]]


class Phase(NamedTuple):
    """One row of the table of phases.

    Attributes:
        trained: Names of the networks that the phase trains; all others are constants.
        loss: Scalar loss to minimise.
        optimizer: Any optax transformation. Those of `aae_jax.train.optimizers` take the traced learning rate
            `hyper.optimizers.<rate>.learning_rate * schedule(step, hyper.num_steps)` as an extra argument.
        every: Run at every n-th step only; at other steps its metrics are 0. Under `jax.vmap` the phase is skipped
            only if the state's `step` is not mapped (see `train.epoch.over_seeds`); otherwise it is computed at every
            step.
        updates_stats: Whether to keep the batch-norm statistics of this phase's loss; true for exactly one phase.
        rate: Name of the optimizer in the configuration whose learning rate is used; empty: the phase's name.
    """

    trained: tuple[str, ...]
    loss: LossFn
    optimizer: optax.GradientTransformation
    every: int = 1
    updates_stats: bool = False
    rate: str = ""

    def __repr__(self) -> str:
        """Return the phase on one line."""
        return brief_fields(self)


def init_state(networks: Networks, phases: Mapping[str, Phase], key: PRNGKey, *, averaging: bool = False) -> AAEState:
    """Initialise the weights from `key`, and each phase's optimizer for the networks that it trains."""
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
    """Return 1: the learning rate is constant."""
    del num_steps
    return jnp.ones_like(step, dtype=jnp.float32)


def phase_step(
    name: str,
    phase: Phase,
    state: AAEState,
    batch: Batch,
    hyper: Numbers,
    key: PRNGKey,
    rate: Array,
    *,
    at: AAEState | None = None,
) -> tuple[AAEState, Metrics]:
    """Update the networks `phase.trained` once with the gradient of `phase.loss`; the rest of `state` is unchanged.

    Metrics are prefixed by the phase's name and always include `"<phase>/loss"`. The gradient is evaluated at the
    weights and batch-norm moments of `at`, by default those of `state`.
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
    hyper: Numbers,
    schedule: Schedule = constant_schedule,
    *,
    order: UpdateOrder = "sequential",
) -> StepFn:
    """Return `(state, batch, key) -> (state, metrics)`, which runs every phase once, in the order of the table.

    Every phase gets the same key, so that phases that draw a view from the same named split of it see the same
    images, and XLA computes shared parts once (ADR 0003). With `order` "sequential", a phase sees the updates of the
    phases before it, as in the paper; "simultaneous" evaluates all gradients at the weights before the update, so
    that more is shared.
    """

    # User-defined numbers may be float64 under jax_enable_x64, which would change the dtypes of the state.
    hyper = jax.tree.map(lambda number: jnp.asarray(number, jnp.float32), hyper)

    def train_step(state: AAEState, batch: Batch, key: PRNGKey) -> tuple[AAEState, Metrics]:
        factor = jnp.asarray(schedule(state.step, jnp.asarray(hyper.num_steps)), jnp.float32)
        current = hyper.at(state.step)
        metrics: Metrics = {}
        begun = state if order == "simultaneous" else None
        for name, phase in phases.items():
            rate = jnp.asarray(_learning_rate(hyper, phase.rate or name), jnp.float32) * factor
            step = functools.partial(
                phase_step, name, phase, batch=batch, hyper=current, key=key, rate=rate, at=begun
            )
            state, more = _run_or_skip(phase, step, state)
            metrics |= more
        state = state._replace(step=state.step + 1)
        return average(state, jnp.asarray(hyper.averaging.decay if "averaging" in hyper else 0.0)), metrics

    return train_step


def _learning_rate(hyper: Numbers, optimizer: str) -> Scalar:
    optimizers = hyper.get("optimizers", {})
    rate: Scalar = optimizers[optimizer].learning_rate if optimizer in optimizers else 1.0
    return rate


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
