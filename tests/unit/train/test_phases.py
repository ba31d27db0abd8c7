"""The alternating update: who moves in which phase, by how much, and when."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aae_jax.config import NetworkConfig
from aae_jax.models.semi_supervised import phases as semi_supervised
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig, WeightsConfig
from aae_jax.networks import build_mlp_networks
from aae_jax.train import optimizers
from aae_jax.train.hyper import traced, warmed_up
from aae_jax.train.phases import build_train_step, constant_schedule, init_state, phase_step
from aae_jax.types import Batch
from tests.conftest import changed, flat, quick_init, toy_hyper, toy_networks, toy_phases, uniform

pytestmark = pytest.mark.usefixtures("quick_compile")

CONFIG = SemiSupervisedConfig(
    network=NetworkConfig(hidden=(16, 16), discriminator_hidden=(16,), latent_dim=3, batch_norm=True),
    weights=WeightsConfig(consistency=1.0),
)
NETWORKS = quick_init(build_mlp_networks(CONFIG.network, (8, 8), 10))
PHASES = semi_supervised.build_phases(NETWORKS, CONFIG, num_classes=10)
TRAINED = {
    "reconstruction": {"encoder", "decoder"},
    "discriminator_z": {"discriminator_z"},
    "discriminator_y": {"discriminator_y"},
    "generator": {"encoder"},
    "classification": {"encoder"},
}
KEY = jax.random.key(5)
RATE = jnp.array(0.1)


def build_batch(size, count=6):
    images, labelled = (uniform(seed, count, size, size) for seed in (9, 10))
    return Batch(images, labelled, jnp.asarray(np.arange(count) % 3))


@pytest.fixture(scope="module")
def state():
    return init_state(NETWORKS, PHASES, jax.random.key(0), averaging=True)


def test_the_table_names_five_phases_in_the_order_of_the_paper():
    assert tuple(PHASES) == semi_supervised.PHASES
    assert {name: set(phase.trained) for name, phase in PHASES.items()} == TRAINED


def test_exactly_one_phase_keeps_its_batch_statistics():
    assert [name for name, phase in PHASES.items() if phase.updates_stats] == ["reconstruction"]


@pytest.fixture(scope="module")
def after_each(state):
    """Each phase's state and metrics after a step of that phase alone, by one program."""
    hyper, batch = traced(CONFIG, 10), build_batch(8)
    return jax.jit(
        lambda state: {
            name: phase_step(name, phase, state, batch, hyper, KEY, RATE) for name, phase in PHASES.items()
        }
    )(state)


@pytest.mark.parametrize("name", TRAINED)
def test_a_phase_changes_its_own_networks_and_nothing_else(name, state, after_each):
    after, metrics = after_each[name]
    assert changed(state.params, after.params) == TRAINED[name]
    assert changed(state.opt_states, after.opt_states) == {name}
    kept = {"encoder"} if name == "reconstruction" else set()
    assert changed(state.batch_stats, after.batch_stats) == kept
    for field in ("averaged_params", "averaged_stats"):
        assert changed(getattr(state, field), getattr(after, field)) == set()
    assert after.step == state.step
    assert f"{name}/loss" in metrics
    assert all(metric.startswith(f"{name}/") and metrics[metric].shape == () for metric in metrics)


def test_every_weight_of_a_trained_network_has_a_part_in_the_loss(state, after_each):
    # A layer that is cut off from every loss stays where it is.
    moved = [after.params for after, _ in after_each.values()]
    still = jax.tree.map(lambda x, *ys: all(np.array_equal(x, y) for y in ys), state.params, *moved)
    assert not [jax.tree_util.keystr(p) for p, same in jax.tree_util.tree_leaves_with_path(still) if same]


HYPER = toy_hyper(weight=2.0)


def toy(**options):
    phases = toy_phases(**options)
    return phases, init_state(toy_networks(), phases, jax.random.key(0))


def gradients_by_hand(state, batch):
    """Of ½ Σ (X E D − X)² / n for E and D, and of 2 mean (L E − y)² for E."""
    encoder, decoder = (np.asarray(state.params[name]["kernel"]) for name in ("encoder", "decoder"))
    x, labelled = (np.asarray(flat(images)) for images in (batch.images, batch.labelled_images))
    residual = (x @ encoder @ decoder - x) / len(x)
    codes = labelled @ encoder
    pull = 2.0 * 2.0 * labelled.T @ (codes - np.asarray(batch.labels)[:, None]) / codes.size
    return x.T @ residual @ decoder.T, (x @ encoder).T @ residual, pull


@pytest.mark.parametrize("optimizer", [optax.sgd(0.1), optimizers.sgd(0.0)], ids=["optax", "traced"])
def test_one_phase_of_gradient_descent_is_that_by_hand(optimizer):
    phases, state = toy(rebuild=optimizer, pull=optimizer)
    batch = build_batch(4)
    for_encoder, for_decoder, for_pull = gradients_by_hand(state, batch)
    after, metrics = phase_step("rebuild", phases["rebuild"], state, batch, HYPER, KEY, RATE)
    for name, gradient in (("encoder", for_encoder), ("decoder", for_decoder)):
        expected = state.params[name]["kernel"] - 0.1 * gradient
        np.testing.assert_allclose(after.params[name]["kernel"], expected, rtol=1e-4, atol=1e-6)
    output = flat(batch.images) @ state.params["encoder"]["kernel"] @ state.params["decoder"]["kernel"]
    loss = 0.5 * np.sum((output - flat(batch.images)) ** 2) / len(batch.images)
    np.testing.assert_allclose(metrics["rebuild/loss"], loss, rtol=1e-5)
    after, _ = phase_step("pull", phases["pull"], state, batch, HYPER, KEY, RATE)
    expected = state.params["encoder"]["kernel"] - 0.1 * for_pull
    np.testing.assert_allclose(after.params["encoder"]["kernel"], expected, rtol=1e-4, atol=1e-6)


