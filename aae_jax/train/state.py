"""What training carries from step to step: weights, their average, running statistics, moments, the count."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from aae_jax.text import brief_fields
from aae_jax.types import Array, Params, Stats

__all__ = ["AAEState", "average", "evaluation_variables", "used_networks"]

AVERAGE_WARMUP = 10.0


class AAEState(NamedTuple):
    """An immutable pytree; no key in it, so that a resumed run draws the same numbers (ADR 0003).

    Attributes:
        params: Weights by network name.
        averaged_params: Exponential moving averages of the `used_networks`; empty when not kept.
        batch_stats: Running batch-norm moments by network name.
        averaged_stats: The moments' averages; empty when not kept.
        opt_states: The optimizer's state by *phase* name.
        step: Number of updates made, an int32 scalar.
    """

    params: Params
    averaged_params: Params
    batch_stats: Stats
    averaged_stats: Stats
    opt_states: Mapping[str, Any]
    step: Array

    def __repr__(self) -> str:
        """Return types and shapes instead of numbers."""
        return brief_fields(self)


def used_networks(params: Params) -> dict[str, Any]:
    """Return the weights that are used after training, and so averaged and saved: all but the adversaries'."""
    return {name: weights for name, weights in params.items() if not name.startswith("discriminator")}


def average(state: AAEState, decay: Array) -> AAEState:
    """Advance the moving averages: decay · old + (1 − decay) · new, with a smaller decay in the first steps.

    The decay at step t is min(decay, t / (t + 10)), so that the random start is forgotten at once.
    Does nothing for a state that keeps no averages.
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
    """Return the weights and moments to evaluate: the averages where they are kept, else the last ones."""
    return (
        {**state.params, **state.averaged_params},
        {**state.batch_stats, **state.averaged_stats},
    )
