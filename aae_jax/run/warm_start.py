"""Initial weights of a run from a trained model."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from aae_jax.errors import InputError
from aae_jax.models.shared.plan import TrainingPlan
from aae_jax.saved.model import Model
from aae_jax.train.state import AAEState
from aae_jax.types import Params, Stats

__all__ = ["warm_started"]


def warm_started(plan: TrainingPlan, model: Model) -> TrainingPlan:
    """Return a plan whose networks start from a model's weights and moments; discriminators start anew.

    Every seed starts from the same weights. Optimizer states are new.

    Raises:
        InputError: The networks of the model have other names or sizes.
    """
    like = jax.eval_shape(plan.build_state)
    _check(like.params, model.params, "weights")
    _check(like.batch_stats, model.stats, "batch-norm moments")

    def build_state() -> AAEState:
        state = plan.build_state()
        seeds = state.step.shape[0]
        params, stats = jax.tree.map(
            lambda leaf: jnp.broadcast_to(jnp.asarray(leaf), (seeds, *jnp.shape(leaf))) + 0,
            (dict(model.params), dict(model.stats)),
        )
        return state._replace(
            params={**state.params, **params},
            batch_stats={**state.batch_stats, **stats},
            averaged_params=_copies(state.averaged_params, params),
            averaged_stats=_copies(state.averaged_stats, stats),
        )

    return plan._replace(build_state=build_state)


def _copies(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return copies of the new values under the old names: averages are not the weights, which are donated."""
    return {name: jax.tree.map(jnp.copy, new.get(name, value)) for name, value in old.items()}


def _check(like: Params | Stats, given: Params | Stats, what: str) -> None:
    """Refuse weights whose names or shapes are not those of the new networks."""
    for name, leaves in given.items():
        expected = None if name not in like else jax.tree.map(lambda leaf: leaf.shape[1:], like[name])
        if expected != jax.tree.map(jnp.shape, leaves):
            raise InputError(
                f"The {what} of the model to start from do not fit the {name.replace('_', ' ')} of this "
                "configuration; give the network settings of that model (model.network)."
            )