def test_a_step_runs_the_phases_one_after_the_other():
    phases, state = toy()
    batch = build_batch(4)
    stepped, metrics = build_train_step(phases, HYPER)(state, batch, KEY)
    for name, phase in phases.items():
        state, _ = phase_step(name, phase, state, batch, HYPER, KEY, RATE)
    assert changed(state.params, stepped.params) == set()
    assert changed(state.opt_states, stepped.opt_states) == set()
    assert stepped.step == 1
    assert {"rebuild/loss", "rebuild/ids", "pull/loss"} <= metrics.keys()
    np.testing.assert_allclose(stepped.batch_stats["encoder"]["mean"], 0.1 * jnp.mean(batch.images), rtol=1e-5)


def test_in_a_simultaneous_step_every_gradient_is_that_where_the_step_begins():
    """With plain descent the moves of the phases, each from the start, add up; the sequential step goes elsewhere."""
    phases = toy_phases(rebuild=optimizers.sgd(0.0), pull=optimizers.sgd(0.0))
    before, batch = init_state(toy_networks(), phases, KEY), build_batch(4)
    both = {
        order: build_train_step(phases, HYPER, order=order)(before, batch, KEY)[0]
        for order in ("sequential", "simultaneous")
    }
    alone = [phase_step(name, phase, before, batch, HYPER, KEY, RATE)[0] for name, phase in phases.items()]
    moves = [state.params["encoder"]["kernel"] - before.params["encoder"]["kernel"] for state in alone]
    together = before.params["encoder"]["kernel"] + sum(moves)
    np.testing.assert_allclose(both["simultaneous"].params["encoder"]["kernel"], together, rtol=1e-5)
    assert np.abs(both["sequential"].params["encoder"]["kernel"] - together).max() > 1e-4
    np.testing.assert_allclose(
        both["simultaneous"].batch_stats["encoder"]["mean"], alone[0].batch_stats["encoder"]["mean"], rtol=1e-6
    )


def test_a_phase_of_every_second_step_rests_in_the_others():
    phases, state = toy(every=2)
    step = jax.jit(build_train_step(phases, HYPER))
    moved = []
    for i in range(4):
        before = state.opt_states["pull"]
        state, metrics = step(state, build_batch(4), jax.random.key(i))
        assert "pull/loss" in metrics
        moved.append(not np.array_equal(*map(jax.tree.leaves, (before, state.opt_states["pull"]))))
        assert state.step == i + 1
    assert moved == [True, False, True, False]


def test_a_resting_phase_leaves_the_weights_to_the_others():
    phases, state = toy(every=2)
    batch = build_batch(4)
    odd = state._replace(step=jnp.array(1, jnp.int32))
    alone, _ = phase_step("rebuild", phases["rebuild"], odd, batch, HYPER, KEY, RATE)
    rested, _ = build_train_step(phases, HYPER)(odd, batch, KEY)
    np.testing.assert_allclose(rested.params["encoder"]["kernel"], alone.params["encoder"]["kernel"], rtol=1e-6)
    both, _ = build_train_step(phases, HYPER)(state, batch, KEY)
    assert np.abs(both.params["encoder"]["kernel"] - alone.params["encoder"]["kernel"]).max() > 1e-3


def test_the_schedule_multiplies_the_rate_of_the_phase():
    phases, state = toy(rebuild=optimizers.sgd(0.0), pull=optimizers.sgd(0.0))
    start = state._replace(step=jnp.array(5, jnp.int32))

    def move(schedule, hyper):
        after, _ = build_train_step({"pull": phases["pull"]}, hyper, schedule)(start, build_batch(4), KEY)
        return after.params["encoder"]["kernel"] - start.params["encoder"]["kernel"]

    full = move(constant_schedule, HYPER)
    np.testing.assert_allclose(move(optimizers.cosine_schedule, HYPER), 0.5 * full, rtol=1e-4, atol=1e-7)
    faster = toy_hyper(weight=2.0, rebuild=0.1, pull=0.3)
    np.testing.assert_allclose(move(constant_schedule, faster), 3.0 * full, rtol=1e-4, atol=1e-7)


def test_a_step_advances_the_averages_with_the_weights_it_made():
    phases = toy_phases()
    state = init_state(toy_networks(), phases, jax.random.key(0), averaging=True)
    hyper = toy_hyper(weight=2.0, decay=0.9)
    after, _ = build_train_step(phases, hyper)(state, build_batch(4), KEY)
    old, new = state.params["encoder"]["kernel"], after.params["encoder"]["kernel"]
    np.testing.assert_allclose(
        after.averaged_params["encoder"]["kernel"], old / 11 + new * 10 / 11, rtol=1e-5, atol=1e-7
    )


def test_a_step_gives_its_losses_the_number_of_updates():
    seen = []

    def loss(params, stats, batch, hyper, key):
        seen.append(warmed_up(hyper.weights.generator_z, 20.0, hyper))
        return jnp.sum(params["encoder"]["kernel"]), (stats, {})

    phases, state = toy()
    phases = {"pull": phases["pull"]._replace(loss=loss)}
    hyper = toy_hyper(weight=3.0)
    build_train_step(phases, hyper)(state._replace(step=jnp.asarray(5)), build_batch(4), KEY)
    np.testing.assert_allclose(seen, [0.75], rtol=1e-6)
