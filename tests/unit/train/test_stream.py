"""Streamed epochs: the bits of those in memory, whatever the length of a chunk and wherever one starts."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.data.stored import StoredImages
from aae_jax.train.epoch import TrainData, build_train_epoch, over_seeds
from aae_jax.train.fit import compile_epoch, compile_lowered, fit, lower_epoch
from aae_jax.train.phases import constant_schedule, init_state
from aae_jax.train.stream import StreamedTraining, updates_per_chunk
from tests.conftest import random_data, toy_hyper, toy_networks, toy_phases

pytestmark = pytest.mark.usefixtures("quick_compile")

POOL, LABELLED, SEEDS, EPOCHS = 50, 7, 2, 2
SIZES = {"batch_size": 12, "labelled_batch_size": 5, "output": "sigmoid", "schedule": constant_schedule}
STEPS = POOL // 12
KEYS = jax.vmap(jax.random.key)(jnp.arange(SEEDS))
HYPER = toy_hyper(noise_std=0.3, decay=0.5)


def resident(*, num_labelled=None):
    """Return data of two seeds, which share the pool."""
    own = [random_data(pool=POOL, labelled=LABELLED, seed=seed) for seed in range(SEEDS)]
    labelled = (jnp.stack(leaves) for leaves in zip(*(data[1:3] for data in own), strict=True))
    return TrainData(own[0].pool, *labelled, num_labelled)


def streamed(data):
    """Return the same data with a pool that is not on the device, in another place of a larger array."""
    pool = np.asarray(data.pool)
    places = np.random.default_rng(1).permutation(2 * POOL)[:POOL].astype(np.int32)
    images = np.zeros((2 * POOL, *pool.shape[1:]), np.uint8)
    images[places] = pool
    return data._replace(pool=StoredImages(images, places))


def start():
    build = functools.partial(init_state, toy_networks(), toy_phases(every=2), averaging=True)
    return jax.vmap(build)(jax.random.split(jax.random.key(5), SEEDS))


def train(train_epoch, data, *, hyper=HYPER, on_epoch=None):
    return fit(start(), data, train_epoch=train_epoch, hyper=hyper, key=KEYS, epochs=EPOCHS, on_epoch=on_epoch)


def kept_metrics():
    """Return a list, and an `on_epoch` that fills it."""
    kept = []
    return kept, lambda number, state, metrics: kept.append({k: np.asarray(v) for k, v in metrics.items()}) and None


@functools.cache
def in_memory():
    kept, on_epoch = kept_metrics()
    state, _ = train(over_seeds(build_train_epoch(toy_phases(every=2), **SIZES)), resident(), on_epoch=on_epoch)
    return state, kept


def training(updates, **options):
    return StreamedTraining(phases=toy_phases(every=2), **SIZES, updates=updates, **options)


@pytest.mark.parametrize("updates", [1, 3, STEPS])
def test_a_streamed_epoch_has_the_bits_of_one_in_memory(updates):
    kept, on_epoch = kept_metrics()
    state, _ = train(training(updates), streamed(resident()), on_epoch=on_epoch)
    chex.assert_trees_all_equal((state, kept), in_memory())
    assert kept[0]["rebuild/ids"].shape == (SEEDS, STEPS, 12)


def test_padded_labels_and_settings_of_each_seed():
    data = resident(num_labelled=jnp.asarray([7, 4]))
    hyper = jax.tree.map(lambda *leaves: jnp.stack(leaves), toy_hyper(noise_std=0.3), toy_hyper(noise_std=0.1))
    epoch = over_seeds(build_train_epoch(toy_phases(every=2), **SIZES), own_hyper=True)
    wanted, _ = train(epoch, data, hyper=hyper)
    state, _ = train(training(3, own_hyper=True), streamed(data), hyper=hyper)
    chex.assert_trees_all_equal(state, wanted)


@pytest.mark.parametrize("stop", [(0, 1), (1, 2), (1, 3)])
def test_an_epoch_continues_within(stop):
    data = streamed(resident())
    saved = {}

    def keep(epoch, state, so_far):
        saved[epoch, so_far().updates] = jax.tree.map(jnp.copy, state), so_far()

    compiled, _ = compile_epoch(training(1), start(), data, HYPER, KEYS)
    options = {"hyper": HYPER, "key": KEYS, "epochs": EPOCHS}
    watched = dataclasses.replace(compiled, on_chunk=keep)
    fit(start(), data, train_epoch=watched, **options)
    assert sorted(saved) == [(epoch, updates) for epoch in range(EPOCHS) for updates in range(1, STEPS)]
    state, position = saved[stop]
    longer, _ = compile_epoch(training(3), start(), data, HYPER, KEYS)  # the length of a chunk may have changed
    kept, on_epoch = kept_metrics()
    again = dataclasses.replace(longer, begin=(stop[0], position))
    state, _ = fit(state, data, train_epoch=again, first_epoch=stop[0], on_epoch=on_epoch, **options)
    chex.assert_trees_all_equal((state, kept), (in_memory()[0], in_memory()[1][stop[0] :]))


def test_only_the_images_of_a_chunk_are_on_the_device():
    data = streamed(resident())
    shapes = []

    def place(images):
        shapes.append(images.shape)
        return jax.device_put(images)

    lowered = lower_epoch(training(3, place=place), jax.eval_shape(start), data, HYPER, KEYS)
    assert {name: leaf.shape for name, leaf in lowered.metrics.items()}["rebuild/loss"] == (SEEDS, STEPS)
    assert f"{POOL}x4x4" not in lowered.chunk.as_text()
    compile_lowered(lowered)(start(), data, HYPER, KEYS, jnp.asarray(0))
    assert shapes == [(SEEDS, 36, 4, 4)] * 2


def test_an_error_while_reading_ends_the_epoch():
    data = streamed(resident())
    short = data._replace(pool=StoredImages(data.pool.images[:3], data.pool.rows))
    with pytest.raises(IndexError):
        train(training(3), short)


@pytest.mark.parametrize(
    ("given", "image_bytes", "seeds", "updates"),
    [
        (None, 784, 1, 106),
        (None, 784, 4, 26),
        (None, 10**7, 1, 1),
        (None, 1, 1, 200),
        (7, 784, 9, 7),
        (999, 1, 1, 200),
    ],
)
def test_a_chunk_reads_so_many_bytes(given, image_bytes, seeds, updates):
    found = updates_per_chunk(given, pool_size=20_050, batch_size=100, image_bytes=image_bytes, seeds=seeds)
    assert found == updates
