"""The state: how it starts, and the moving averages."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.train.phases import init_state
from aae_jax.train.state import average, evaluation_variables
from tests.conftest import toy_networks, toy_phases

KEY = jax.random.key(0)


def start(*, averaging):
    return init_state(toy_networks(), toy_phases(), KEY, averaging=averaging)


def moved(state, amount):
    return state._replace(
        params=jax.tree.map(lambda x: x + amount, state.params),
        batch_stats=jax.tree.map(lambda x: x - amount, state.batch_stats),
        step=state.step + 1,
    )


def test_a_state_starts_at_step_zero_with_one_optimizer_state_for_each_phase():
    state = start(averaging=False)
    assert state.step == 0
    assert state.step.dtype == jnp.int32
    assert state.opt_states.keys() == toy_phases().keys()
    # Adam's two moments (and count) of encoder and decoder; heavy-ball momentum of the encoder.
    assert len(jax.tree.leaves(state.opt_states["rebuild"])) == 5
    assert len(jax.tree.leaves(state.opt_states["pull"])) == 1


def test_there_is_no_key_in_a_state():
    leaves = jax.tree.leaves(start(averaging=True))
    assert not any(jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves)


def test_the_key_alone_decides_the_weights():
    first, again = start(averaging=False), start(averaging=False)
    chex.assert_trees_all_equal(first, again)
    other = init_state(toy_networks(), toy_phases(), jax.random.key(1))
    assert not np.allclose(first.params["encoder"]["kernel"], other.params["encoder"]["kernel"])


@pytest.mark.parametrize("decay", [0.9, 0.1])
def test_averages_follow_the_formula_with_its_warm_up(decay):
    state = start(averaging=True)
    expected, expected_mean = np.asarray(state.params["encoder"]["kernel"]), 0.0
    for step in range(1, 6):
        state = average(moved(state, 0.5 * step), jnp.array(decay))
        share = min(decay, step / (step + 10.0))
        expected = share * expected + (1 - share) * np.asarray(state.params["encoder"]["kernel"])
        expected_mean = share * expected_mean + (1 - share) * float(state.batch_stats["encoder"]["mean"])
        np.testing.assert_allclose(state.averaged_params["encoder"]["kernel"], expected, rtol=1e-5)
        np.testing.assert_allclose(state.averaged_stats["encoder"]["mean"], expected_mean, rtol=1e-5)


def test_the_warm_up_ends():
    state = start(averaging=True)._replace(step=jnp.array(10_000))
    far = average(moved(state, 1.0), jnp.array(0.75))
    gain = far.averaged_params["encoder"]["kernel"] - state.params["encoder"]["kernel"]
    np.testing.assert_allclose(gain, 0.25, rtol=1e-5)


def test_averaging_moves_nothing_but_the_averages():
    state = moved(start(averaging=True), 1.0)
    averaged = average(state, jnp.array(0.5))
    unchanged = ("params", "batch_stats", "opt_states", "step")
    for field in unchanged:
        chex.assert_trees_all_equal(getattr(averaged, field), getattr(state, field))


def test_nothing_is_kept_without_averaging():
    state = start(averaging=False)
    assert not state.averaged_params
    assert not state.averaged_stats
    assert average(state, jnp.array(0.9)) is state


def test_evaluation_takes_the_averages_where_they_are_kept():
    state = start(averaging=True)
    state = state._replace(params={**state.params, "discriminator_z": {"kernel": jnp.ones(2)}})
    state = moved(state, 1.0)
    params, stats = evaluation_variables(state)
    assert params.keys() == {"encoder", "decoder", "discriminator_z"}
    for name in ("encoder", "decoder"):
        chex.assert_trees_all_equal(params[name], state.averaged_params[name])
        assert not np.allclose(params[name]["kernel"], state.params[name]["kernel"])
    chex.assert_trees_all_equal(params["discriminator_z"], state.params["discriminator_z"])
    chex.assert_trees_all_equal(stats["encoder"], state.averaged_stats["encoder"])


def test_evaluation_takes_the_last_weights_where_no_averages_are_kept():
    state = moved(start(averaging=False), 1.0)
    chex.assert_trees_all_equal(evaluation_variables(state), (state.params, state.batch_stats))
