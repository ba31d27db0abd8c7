"""Models that are pickled and copied: before and after use, in threads and other processes, with the same answers."""

import copy
import dataclasses
import multiprocessing
import operator
import pickle
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aae_jax
from aae_jax import Model, NetworkConfig, PriorConfig
from tests.conftest import quick_init

joblib = pytest.importorskip("joblib")

pytestmark = pytest.mark.usefixtures("quick_compile")
SHAPE, CLASSES, LATENT = (6, 5), 4, 3
IMAGES = np.random.default_rng(0).integers(0, 256, (7, *SHAPE)).astype(np.uint8)
FIELDS = {field.name for field in dataclasses.fields(Model)}


def build():
    network = NetworkConfig(hidden=(9,), latent_dim=LATENT, batch_norm=True)
    empty = Model(
        network=network,
        image_shape=SHAPE,
        num_classes=CLASSES,
        prior=PriorConfig(),
        params={},
        stats={},
        data={"name": "made up", "sha256": "0"},
        mode_decoder=True,
        temperature=1.5,
    )
    params, stats = quick_init(empty.networks).init(jax.random.key(3))
    return dataclasses.replace(empty, params=params, stats=stats)


USES = {
    "nothing": lambda model: None,
    "networks": lambda model: model.networks,
    "encode": lambda model: model.encode(IMAGES),
    "predict": lambda model: model.predict(IMAGES),
    "predict_proba": lambda model: model.predict_proba(IMAGES, calibrated=True),
    "decode": lambda model: model.decode(np.zeros((2, LATENT)), np.eye(CLASSES)[:2]),
    "decode_mode": lambda model: model.decode_mode(np.eye(CLASSES)),
    "reconstruct": lambda model: model.reconstruct(IMAGES),
    "draw_styles": lambda model: model.draw_styles(jax.random.key(0), 3),
    "jit": lambda model: jax.jit(model.predict_proba)(IMAGES),
    "grad": lambda model: jax.grad(lambda x: model.encode_stored(x).mean.sum())(jnp.ones((2, *SHAPE))),
}


def by_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


COPIES = {
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "old protocol": lambda model, _: pickle.loads(pickle.dumps(model, protocol=2)),
    "copy": lambda model, _: copy.copy(model),
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "joblib": by_joblib,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("use", USES)
def test_a_model_is_copied_whatever_was_done_with_it(use, how, tmp_path):
    model = build()
    USES[use](model)
    again = COPIES[how](model, tmp_path)
    assert set(vars(again)) == FIELDS
    for name in FIELDS - {"params", "stats"}:
        assert getattr(again, name) == getattr(model, name), name
    np.testing.assert_array_equal(again.predict_proba(IMAGES), model.predict_proba(IMAGES))
    np.testing.assert_array_equal(again.reconstruct(IMAGES), model.reconstruct(IMAGES))
    twice = COPIES[how](again, tmp_path)
    np.testing.assert_array_equal(twice.predict_proba(IMAGES), model.predict_proba(IMAGES))


def test_a_copy_that_is_not_deep_shares_the_weights():
    model = build()
    model.predict(IMAGES)
    assert copy.copy(model).params is model.params
    deep = copy.deepcopy(model)
    assert deep.params is not model.params
    jax.tree.map(np.testing.assert_array_equal, deep.params, model.params)


def test_weights_on_a_device_and_in_memory_are_pickled_alike():
    model = build()
    device = jax.devices()[-1]
    for place in (lambda leaf: jax.device_put(leaf, device), np.asarray):
        placed = dataclasses.replace(model, params=jax.tree.map(place, model.params))
        placed.predict(IMAGES)
        again = pickle.loads(pickle.dumps(placed))
        np.testing.assert_array_equal(again.predict_proba(IMAGES), placed.predict_proba(IMAGES))


def test_a_loaded_model_is_pickled_with_its_table_of_samples(tmp_path):
    table = jax.random.normal(jax.random.key(2), (50, LATENT))
    model = dataclasses.replace(build(), prior=PriorConfig(kind="samples"), prior_samples=table)
    aae_jax.save_model(model, tmp_path)
    again = pickle.loads(pickle.dumps(aae_jax.load(tmp_path)))
    key = jax.random.key(1)
    np.testing.assert_array_equal(again.draw_styles(key, 9), model.draw_styles(key, 9))


def test_threads_use_and_pickle_one_model_at_once():
    model, expected = build(), build().predict_proba(IMAGES)

    def work(number):
        found = model.predict_proba(IMAGES) if number % 2 else pickle.loads(pickle.dumps(model)).predict_proba(IMAGES)
        return np.asarray(found)

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(work, range(32)):
            np.testing.assert_array_equal(found, expected)


def test_a_spawned_process_answers_the_same():
    model = build()
    expected = model.predict_proba(IMAGES)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(operator.methodcaller("predict_proba", IMAGES), (model,))
    np.testing.assert_allclose(
        found, expected, atol=1e-6
    )  # tests compile with fewer optimisations than a new process


def test_workers_of_joblib_answer_the_same():
    model = build()
    expected = model.predict(IMAGES)
    chunks = np.split(IMAGES, [3])
    found = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(model.predict)(chunk) for chunk in chunks)
    np.testing.assert_array_equal(np.concatenate(found), expected)
