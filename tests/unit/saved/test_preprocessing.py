"""Prediction takes what training takes and refuses what it refuses, as numbers and where JAX traces them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aae_jax
from aae_jax import InputError, NetworkConfig, PriorConfig
from aae_jax.data.scaling import fit_scaling
from tests.conftest import quick_init

pytestmark = pytest.mark.usefixtures("quick_compile")

CLASSES, COUNT = 4, 5
GENERATOR = np.random.default_rng(0)
BYTES = GENERATOR.integers(0, 256, (COUNT, 6, 5)).astype(np.uint8)
UNIT = GENERATOR.uniform(size=(COUNT, 6, 5)).astype(np.float32)
ROWS = GENERATOR.normal(size=(COUNT, 3)) * [1, 100, 0] + [0, 5000, 2]
TIMES = 1_732_000_000_000 + GENERATOR.integers(0, 60_000, (COUNT, 3))


def build(shape, **changes):
    network = NetworkConfig(hidden=(9,), discriminator_hidden=(4,), latent_dim=3, precision="float32")
    params, stats = quick_init(aae_jax.build_mlp_networks(network, shape, CLASSES)).init(jax.random.key(3))
    return aae_jax.Model(
        network=network,
        image_shape=shape,
        num_classes=CLASSES,
        prior=PriorConfig(),
        params={name: params[name] for name in ("encoder", "decoder")},
        stats=stats,
        data={"name": "made up", "sha256": "0"},
        **changes,
    )


KINDS = {
    "bytes": (build((6, 5)), BYTES),
    "floats": (build((6, 5), pixels="unit"), UNIT),
    "rows": (build((3,), pixels="unit", scaling=fit_scaling(ROWS)), ROWS.astype(np.float32)),
}
METHODS = {
    "encode": lambda model, images: model.encode(images).mean,
    "predict": lambda model, images: model.predict(images),
    "predict_proba": lambda model, images: model.predict_proba(images),
    "reconstruct": lambda model, images: model.reconstruct(images),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
@pytest.mark.parametrize(("model", "images"), KINDS.values(), ids=KINDS.keys())
def test_jit_and_vmap_give_what_a_call_gives(method, model, images):
    expected = method(model, images)
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(jax.jit(lambda x: method(model, x))(images), expected, **close)
    np.testing.assert_allclose(jax.vmap(lambda x: method(model, x[None])[0])(jnp.asarray(images)), expected, **close)
    in_both = jax.jit(jax.vmap(lambda x: method(model, x[None])[0]))
    np.testing.assert_allclose(in_both(jnp.asarray(images)), expected, **close)
    inside = jax.jit(lambda: method(model, images))  # a constant of the program
    np.testing.assert_allclose(inside(), expected, **close)


@pytest.mark.parametrize("method", ["encode", "predict_proba", "reconstruct"])
@pytest.mark.parametrize("kind", ["floats", "rows"])
def test_derivatives_are_those_of_small_differences(method, kind):
    model, images = KINDS[kind]
    middle = images * 0.5 + 0.5 * images.mean(axis=0)  # a step must not leave the range
    weights = GENERATOR.normal(size=np.shape(METHODS[method](model, middle)))

    def total(x):
        return jnp.sum(METHODS[method](model, x) * weights.astype(np.float32)) / np.abs(weights).max()

    found = np.asarray(jax.grad(total)(jnp.asarray(middle)))
    step = 1e-2 * np.maximum(images.std(axis=0), 1e-3)
    for at in [(0, 0), (3, 1)] if kind == "rows" else [(0, 0, 0), (4, 3, 2)]:
        moved = [middle.copy() for _ in range(2)]
        moved[0][at] -= step[at[1:]]
        moved[1][at] += step[at[1:]]
        difference = (float(total(moved[1])) - float(total(moved[0]))) / (2 * step[at[1:]])
        np.testing.assert_allclose(found[at], difference, rtol=0.05, atol=1e-3 * np.abs(found).max())
    if kind == "rows":
        np.testing.assert_array_equal(found[:, 2], 0)  # constant in training


def test_at_the_ends_of_the_range_the_derivative_is_that_of_its_inside():
    model = build((3,), pixels="unit", scaling=fit_scaling(np.array([[1, 5, 3], [2, 9, 3]])))
    low, span = model.scaling
    row = jnp.asarray((low + span * np.array([0, 1, 0]))[None], jnp.float32)

    def logit(x):
        return model.encode(x).logits[0, 0]

    scaled = jax.grad(lambda x: model.encode_stored(x).logits[0, 0])(
        jnp.asarray(model.scaling.apply(np.asarray(row)))
    )
    expected = np.asarray(scaled) / np.where(span > 0, span, np.inf)
    np.testing.assert_allclose(jax.grad(logit)(row), expected, rtol=1e-4)


def test_derivatives_of_a_model_of_bytes_are_taken_of_floats():
    model, images = KINDS["bytes"]
    unit = jnp.asarray(images / 255.0, jnp.float32)
    np.testing.assert_allclose(model.encode_stored(unit).logits, model.encode(images).logits, rtol=1e-5, atol=1e-6)
    assert np.abs(jax.grad(lambda x: model.encode_stored(x).logits[:, 0].sum())(unit)).max() > 0
    gradients = [
        jax.grad(lambda x, encode=encode: encode(x).logits[:, 0].sum())(unit)
        for encode in (model.encode, model.encode_stored)
    ]
    np.testing.assert_array_equal(*gradients)
    with pytest.raises(InputError, match="not int32"):
        jax.jit(model.encode)(jnp.asarray(images, jnp.int32))


def test_floats_and_flat_rows_are_the_same_images():
    model, images = KINDS["bytes"]
    expected = model.predict_proba(images)
    flat = images.reshape(len(images), -1)
    np.testing.assert_array_equal(model.predict_proba(flat), expected)
    for whole in (images.astype(np.float64), jnp.asarray(images, jnp.float32), flat.astype(np.float32)):
        np.testing.assert_array_equal(model.predict_proba(whole), expected)
    for unit in (images / 255.0, jnp.asarray(flat / 255.0)):
        np.testing.assert_allclose(model.predict_proba(unit), expected, atol=1e-6)
    np.testing.assert_allclose(jax.jit(model.predict_proba)(jnp.asarray(flat)), expected, atol=1e-6)
    other, floats = KINDS["floats"]
    np.testing.assert_array_equal(other.predict_proba(floats.reshape(len(floats), -1)), other.predict_proba(floats))


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.5, np.inf, 255.5, 300.0], ids=str)
def test_floats_that_are_no_images_are_refused(bad):
    model, images = KINDS["bytes"]
    changed = images / 255.0
    changed[0, 0, 0] = bad
    with pytest.raises(InputError, match=r"not all finite, or not all from 0 to 1"):
        model.predict(changed)


def test_labels_may_be_traced():
    model = dataclasses.replace(build((6, 5)), num_classes=0, decoded_label=CLASSES)
    network = aae_jax.networks.build_networks(
        model.network, (6, 5), aae_jax.networks.Codes(0, CLASSES, {}, False, False)
    )
    params, stats = quick_init(network).init(jax.random.key(0))
    model = dataclasses.replace(model, params=params, stats=stats)
    labels = np.arange(COUNT) % CLASSES
    expected = model.reconstruct(BYTES, labels)
    np.testing.assert_allclose(jax.jit(model.reconstruct)(BYTES, labels), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["predict", "reconstruct"])
def test_rows_that_float32_cannot_hold_are_refused_where_they_are_traced(method):
    model = build((3,), pixels="unit", scaling=fit_scaling(TIMES))
    exact = np.asarray(model.reconstruct(TIMES))
    assert exact.dtype == np.float64
    assert (exact >= TIMES.min(axis=0)).all()
    assert (exact <= TIMES.max(axis=0)).all()
    assert np.ptp(exact) > 1
    call = METHODS[method]
    for bad in (jnp.asarray(TIMES.astype(np.float32)), TIMES.astype(np.float32)):
        with pytest.raises(InputError, match=r"float32, too coarse for feature 0.*float64.*outside jit"):
            call(model, bad)
        with pytest.raises(InputError, match=r"float32, too coarse for feature 0.*float64.*outside jit"):
            jax.jit(lambda x: call(model, x))(bad)
    with pytest.raises(InputError, match="too coarse for feature 0"):
        jax.jit(model.decode)(np.zeros((2, 3)), np.eye(CLASSES)[:2])


def test_training_and_prediction_see_the_same_bits(tmp_path):
    labels = np.arange(40) % 4
    rows = np.stack([1_732_000_000_000 + 1000 * labels + GENERATOR.integers(0, 999, 40), labels], 1)
    np.savez(tmp_path / "a.npz", x_train=rows, y_train=labels, x_test=rows[:8], y_test=labels[:8])
    dataset = aae_jax.load_dataset(f"npz:{tmp_path / 'a.npz'}")
    model = build((2,), pixels="unit", scaling=dataset.scaling)
    aae_jax.save_model(model, tmp_path / "model")
    loaded = aae_jax.load(tmp_path / "model")
    for kind in (np.int64, np.uint64, np.float64):
        seen = np.asarray(loaded._as_stored(rows.astype(kind)))
        np.testing.assert_array_equal(seen, dataset.train_images)
    logits = model.encode_stored(jnp.asarray(dataset.train_images)).logits
    np.testing.assert_array_equal(loaded.encode(rows).logits, logits)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_numbers_that_are_not_finite_are_refused(value):
    model, _ = KINDS["rows"]
    for feature in range(3):  # the constant one too
        rows = ROWS.copy()
        rows[1, feature] = value
        with pytest.raises(InputError, match="beyond float32"):
            model.predict(rows)
    images = UNIT.astype(np.float64)
    images[0, 0, 0] = value
    with pytest.raises(InputError, match="not all finite"):
        KINDS["floats"][0].predict(images)


def test_a_constant_feature_does_not_change_predictions():
    model, _ = KINDS["rows"]
    other = ROWS.copy()
    other[:, 2] = [-1e9, 0, 2.5, 3, 1e9]
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(ROWS))
    rows = other.astype(np.float32)
    np.testing.assert_allclose(jax.jit(model.predict_proba)(rows), model.predict_proba(rows), rtol=1e-5)


DARK = [
    ("bytes", BYTES % 17, "whole numbers up to 16, nearly black"),
    ("bytes", (BYTES > 99).astype(np.int64), "whole numbers up to 1, nearly black"),
    ("floats", (BYTES / 255 / 255).astype(np.float32), "floats up to 0.0039.*divide by 255 once"),
    ("floats", (BYTES > 99).astype(np.uint8), "whole numbers up to 1, nearly black"),
    ("floats", BYTES, "not all from 0 to 1"),
]


@pytest.mark.parametrize(("kind", "images", "words"), DARK, ids=[words for _, _, words in DARK])
def test_images_that_are_nearly_black_are_refused_as_in_training(kind, images, words):
    model = KINDS[kind][0]
    for given in (images, jnp.asarray(images)):
        for method in METHODS.values():
            with pytest.raises(InputError, match=words):
                method(model, given)


@pytest.mark.parametrize("kind", ["bytes", "floats"])
def test_a_black_image_may_be_predicted(kind):
    model, images = KINDS[kind]
    assert model.predict(np.zeros_like(images)).shape == (COUNT,)
    assert model.predict(images[:0]).shape == (0,)


def test_booleans_are_black_and_white_as_in_training():
    model, images = KINDS["bytes"]
    expected = model.predict_proba(np.where(images > 99, 255, 0))
    np.testing.assert_array_equal(model.predict_proba(images > 99), expected)
    np.testing.assert_allclose(jax.jit(model.predict_proba)(images > 99), expected, rtol=1e-5)


def test_float64_images_are_narrowed_before_they_are_compared():
    images = UNIT.astype(np.float64)
    images[0, 0, 0] = 1 + 1e-9
    assert KINDS["floats"][0].predict(images).shape == (COUNT,)


def test_whole_numbers_that_are_traced_are_no_images_in_0_to_1():
    with pytest.raises(InputError, match="images in"):
        jax.jit(KINDS["floats"][0].predict)(BYTES)


def test_a_scaling_in_float64_is_a_new_version_and_others_stay_the_old_one(tmp_path):
    import json

    from safetensors.numpy import load_file

    model = build((3,), pixels="unit", scaling=fit_scaling(TIMES))
    aae_jax.save_model(model, tmp_path / "new")
    assert json.loads((tmp_path / "new" / "config.json").read_text())["format_version"] == 5
    loaded = aae_jax.load(tmp_path / "new")
    for part, kept in zip(loaded.scaling, model.scaling, strict=True):
        np.testing.assert_array_equal(part, kept)
    aae_jax.save_model(loaded, tmp_path / "again")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "new" / name).read_bytes()
    rows = np.array([[0, 1, 2], [4, 5, 2]])
    aae_jax.save_model(build((3,), pixels="unit", scaling=fit_scaling(rows)), tmp_path / "old")
    assert json.loads((tmp_path / "old" / "config.json").read_text())["format_version"] == 3
    assert load_file(tmp_path / "old" / "model.safetensors")["scaling/low"].dtype == np.float32
    assert aae_jax.load(tmp_path / "old").scaling.low.dtype == np.float64
    for there, here in (("old", "new"), ("new", "old")):  # the version says which type is meant
        config = json.loads((tmp_path / there / "config.json").read_text())
        other = json.loads((tmp_path / here / "config.json").read_text())["format_version"]
        (tmp_path / there / "config.json").write_text(json.dumps({**config, "format_version": other}))
        with pytest.raises(InputError, match=r"tensor 'scaling/low' is F(32|64) of shape"):
            aae_jax.load(tmp_path / there)
        (tmp_path / there / "config.json").write_text(json.dumps(config))


def test_evaluate_compares_with_ranges_that_were_rounded():
    from aae_jax.commands.evaluate import _same_scaling
    from aae_jax.data import Scaling

    ours = fit_scaling(GENERATOR.normal(size=(50, 3)) * [1, 1e6, 0] + [0, 1e3, 3])
    low = ours.low.astype(np.float32)
    old = Scaling(low.astype(np.float64), ((ours.low + ours.span).astype(np.float32) - low).astype(np.float64))
    assert all([_same_scaling(ours, ours), _same_scaling(ours, old), _same_scaling(None, None)])
    assert not _same_scaling(ours, None)
    assert not _same_scaling(ours, Scaling(old.low, old.span * np.float32(1.001)))
    assert not _same_scaling(ours, Scaling(ours.low, np.nextafter(ours.span, 9e9)))
    times = fit_scaling(TIMES)
    rounded = Scaling(*(part.astype(np.float32).astype(np.float64) for part in times))
    assert not _same_scaling(times, rounded)
