"""Training state: weights, their moving averages, batch-norm statistics, optimizer states, step count."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from aae_jax.text import brief_fields
from aae_jax.types import Array, Params, Stats

__all__ = ["AAEState", "average", "evaluation_variables", "used_networks"]

AVERAGE_WARMUP = 10.0


class AAEState(NamedTuple):
    """Training state, an immutable pytree without a key, so that a resumed run draws the same numbers (ADR 0003).

    Attributes:
        params: Weights by network name.
        averaged_params: Exponential moving averages of the `used_networks`; empty if not kept.
        batch_stats: Running batch-norm moments by network name.
        averaged_stats: Moving averages of the moments; empty if not kept.
        opt_states: Optimizer states by *phase* name.
        step: Number of updates made, an int32 scalar.
    """

    params: Params
    averaged_params: Params
    batch_stats: Stats
    averaged_stats: Stats
    opt_states: Mapping[str, Any]
    step: Array

    def __repr__(self) -> str:
        """Return dtypes and shapes instead of values."""
        return brief_fields(self)


def used_networks(params: Params) -> dict[str, Any]:
    """Return the weights used after training, which are averaged and saved: all but the discriminators'."""
    return {name: weights for name, weights in params.items() if not name.startswith("discriminator")}


def average(state: AAEState, decay: Array) -> AAEState:
    """Update the moving averages: decay · old + (1 − decay) · new, with a smaller decay in the first steps.

    The decay at step t is min(decay, t / (t + 10)), so that the random initial weights are forgotten quickly. A state
    without averages is returned unchanged.
    """
    if not state.averaged_params:
        return state
    count = state.step.astype(jnp.float32)
    decay = jnp.minimum(decay, count / (count + AVERAGE_WARMUP))

    def blend(old: Array, new: Array) -> Array:
        return decay * old + (1.0 - decay) * new

    def advance(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        return {name: jax.tree.map(blend, old[name], new[name]) for name in old}

    return state._replace(
        averaged_params=advance(state.averaged_params, state.params),
        averaged_stats=advance(state.averaged_stats, state.batch_stats),
    )


def evaluation_variables(state: AAEState) -> tuple[Params, Stats]:
    """Return the weights and moments for evaluation: the averages if they are kept, else the last ones."""
    return (
        {**state.params, **state.averaged_params},
        {**state.batch_stats, **state.averaged_stats},
    )
