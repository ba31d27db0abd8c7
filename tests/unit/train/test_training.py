"""The epoch as one program: against a plain loop, many seeds and settings at once, order, keys, donation."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.augment import scale_pixels
from aae_jax.data import TrainingArrays
from aae_jax.train.epoch import TrainData, build_train_epoch, cycled_order, over_seeds, to_device
from aae_jax.train.fit import compile_epoch, fit
from aae_jax.train.hyper import traced
from aae_jax.train.optimizers import cosine_schedule, sgd
from aae_jax.train.phases import Phase, build_train_step, constant_schedule, init_state
from aae_jax.types import Batch
from tests.conftest import random_data, rebuild_loss, toy_hyper, toy_networks, toy_phases

pytestmark = pytest.mark.usefixtures("quick_compile")

DATA = random_data(pool=50, labelled=7)
SIZES = {"batch_size": 12, "labelled_batch_size": 5, "output": "sigmoid", "schedule": constant_schedule}
STEPS = 50 // 12
KEY = jax.random.key(11)
HYPER = toy_hyper(noise_std=0.3, decay=0.5)


def start(seed=0, phases=None):
    return init_state(toy_networks(), phases or toy_phases(), jax.random.key(seed), averaging=True)


def plain_epoch(**options):
    return build_train_epoch(toy_phases(), **{**SIZES, **options})


@functools.cache
def shared_epoch():
    compiled, _ = compile_epoch(plain_epoch(), start(), DATA, HYPER, KEY)
    return compiled


def run(state=None, *, data=DATA, hyper=None, key=KEY, epochs=3, train_epoch=None, **options):
    """Fit; without an epoch with one that is compiled once for all tests, and a copy of the state."""
    state = start() if state is None else state
    return fit(
        state if train_epoch else jax.tree.map(jnp.copy, state),
        data,
        train_epoch=train_epoch or shared_epoch(),
        hyper=HYPER if hyper is None else hyper,
        key=key,
        epochs=epochs,
        **options,
    )


def assert_close(left, right, **tolerance):
    chex.assert_trees_all_close(left, right, **tolerance)


# The order in which images come


@pytest.mark.parametrize(("count", "total"), [(7, 20), (7, 21), (1, 4), (10, 3)])
def test_labelled_images_come_equally_often_cycle_by_cycle(count, total):
    order = np.asarray(cycled_order(KEY, count, total))
    assert order.shape == (total,)
    assert np.ptp(np.bincount(order, minlength=count)) <= 1
    for begin in range(0, total - count + 1, count):
        assert set(order[begin : begin + count]) == set(range(count))


def test_cycles_differ_from_one_another():
    order = np.asarray(cycled_order(KEY, 20, 60)).reshape(3, 20)
    assert len(np.unique(order, axis=0)) == 3


def test_an_epoch_visits_the_pool_once_in_a_new_order_each_time():
    seen = []
    run(epochs=2, on_epoch=lambda _, state, metrics: seen.append(metrics))
    orders = [np.rint(255 * np.asarray(metrics["rebuild/ids"])).astype(int) for metrics in seen]
    for order in orders:
        assert order.shape == (STEPS, 12)
        assert len(set(order.ravel())) == STEPS * 12
        assert set(order.ravel()) <= set(range(50))
    assert not np.array_equal(*orders)
    for metrics in seen:
        images = np.rint(255 * np.asarray(metrics["pull/images"])).astype(int)
        assert images.shape == (STEPS, 5)
        assert np.ptp(np.bincount(images.ravel(), minlength=7)) <= 1
        np.testing.assert_array_equal(metrics["pull/labels"], np.asarray(DATA.labels)[images])


def test_a_labelled_batch_is_no_larger_than_the_labelled_images():
    epoch = build_train_epoch(toy_phases(), **{**SIZES, "labelled_batch_size": 100})
    _, metrics = jax.eval_shape(epoch, start(), DATA, toy_hyper(), KEY, jnp.asarray(0))
    assert metrics["pull/images"].shape == (STEPS, 7)


def test_pixels_are_scaled_to_the_output():
    images = []
    for output in ("sigmoid", "tanh"):
        epoch = plain_epoch(output=output)
        run(epochs=1, train_epoch=epoch, on_epoch=lambda _, s, metrics: images.append(metrics["rebuild/ids"]))
    np.testing.assert_allclose(images[1], 2.0 * images[0] - 1.0, atol=1e-6)


def test_the_part_of_a_split_that_training_sees_has_no_labels_of_the_pool():
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (n, 4, 4)).astype(np.uint8) for n in (9, 3, 2)]
    labels = [np.arange(n, dtype=np.int32) for n in (3, 2)]
    data = to_device(TrainingArrays(images[0], images[1], labels[0], images[2], labels[1]))
    assert data.num_labelled is None
    for actual, expected in zip(data[:3], (images[0], images[1], labels[0]), strict=True):
        assert isinstance(actual, jax.Array)
        np.testing.assert_array_equal(actual, expected)


# One program


def plain_loop(state, hyper, epochs, schedule):
    """Train as the docstring of `build_train_epoch` says, without scan, on one batch after the other."""
    step = jax.jit(build_train_step(toy_phases(), hyper, schedule))
    for epoch in range(epochs):
        key_pool, key_labelled, key_steps = jax.random.split(jax.random.fold_in(KEY, epoch), 3)
        order = jax.random.permutation(key_pool, 50)
        labelled_order = cycled_order(key_labelled, 7, STEPS * 5)
        for i, key in enumerate(jax.random.split(key_steps, STEPS)):
            rows, labelled = order[12 * i : 12 * (i + 1)], labelled_order[5 * i : 5 * (i + 1)]
            batch = Batch(
                scale_pixels(DATA.pool[rows], "sigmoid"),
                scale_pixels(DATA.labelled_images[labelled], "sigmoid"),
                DATA.labels[labelled],
            )
            state, _ = step(state, batch, key)
    return state


def test_a_scanned_epoch_is_the_plain_loop_over_steps():
    epoch = plain_epoch(schedule=cosine_schedule)
    scanned, _ = run(epochs=2, train_epoch=epoch)
    looped = plain_loop(start(), HYPER, 2, cosine_schedule)
    assert scanned.step == looped.step == 2 * STEPS
    assert_close(scanned, looped, atol=1e-5)


def test_many_epochs_are_traced_once():
    epoch = chex.assert_max_traces(plain_epoch(), n=1)
    _, history = run(epochs=5, train_epoch=epoch)
    assert len(history) == 5


def test_a_loss_is_traced_once_for_all_epochs(counted):
    phases = {"rebuild": toy_phases()["rebuild"]._replace(loss=counted.wrap(rebuild_loss))}
    run(start(phases=phases), epochs=5, train_epoch=build_train_epoch(phases, **SIZES))
    assert counted.traces == 1


def test_the_same_command_twice_gives_the_same_bits():
    chex.assert_trees_all_equal(run(train_epoch=plain_epoch()), run(train_epoch=plain_epoch()))


def test_another_key_trains_otherwise():
    first, _ = run()
    other, _ = run(key=jax.random.key(12))
    assert not np.allclose(first.params["encoder"]["kernel"], other.params["encoder"]["kernel"])


def test_a_run_in_two_parts_is_the_run_in_one():
    half, first = run(epochs=2)
    resumed, second = run(half, epochs=4, first_epoch=2)
    whole, history = run(epochs=4)
    chex.assert_trees_all_equal(resumed, whole)
    chex.assert_trees_all_equal(first + second, history)


# Seeds and settings side by side


def stacked(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


@pytest.mark.parametrize("at_once", [None, True], ids=["in turn", "at once"])
def test_seeds_in_one_program_train_as_each_does_alone(at_once):
    """In turn, which is what a CPU does, to the last bit."""
    assert jax.default_backend() == "cpu"
    seeds = (0, 1, 2)
    labelled = [random_data(seed=seed) for seed in seeds]
    many = TrainData(
        DATA.pool,
        jnp.stack([data.labelled_images for data in labelled]),
        jnp.stack([data.labels + i for i, data in enumerate(labelled)]),
    )
    keys = jnp.stack([jax.random.key(100 + seed) for seed in seeds])
    epoch = plain_epoch()
    together, history = run(
        stacked([start(seed) for seed in seeds]),
        data=many,
        key=keys,
        epochs=5,
        train_epoch=over_seeds(epoch, at_once=at_once),
    )
    assert history[0]["rebuild/loss"].shape == (3,)
    for i, seed in enumerate(seeds):
        own = TrainData(DATA.pool, many.labelled_images[i], many.labels[i])
        alone, alone_history = run(start(seed), data=own, key=keys[i], epochs=5, train_epoch=epoch)
        assert alone.step == 5 * STEPS == 20
        seed_of_many = jax.tree.map(lambda x, i=i: x[i], together)
        if at_once:
            assert_close(seed_of_many, alone, atol=1e-4)
        else:
            chex.assert_trees_all_equal(seed_of_many, alone)
        np.testing.assert_allclose(history[-1]["rebuild/loss"][i], alone_history[-1]["rebuild/loss"], rtol=1e-4)


@pytest.mark.parametrize("own_hyper", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["seeds", "settings"])
def test_a_phase_rests_for_seeds_at_once_too(own_hyper):
    """Not computed and thrown away: the program keeps its condition, and trains as seeds in turn do."""
    epoch = build_train_epoch(toy_phases(every=10), **{**SIZES, "batch_size": 2})
    seeds = (0, 1, 2)
    many = DATA._replace(
        labelled_images=jnp.stack([random_data(seed=seed).labelled_images for seed in seeds]),
        labels=jnp.stack([DATA.labels] * 3),
    )
    states = stacked([start(seed) for seed in seeds])
    later = states._replace(step=jnp.full_like(states.step, 7))
    hyper = stacked([HYPER] * 3) if own_hyper else HYPER
    arguments = later, many, hyper, jax.random.split(KEY, 3), jnp.asarray(4)
    together, in_turn = (over_seeds(epoch, at_once=at_once, own_hyper=own_hyper) for at_once in (True, False))
    assert str(jax.make_jaxpr(together)(*arguments)).count(" cond[") == 1
    (state, metrics), (expected, expected_metrics) = jax.jit(together)(*arguments), jax.jit(in_turn)(*arguments)
    assert state.step.dtype == later.step.dtype
    np.testing.assert_array_equal(state.step, expected.step)
    assert_close(state, expected, atol=1e-4)
    assert_close(metrics, expected_metrics, atol=1e-3)
    ran = np.flatnonzero(np.asarray(metrics["pull/loss"])[0])
    np.testing.assert_array_equal(ran, [3, 13, 23])  # updates 10, 20 and 30


SETTINGS = [
    toy_hyper(noise_std=0.3),
    toy_hyper(noise_std=0.6),
    toy_hyper(noise_std=0.3, weight=0.1),
    toy_hyper(noise_std=0.3, rebuild=0.02, pull=0.1),
    toy_hyper(noise_std=0.3, rebuild=0.1, pull=0.02),
    toy_hyper(noise_std=0.3, decay=0.5),
    toy_hyper(noise_std=0.3, num_steps=20.0),
]


def test_new_numbers_do_not_retrace_and_train_otherwise():
    epoch = jax.jit(chex.assert_max_traces(plain_epoch(schedule=cosine_schedule), n=1))
    states = [epoch(start(), DATA, hyper, KEY, jnp.asarray(0))[0] for hyper in SETTINGS]
    for i, state in enumerate(states):
        for other in states[:i]:
            left, right = (s.averaged_params["encoder"]["kernel"] for s in (state, other))
            assert np.abs(left - right).max() > 1e-4


def test_settings_side_by_side_train_as_each_does_alone():
    side_by_side = jax.jit(jax.vmap(plain_epoch(schedule=cosine_schedule), in_axes=(None, None, 0, None, None)))
    together, _ = side_by_side(start(), DATA, stacked(SETTINGS), KEY, jnp.asarray(0))
    epoch = jax.jit(plain_epoch(schedule=cosine_schedule))
    for i, hyper in enumerate(SETTINGS):
        alone, _ = epoch(start(), DATA, hyper, KEY, jnp.asarray(0))
        assert_close(jax.tree.map(lambda x, i=i: x[i], together), alone, atol=1e-4)


# The loop around it


def test_a_compiled_epoch_uses_up_the_state_and_fit_with_a_plain_one_does_not():
    state = start()
    run(state, epochs=1, train_epoch=plain_epoch())
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    compiled, seconds = compile_epoch(plain_epoch(), state, DATA, HYPER, KEY)
    assert seconds > 0
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state)), "compiling alone uses nothing up"
    run(state, epochs=1, train_epoch=compiled)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def test_a_compiled_epoch_trains_as_a_plain_one():
    chex.assert_trees_all_equal(run(), run(train_epoch=plain_epoch()))


def test_the_history_has_each_epochs_mean_and_a_true_answer_stops():
    calls = []

    def on_epoch(epoch, state, metrics):
        calls.append((epoch, int(state.step), np.asarray(metrics["rebuild/loss"])))
        return epoch == 3

    _, history = run(epochs=9, first_epoch=2, on_epoch=on_epoch)
    assert [call[:2] for call in calls] == [(2, STEPS), (3, 2 * STEPS)]
    means = [float(epoch["rebuild/loss"]) for epoch in history]
    np.testing.assert_allclose(means, [losses.mean() for *_, losses in calls], rtol=1e-5)
    assert calls[0][2].shape == (STEPS,)


def test_training_goes_down_its_loss():
    hyper = toy_hyper(rebuild=0.02, pull=0.0)
    _, history = run(hyper=hyper, epochs=20)
    assert history[-1]["rebuild/loss"] < 0.7 * history[0]["rebuild/loss"]


def test_a_neighbour_of_each_image_is_drawn_anew_at_every_update():
    """The first bytes of the pool's images are their numbers: here the neighbours of i are i + 1 and i + 2."""
    neighbours = (jnp.arange(50)[:, None] + jnp.arange(1, 3)[None]) % 50
    data = DATA._replace(neighbours=neighbours)

    def see(params, stats, batch, hyper, key):
        del hyper, key
        seen = jnp.stack([batch.images[:, 0, 0], batch.neighbours[:, 0, 0]])
        return jnp.sum(params["encoder"]["kernel"] ** 2), (stats, {"seen": seen})

    phases = {"see": Phase(("encoder",), see, sgd(), updates_stats=True)}
    epoch = build_train_epoch(phases, **SIZES)
    hyper = traced({"optimizers": {"see": {"learning_rate": 0.1}}}, 10)
    _, metrics = jax.jit(epoch)(start(phases=phases), data, hyper, KEY, 0)
    images, others = np.round(255 * np.moveaxis(np.asarray(metrics["see/seen"]), 1, 0)).astype(int)
    steps = (others - images) % 50
    assert set(steps.ravel()) == {1, 2}
    assert len({tuple(row) for row in steps}) == STEPS


def test_seeds_share_the_neighbours():
    neighbours = (jnp.arange(50)[:, None] + jnp.arange(1, 3)[None]) % 50
    two = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), DATA._replace(pool=None))
    data = two._replace(pool=DATA.pool, neighbours=neighbours)
    states = jax.vmap(lambda key: init_state(toy_networks(), toy_phases(), key))(jax.random.split(KEY, 2))
    epoch = over_seeds(plain_epoch())
    after, _ = jax.jit(epoch)(states, data, HYPER, jax.random.split(KEY, 2), 0)
    chex.assert_tree_all_finite(after)
