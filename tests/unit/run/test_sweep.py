"""Settings of a sweep: how they are chosen, applied, stacked and padded, and that each trains as it does alone."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.config import PriorConfig, resolve
from aae_jax.data import TrainingArrays
from aae_jax.errors import InputError
from aae_jax.models import MODELS, find_model, preset
from aae_jax.run.sweep.settings import (
    Range,
    apply_setting,
    common_config,
    grid,
    pad_labelled,
    program_of,
    random_search,
    stack_numbers,
    swept_names,
)
from aae_jax.train.epoch import TrainData, cycled_order, over_seeds
from aae_jax.train.hyper import traced
from tests.conftest import random_data, toy_hyper
from tests.unit.train.test_training import DATA, KEY, plain_epoch, start

pytestmark = pytest.mark.usefixtures("quick_compile")

SPEC = find_model("semi_supervised").spec
BASE = resolve(preset("smoke"), (8, 8), pool_size=500)


def test_a_grid_has_every_combination_in_order():
    found = grid({"a": [1, 2], "b": [3, 4, 5]})
    assert found == [{"a": a, "b": b} for a in (1, 2) for b in (3, 4, 5)]


def test_random_settings_lie_in_their_ranges_and_do_not_depend_on_their_number():
    space = {
        "rate": Range(1e-5, 1e-1, log=True),
        "noise": Range(0.0, 1.0),
        "labels": Range(10, 100, whole=True),
        "of": [2.0, 7.0],
    }
    many, few = random_search(space, 400, seed=3), random_search(space, 5, seed=3)
    assert many[:5] == few
    assert random_search(space, 5, seed=4) != few
    rates = np.asarray([s["rate"] for s in many])
    assert rates.min() >= 1e-5
    assert rates.max() <= 1e-1
    assert 0.3 < np.mean(rates < 1e-3) < 0.7, "half of the orders of magnitude lie below"
    assert 0.4 < np.mean([s["noise"] for s in many]) < 0.6
    assert all(isinstance(s["labels"], int) and 10 <= s["labels"] <= 100 for s in many)
    assert {s["of"] for s in many} == {2.0, 7.0}


SWEPT = [(entry.name, name) for entry in MODELS for name in swept_names(entry.spec.config_class)]


@pytest.mark.parametrize(("model", "name"), SWEPT)
def test_every_swept_name_changes_what_is_traced(model, name):
    """A name is worth nothing if its value does not reach the numbers or the labelled images."""
    spec = find_model(model).spec
    config = dataclasses.replace(resolve(spec.presets["default"][0], (8, 8), pool_size=500))
    if name == "weights.balance_slack":
        config = dataclasses.replace(config, weights=dataclasses.replace(config.weights, balance=1.0))
    if name == "prior.std" and not config.prior.is_gaussian:
        with pytest.raises(InputError, match="has no such number"):
            apply_setting(spec, config, {name: 0.125})
        return
    changed = apply_setting(spec, config, {name: 20 if name == "labels" else 0.125})
    if name == "labels":
        assert (changed.labels, config.labels) == (20, spec.presets["default"][0].labels)
        return
    before, after = (jax.tree.leaves(traced(config, 1000)) for config in (config, changed))
    assert sum(float(a) != float(b) for a, b in zip(before, after, strict=True)) == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"network.latent_dim": 3}, "cannot be swept in one program"),
        ({"weights.consistancy": 3}, "did you mean 'weights.consistency'"),
        ({"prior.std": -1.0}, "prior.std is -1.0"),
        ({"labels": 2.5}, "labels is 2.5"),
        ({"views.noise_std": float("nan")}, "views.noise_std is nan"),
    ],
)
def test_settings_that_cannot_be_trained_are_refused(setting, message):
    with pytest.raises(InputError, match=message):
        apply_setting(SPEC, BASE, setting)


def test_the_standard_deviation_of_a_prior_without_one_does_not_vary():
    ring = dataclasses.replace(BASE, prior=PriorConfig(kind="mixture"))
    with pytest.raises(InputError, match=r"prior\.std varies, but the prior's kind is mixture"):
        apply_setting(SPEC, ring, {"weights.prior_std": 2.0})
    assert apply_setting(SPEC, BASE, {"weights.prior_std": 2.0}).prior.std == 2.0


def test_the_common_configuration_has_every_part_that_one_setting_has():
    settings = [{"weights.consistency": c, "averaging.decay": d} for c, d in ((0.0, 0.9), (2.0, 0.0))]
    common = common_config(SPEC, [apply_setting(SPEC, BASE, setting) for setting in settings])
    assert (common.weights.consistency, common.averaging.decay) == (2.0, 0.9)
    other = dataclasses.replace(BASE, batch_size=7)
    with pytest.raises(InputError, match="differ in batch_size"):
        common_config(SPEC, [BASE, other])


def test_settings_that_change_the_program_do_not_share_one():
    few, many, unmoved = (
        program_of(apply_setting(SPEC, BASE, setting))
        for setting in ({"labels": 20}, {"labels": 500}, {"labels": 500, "weights.adversarial_norm": 0.0})
    )
    assert program_of(apply_setting(SPEC, BASE, {"labels": 600, "weights.consistency": 0.0})) == many
    moved = program_of(apply_setting(SPEC, BASE, {"labels": 500, "weights.adversarial_norm": 1.0}))
    assert len({few, unmoved, moved}) == 3
    clusters = find_model("clustering").spec
    config = clusters.presets["default"][0]
    assert program_of(config) != program_of(apply_setting(clusters, config, {"weights.cyclic": 0.5}))


def test_labels_do_not_vary_where_none_are_used():
    spec = find_model("dim_reduction").spec
    config = dataclasses.replace(spec.presets["default"][0], num_clusters=12)
    with pytest.raises(InputError, match="labels varies, but num_clusters is given"):
        apply_setting(spec, config, {"labels": 20})


def test_numbers_are_stacked_by_setting():
    configs = [apply_setting(SPEC, BASE, {"prior.std": std}) for std in (1.0, 5.0)]
    stacked = stack_numbers(configs, 100)
    chex.assert_tree_shape_prefix(stacked, (2,))
    np.testing.assert_array_equal(stacked.prior.std, [1.0, 5.0])
    for i, config in enumerate(configs):
        chex.assert_trees_all_equal(jax.tree.map(lambda leaf, i=i: leaf[i], stacked), traced(config, 100))


@pytest.mark.parametrize(("count", "most", "total"), [(7, 7, 50), (7, 12, 50), (1, 30, 9), (12, 40, 5)])
def test_a_padded_order_is_that_of_what_is_there(count, most, total):
    padded = jax.jit(lambda n: cycled_order(KEY, n, total, most=most))(jnp.asarray(count))
    np.testing.assert_array_equal(padded, cycled_order(KEY, count, total))
    assert set(np.asarray(padded)) <= set(range(count))


def arrays_of(data: TrainData, count: int) -> TrainingArrays:
    empty = np.zeros((0, 4, 4), np.uint8), np.zeros(0, np.int32)
    return TrainingArrays(
        np.asarray(data.pool), np.asarray(data.labelled_images)[:count], np.asarray(data.labels)[:count], *empty
    )


@pytest.mark.parametrize("at_once", [None, True], ids=["in turn", "at once"])
def test_members_train_as_each_does_alone(at_once):
    """Their own numbers, seeds and numbers of labelled images; in turn to the last bit."""
    hypers = [toy_hyper(noise_std=0.1), toy_hyper(noise_std=0.6), toy_hyper(noise_std=0.1, weight=0.2)]
    labelled = [arrays_of(random_data(pool=50, labelled=7, seed=seed), count) for seed, count in enumerate((7, 5, 6))]
    padded = pad_labelled(labelled)
    assert padded.counts.tolist() == [7, 5, 6]
    data = TrainData(DATA.pool, *(jnp.asarray(array) for array in padded))
    keys = jnp.stack([jax.random.key(50 + i) for i in range(3)])
    states = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[start(seed) for seed in range(3)])
    hyper = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *hypers)
    epoch = jax.jit(over_seeds(plain_epoch(), at_once=at_once, own_hyper=True))
    together, metrics = epoch(states, data, hyper, keys, jnp.asarray(1))
    for i, own in enumerate(labelled):
        alone_data = TrainData(DATA.pool, jnp.asarray(own.labelled_images), jnp.asarray(own.labelled_labels))
        alone, alone_metrics = jax.jit(plain_epoch())(start(i), alone_data, hypers[i], keys[i], jnp.asarray(1))
        mine = jax.tree.map(lambda leaf, i=i: leaf[i], (together, metrics))
        chex.assert_trees_all_close(mine, (alone, alone_metrics), atol=1e-4 if at_once else 1e-6)
