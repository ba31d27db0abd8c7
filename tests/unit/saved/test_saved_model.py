"""The saved model: there and back bit for bit, and nothing that does not fit is loaded."""

import dataclasses
import json
import math
import os
import shutil
import stat
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import aae_jax
from aae_jax import InputError, Model, NetworkConfig, PriorConfig, priors
from aae_jax.data.scaling import fit_scaling
from tests.conftest import quick_init
from tests.killing import count_calls, kill_before_call

SHAPE, CLASSES, LATENT, COUNT = (6, 5), 4, 3, 7
SIZES = {"hidden": (9,), "discriminator_hidden": (4,), "latent_dim": LATENT}


def build(**changes):
    network = NetworkConfig(**{**SIZES, "batch_norm": True, **changes})
    params, stats = quick_init(aae_jax.build_mlp_networks(network, SHAPE, CLASSES)).init(jax.random.key(3))
    stats = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf) + np.float32(0.25)), stats)
    return Model(
        network=network,
        image_shape=SHAPE,
        num_classes=CLASSES,
        prior=PriorConfig(std=2.5),
        params={name: params[name] for name in ("encoder", "decoder")},
        stats=stats,
        data={"name": "made up", "sha256": "0"},
    )


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.fixture
def folder(model, tmp_path):
    aae_jax.save_model(model, tmp_path / "run" / "model")
    return tmp_path / "run" / "model"


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE)).astype(np.uint8)


@pytest.mark.parametrize(
    "changes",
    [{}, {"batch_norm": False}, {"posterior": "gaussian"}, {"posterior": "universal"}, {"output": "tanh"}],
)
def test_there_and_back(changes, tmp_path, images):
    model = build(**changes)
    aae_jax.save_model(model, tmp_path)
    loaded = aae_jax.load(tmp_path)
    for name in ("network", "image_shape", "num_classes", "prior", "decoded_label", "data"):
        assert getattr(loaded, name) == getattr(model, name), name
    assert jax.tree.structure(loaded.params) == jax.tree.structure(model.params)
    jax.tree.map(np.testing.assert_array_equal, loaded.params, model.params)
    jax.tree.map(np.testing.assert_array_equal, loaded.stats, model.stats)
    np.testing.assert_array_equal(loaded.predict_proba(images), model.predict_proba(images))
    np.testing.assert_array_equal(loaded.reconstruct(images), model.reconstruct(images))


def test_saving_the_loaded_model_gives_the_same_bytes(folder, tmp_path):
    aae_jax.save_model(aae_jax.load(folder), tmp_path / "again")
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("where", [".", ".."])
def test_a_run_is_loaded_like_its_model(where, as_text, folder, images, model):
    path = folder / where
    loaded = aae_jax.load(str(path) if as_text else path)
    np.testing.assert_array_equal(loaded.predict(images), model.predict(images))


def test_calibrated_probabilities_divide_the_logits_and_the_temperature_is_kept(model, images, tmp_path):
    with pytest.raises(InputError, match="no temperature"):
        model.predict_proba(images, calibrated=True)
    warm = dataclasses.replace(model, temperature=1.7)
    aae_jax.save_model(warm, tmp_path)
    loaded = aae_jax.load(tmp_path)
    assert loaded.temperature == 1.7
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="temperature is"):
            dataclasses.replace(model, temperature=bad)
    expected = jax.nn.softmax(model.encode(images).logits / 1.7)
    np.testing.assert_allclose(loaded.predict_proba(images, calibrated=True), expected, rtol=1e-6)
    np.testing.assert_array_equal(loaded.predict_proba(images), model.predict_proba(images))


@pytest.mark.parametrize("bad", [0, -1.0, "warm", float("nan"), float("inf"), [1.0]])
def test_a_temperature_that_is_none_is_refused(bad, folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"temperature": bad}))
    with pytest.raises(InputError):
        aae_jax.load(folder)


def test_a_model_of_before_there_were_temperatures_is_loaded(folder):
    config = json.loads((folder / "config.json").read_text())
    del config["temperature"]
    (folder / "config.json").write_text(json.dumps(config))
    assert aae_jax.load(folder).temperature is None


def test_what_the_methods_return(model, images):
    encoded = model.encode(images)
    assert encoded.mean.shape == (COUNT, LATENT)
    assert encoded.logits.shape == (COUNT, CLASSES)
    chances = np.asarray(model.predict_proba(images))
    assert chances.shape == (COUNT, CLASSES)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(model.predict(images), chances.argmax(axis=1))
    decoded = np.asarray(model.decode(jnp.zeros((5, LATENT)), jax.nn.one_hot(jnp.arange(5) % CLASSES, CLASSES)))
    assert decoded.shape == (5, *SHAPE)
    rebuilt = np.asarray(model.reconstruct(images))
    assert rebuilt.shape == (COUNT, *SHAPE)
    for pixels in (decoded, rebuilt):
        assert pixels.min() >= 0.0
        assert pixels.max() <= 1.0
    np.testing.assert_allclose(rebuilt, model.decode(encoded.mean, jnp.asarray(chances)), rtol=1e-5)


def test_one_image_does_not_depend_on_the_others(model, images):
    alone = model.predict_proba(images[:1])
    np.testing.assert_allclose(alone, model.predict_proba(images)[:1], rtol=1e-4)


@pytest.mark.parametrize(
    "bad",
    [
        jnp.zeros((COUNT, 5, 6), jnp.uint8),
        jnp.zeros(SHAPE, jnp.uint8),
        jnp.zeros((COUNT, *SHAPE, 2), jnp.uint8),
        jnp.full((COUNT, *SHAPE), 256, jnp.int32),
        jnp.full((COUNT, *SHAPE), -1, jnp.int32),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
@pytest.mark.parametrize("method", ["encode", "predict", "predict_proba", "reconstruct"])
def test_other_images_are_refused_in_a_sentence(method, bad, model):
    with pytest.raises(InputError) as refused:
        getattr(model, method)(bad)
    said = str(refused.value)
    assert said.startswith("The model takes uint8 images of shape [n, 6, 5], not ")
    assert f"{bad.dtype} of shape {list(bad.shape)}" in said


def test_whole_numbers_that_are_bytes_are_taken_as_bytes(model):
    """Training takes them so, and so must a model."""
    images = np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE))
    np.testing.assert_array_equal(model.predict_proba(images), model.predict_proba(images.astype(np.uint8)))


def test_methods_can_be_part_of_a_users_program(model):
    images = jnp.asarray(np.random.default_rng(1).integers(0, 256, (COUNT, *SHAPE)), jnp.uint8)
    chances = jax.jit(model.predict_proba)(images)
    np.testing.assert_allclose(chances, model.predict_proba(images), atol=1e-6)
    with pytest.raises(InputError, match="not int32"):  # whether they are bytes is known in a program alone
        jax.jit(model.predict_proba)(images.astype(jnp.int32))


@pytest.mark.parametrize("labels", [3, np.zeros((COUNT + 1, 10)), np.zeros((COUNT, 3)), np.zeros(COUNT)])
def test_labels_that_cannot_be_decoded_are_refused(labels, model):
    with pytest.raises(InputError, match="decode takes styles"):
        model.decode(np.zeros((COUNT, model.network.latent_dim)), labels)


def test_an_image_alone_is_no_batch(model):
    with pytest.raises(InputError, match=r"images\[None\] is a batch of one"):
        model.predict(jnp.zeros(SHAPE, jnp.uint8))


def test_a_model_does_not_change(model):
    with pytest.raises(AttributeError):
        model.params = {}


def edit(folder, **changes):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    network = {**config["network"], **changes.pop("network", {})}
    path.write_text(json.dumps({**config, "network": network, **changes}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "other"}, "was not written by aae_jax"),
        ({"format_version": 8}, "format version 8, but this library reads 1 to 7"),
        ({"format_version": 6, "modules": {"head": "Own"}}, "wrong type"),
        ({"format_version": 6, "modules": {"encoder": "Own"}}, "has 'Own' for its encoder, a module of a user's own"),
        ({"format_version": None}, "format version None"),
        ({"network": {"hiden": [9]}}, "network.hiden"),
        ({"network": {"hidden": 9}}, "network.hidden is 9"),
        ({"network": {"hidden": [10]}}, "has shape|of shape"),
        ({"network": {"hidden": [9, 9]}}, "is missing or unknown"),
        ({"network": {"hidden": [-1]}}, "describes no network"),
        ({"network": {"batch_norm": False}}, "is missing or unknown"),
        ({"network": {"latent_dim": 4}}, "of shape"),
        ({"image_shape": [5, 5]}, "of shape"),
        ({"image_shape": [6]}, "of shape"),
        ({"image_shape": []}, "wrong type"),
        ({"image_shape": [6, 5, 1, 1]}, "wrong type"),
        ({"image_shape": [-6, 5]}, "wrong type"),
        ({"image_shape": [60_000, 50_000]}, "the described weights take"),
        ({"network": {"hidden": [900_000, 900_000]}}, "the described weights take"),
        ({"network": {"latent_dim": 10**6}}, "network.latent_dim is 1000000"),
        ({"class_names": ["a"]}, "wrong type"),
        ({"class_names": [1, 2, 3, 4]}, "wrong type"),
        ({"preprocessing": {}}, "wrong type"),
        ({"preprocessing": {"pixels": "bytes", "scaled_by_feature": True}}, "wrong type"),
        ({"preprocessing": {"pixels": "unit", "scaled_by_feature": True}}, "missing or unknown"),
        ({"prior": {"std": -1.0}}, "prior.std is -1.0"),
        ({"prior": {"std": math.nan}}, "prior.std is nan"),
        ({"prior": {"kind": "sausage"}}, "prior.kind is 'sausage'"),
        ({"prior": {"kind": "swiss_roll"}}, "but the swiss roll has 2 dimensions"),
        ({"prior": 3}, "prior is 3"),
        ({"decoded_label": 5}, "decoded_label is 5 with 4 classes"),
        ({"prior": {"kind": "mixture", "parts": 10_000}, "network": {"latent_dim": 100}}, "give less of either"),
        ({"decoded_label": -1}, "wrong type"),
        ({"image_shape": 6}, "wrong type"),
        ({"image_shape": ["a", "b"]}, "wrong type"),
        ({"num_classes": 5}, "4 names for 5 classes"),
        ({"num_classes": 5, "decoded_label": 5, "class_names": list("abcde")}, "of shape"),
        ({"num_classes": "many"}, "wrong type"),
        ({"num_classes": math.inf}, "wrong type"),
        ({"data": 3}, "wrong type"),
    ],
    ids=str,
)
def test_a_changed_configuration_is_refused(changes, words, folder):
    edit(folder, **changes)
    with pytest.raises(InputError, match=words) as refused:
        aae_jax.load(folder)
    assert str(folder) in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"{", b"not json", b"\xff\xfe", b"[1]", b"3", b"{}"])
def test_a_configuration_of_another_kind_is_refused(content, folder):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=r"config\.json"):
        aae_jax.load(folder)


@pytest.mark.parametrize("key", ["network", "image_shape", "num_classes", "prior", "decoded_label", "data"])
def test_an_incomplete_configuration_is_refused(key, folder):
    config = json.loads((folder / "config.json").read_text())
    del config[key]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=f"lacks {key}"):
        aae_jax.load(folder)


@pytest.mark.parametrize("harm", ["cut", "empty", "foreign", "missing"])
def test_damaged_weights_are_refused(harm, folder):
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    path.unlink()
    if harm != "missing":
        path.write_bytes({"cut": raw[:-8], "empty": b"", "foreign": b"PK\x03\x04" + raw}[harm])
    with pytest.raises(InputError, match=r"cannot be read as safetensors|the described weights take"):
        aae_jax.load(folder)


@pytest.mark.parametrize("harm", ["missing", "added", "shape", "dtype"])
def test_weights_that_do_not_fit_are_refused(harm, folder):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = sorted(tensors)[0]
    if harm == "missing":
        del tensors[name]
    elif harm == "added":
        tensors[name + "2"] = tensors[name]
    else:
        tensors[name] = tensors[name][..., :1] if harm == "shape" else tensors[name].astype(np.float64)
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, path)
    with pytest.raises(InputError, match="does not fit its config") as refused:
        aae_jax.load(folder)
    assert name in str(refused.value)


ABSENCE = {
    "missing": "does not exist",
    "empty": "holds no saved model",
    "file": "is a file",
    "unfinished": "has saved no model yet; finish it with --resume",
}


@pytest.mark.parametrize("kind", ABSENCE)
def test_a_folder_without_a_model(kind, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(InputError, match=ABSENCE[kind]):
        aae_jax.load(tmp_path / kind)


def test_a_kill_between_the_two_files_leaves_no_model(model, folder, monkeypatch):
    shutil.rmtree(folder)

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(json, "dumps", stop)
    with pytest.raises(KeyboardInterrupt):
        aae_jax.save_model(model, folder)
    with pytest.raises(InputError, match="holds no saved model"):
        aae_jax.load(folder)


FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def test_killed_at_any_system_call_the_old_or_the_new_model_is_whole(model, tmp_path):
    """A save over an older model of the same sizes; nothing that Python would clean up happens."""
    new = dataclasses.replace(
        model,
        params=jax.tree.map(lambda leaf: np.asarray(leaf) + 1, model.params),
        seed=77,
        class_names=tuple("abcd"),
    )

    def fresh():
        shutil.rmtree(tmp_path, ignore_errors=True)
        aae_jax.save_model(model, tmp_path)
        return tmp_path

    seen = set()
    count = count_calls(lambda: aae_jax.save_model(new, fresh()))
    assert count > 8
    for moment in range(count):
        folder = fresh()
        kill_before_call(moment, lambda folder=folder: aae_jax.save_model(new, folder))
        loaded = aae_jax.load(tmp_path)
        expected = new if loaded.seed == 77 else model
        assert loaded.class_names == expected.class_names, moment
        jax.tree.map(np.testing.assert_array_equal, loaded.params, expected.params)
        seen.add(loaded.seed)
        aae_jax.save_model(new, tmp_path)
        assert aae_jax.load(tmp_path).seed == 77
    assert seen == {None, 77}


def test_a_model_of_an_earlier_version_is_replaced_as_one(model, tmp_path):
    shutil.copytree(FIXTURES / "model_v1", tmp_path / "model")
    old = (tmp_path / "model" / "config.json").read_text()
    aae_jax.save_model(model, tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(old)  # killed between the two files
    assert aae_jax.load(tmp_path / "model").image_shape == SHAPE


def test_a_configuration_that_was_edited_by_hand_is_the_one_that_counts(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "class_names": ["a", "b", "c", "d"]}))
    assert aae_jax.load(folder).class_names == ("a", "b", "c", "d")


def test_version_2_is_read(tmp_path):
    """As version 1 is: the fixture was written by the code of that version, with the probabilities that it gave."""
    model = aae_jax.load(FIXTURES / "model_v2")
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 5)).astype(np.uint8)
    recorded = json.loads((FIXTURES / "model_v2" / "probabilities.json").read_text())
    np.testing.assert_allclose(model.predict_proba(images, calibrated=True), recorded, atol=2e-6)
    assert (model.prior, model.decoded_label, model.temperature) == (PriorConfig(std=2.5), 4, 1.5)
    aae_jax.save_model(model, tmp_path / "again")
    again = aae_jax.load(tmp_path / "again")
    np.testing.assert_array_equal(again.predict_proba(images), model.predict_proba(images))


@pytest.mark.parametrize("field", ["prior_std"])
def test_an_old_configuration_without_its_field_is_refused(field, tmp_path):
    shutil.copytree(FIXTURES / "model_v2", tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    del config[field]
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=f"lacks {field}"):
        aae_jax.load(tmp_path / "model")


@pytest.mark.parametrize("wrong", [-1.0, 0.0, math.nan, None, "wide"])
def test_an_old_prior_that_is_none_is_refused(wrong, tmp_path):
    shutil.copytree(FIXTURES / "model_v2", tmp_path / "model")
    edit(tmp_path / "model", prior_std=wrong)
    with pytest.raises(InputError, match=r"prior\.std is|wrong type"):
        aae_jax.load(tmp_path / "model")


def without_labels(prior):
    network = NetworkConfig(**{**SIZES, "latent_dim": 2})
    networks = quick_init(aae_jax.build_networks(network, SHAPE, aae_jax.Codes(0, 0, {})))
    params, stats = networks.init(jax.random.key(3))
    kept = {"image_shape": SHAPE, "num_classes": 0, "data": {"name": "made up", "sha256": "0"}}
    return Model(network=network, prior=prior, params=params, stats=stats, **kept)


def test_a_model_without_labels_there_and_back(tmp_path, images):
    model = without_labels(PriorConfig(kind="swiss_roll", parts=3))
    aae_jax.save_model(model, tmp_path)
    again = aae_jax.load(tmp_path)
    assert (again.prior, again.class_names, again.decoded_label) == (model.prior, (), 0)
    np.testing.assert_array_equal(again.reconstruct(images), model.reconstruct(images))
    styles = again.draw_styles(jax.random.key(1), 5)
    expected = priors.build_swiss_roll(priors.SwissRoll(3, 3.0, 2.0))(jax.random.key(1), 5)
    np.testing.assert_array_equal(styles, expected)
    assert again.decode(styles).shape == (5, *SHAPE)


def test_what_a_model_without_labels_cannot_do_is_said(images):
    model = without_labels(None)
    for ask in (model.predict, model.predict_proba):
        with pytest.raises(InputError, match="has no classes: its encoder predicts no label"):
            ask(images)
    with pytest.raises(InputError, match="has no prior to sample from"):
        model.draw_styles(jax.random.key(0), 3)
    with pytest.raises(InputError, match=r"and no labels, not \[7, 2\] and \[7, 3\]; give styles alone"):
        model.decode(np.zeros((7, 2)), np.zeros((7, 3)))


def test_version_1_is_read():
    """The fixture was written by the code of that version, with the probabilities that it gave."""
    model = aae_jax.load(FIXTURES / "model_v1")
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 5)).astype(np.uint8)
    recorded = json.loads((FIXTURES / "model_v1" / "probabilities.json").read_text())
    np.testing.assert_allclose(model.predict_proba(images), recorded, atol=2e-6)
    assert (model.seed, model.prior, model.data["name"]) == (7, PriorConfig(std=2.5), "made up")
    assert (model.class_names, model.pixels, model.scaling) == (("0", "1", "2", "3"), "bytes", None)


def build_on(shape, **changes):
    network = NetworkConfig(**SIZES)
    params, stats = quick_init(aae_jax.build_mlp_networks(network, shape, CLASSES)).init(jax.random.key(3))
    names = ("ä", "b", "c", "d")
    kept = {name: params[name] for name in ("encoder", "decoder")}
    return dataclasses.replace(
        build(), network=network, image_shape=shape, params=kept, stats=stats, class_names=names, **changes
    )


@pytest.mark.parametrize("shape", [(6, 5, 3), (4, 4, 2), (30,)])
def test_other_shapes_of_bytes(shape, tmp_path):
    model = build_on(shape)
    aae_jax.save_model(model, tmp_path)
    loaded = aae_jax.load(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (COUNT, *shape)).astype(np.uint8)
    assert (loaded.image_shape, loaded.class_names) == (shape, ("ä", "b", "c", "d"))
    np.testing.assert_array_equal(loaded.predict_proba(images), model.predict_proba(images))
    assert loaded.reconstruct(images).shape == images.shape
    with pytest.raises(InputError, match="The model takes uint8 images"):
        loaded.encode(images[:, :2])


def test_rows_in_the_units_of_the_data(tmp_path):
    rows = np.random.default_rng(0).normal(size=(COUNT, 3)) * [1, 1000, 0] + [0, 5000, 2]
    model = build_on((3,), pixels="unit", scaling=fit_scaling(rows))
    aae_jax.save_model(model, tmp_path)
    loaded = aae_jax.load(tmp_path)
    np.testing.assert_array_equal(loaded.scaling.low, model.scaling.low)
    np.testing.assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))
    stored = model.encode_stored(jnp.asarray(model.scaling.apply(rows)))
    np.testing.assert_array_equal(model.encode(rows).logits, stored.logits)
    rebuilt = np.asarray(loaded.reconstruct(rows))
    assert rebuilt.min(axis=0)[1] >= rows.min(axis=0)[1] - 1e-2
    assert rebuilt.max(axis=0)[1] <= rows.max(axis=0)[1] + 1e-2
    np.testing.assert_allclose(rebuilt[:, 2], 2)
    for bad, words in [(rows * np.nan, "not all finite"), (rows[:, :2], "rows of numbers of shape"), ("a", "not")]:
        with pytest.raises(InputError, match=words):
            loaded.predict(bad)


def test_images_from_0_to_1():
    model = build_on(SHAPE, pixels="unit")
    images = np.random.default_rng(0).uniform(size=(COUNT, *SHAPE))
    assert model.predict(images).shape == (COUNT,)
    with pytest.raises(InputError, match="not all from 0 to 1"):
        model.predict(images * 2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value, folder):
    tensors = load_file(folder / "model.safetensors")
    name = sorted(tensors)[0]
    tensors[name] = np.full_like(tensors[name], value)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(InputError, match="non-finite numbers in tensor"):
        aae_jax.load(folder)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 100_000, "1" * 5000, "\ud800", ""])
def test_text_that_is_no_configuration(text, folder):
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=r"is not valid JSON|was not written by aae_jax"):
        aae_jax.load(folder)


def test_a_file_too_large_to_be_a_configuration(folder):
    (folder / "config.json").write_bytes(b" " * (10**7 + 1))
    with pytest.raises(InputError, match="is not a model's configuration"):
        aae_jax.load(folder)


def test_both_files_can_be_read_by_others(folder):
    """Safetensors' own writer makes files for the owner alone."""
    modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
    (folder / "plain").write_text("")
    assert modes == {(folder / "plain").stat().st_mode & 0o777}


# Models with other codes


def with_codes(**fields):
    """Return a model whose codes are not those of the semi-supervised one."""
    network = NetworkConfig(**SIZES)
    empty = Model(
        network=network,
        image_shape=SHAPE,
        prior=PriorConfig(std=1.0),
        params={},
        stats={},
        data={"name": "made up", "sha256": "0"},
        **fields,
    )
    params, stats = quick_init(empty.networks).init(jax.random.key(4))
    return dataclasses.replace(empty, params=params, stats=stats)


CODES = {
    "supervised": {"num_classes": 0, "decoded_label": 5, "class_names": tuple("abcde")},
    "heads": {"num_classes": CLASSES, "heads": True, "experiment": "dim_reduction"},
    "modes": {"num_classes": CLASSES, "mode_decoder": True, "clusters": True, "experiment": "clustering"},
}


@pytest.mark.parametrize("name", CODES)
def test_other_codes_there_and_back(name, tmp_path):
    model = with_codes(**CODES[name])
    aae_jax.save_model(model, tmp_path / "saved")
    again = aae_jax.load(tmp_path / "saved")
    fields = ("num_classes", "decoded_label", "class_names", "heads", "mode_decoder", "clusters", "experiment")
    assert [getattr(again, f) for f in fields] == [getattr(model, f) for f in fields]
    jax.tree.map(np.testing.assert_array_equal, again.params, model.params)
    z, y = jnp.ones((2, LATENT)), jnp.eye(again.decoded_label)[:2]
    np.testing.assert_array_equal(again.decode(z, y), model.decode(z, y))


def test_classes_are_given_where_the_decoder_alone_has_labels():
    model, images = with_codes(**CODES["supervised"]), np.zeros((3, *SHAPE), np.uint8)
    made = model.reconstruct(images, [0, 4, 2])
    z = model.encode(images).mean
    np.testing.assert_array_equal(made, model.decode(z, jnp.eye(5)[jnp.asarray([0, 4, 2])]))
    for labels in ([0, 1], [0, 1, 5], [0, 1, -1], [0.0, 1.0, 2.0]):
        with pytest.raises(InputError, match=r"give one class for each of 3 images|There is no class (5|-1);"):
            model.reconstruct(images, labels)
    with pytest.raises(InputError, match="give labels"):
        model.reconstruct(images)
    with pytest.raises(InputError, match="has no classes"):
        model.predict(images)
    with pytest.raises(InputError, match="takes no labels"):
        with_codes(num_classes=0).reconstruct(images, [0, 1, 2])


def test_heads_and_modes_are_where_they_were_trained(model):
    heads, modes = with_codes(**CODES["heads"]), with_codes(**CODES["modes"])
    kernel = np.asarray(heads.params["heads"]["kernel"])
    np.testing.assert_allclose(heads.represent(jnp.zeros((CLASSES, LATENT)), jnp.eye(CLASSES)), kernel, rtol=1e-6)
    assert modes.decode_mode(jnp.eye(CLASSES)).shape == (CLASSES, *SHAPE)
    with pytest.raises(InputError, match="no mode decoder"):
        model.decode_mode(jnp.eye(CLASSES))
    with pytest.raises(InputError, match=r"labels \[n, 4\], not \[2, 3\]"):
        modes.decode_mode(jnp.zeros((2, 3)))
    with pytest.raises(InputError, match="no cluster heads"):
        model.represent(jnp.zeros((1, LATENT)), jnp.zeros((1, CLASSES)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"decoded_label": 3}, "with 4 classes"),
        ({"heads": "yes"}, "heads, mode_decoder and clusters are"),
        ({"num_classes": 0, "decoded_label": 0, "class_names": [], "mode_decoder": True}, "with 0 classes"),
        ({"heads": True}, "does not fit its config.json"),
        ({"mode_decoder": True}, "does not fit its config.json"),
        ({"experiment": 7}, "experiment is 7"),
    ],
)
def test_codes_that_do_not_fit_are_refused(model, changes, words, tmp_path):
    aae_jax.save_model(model, tmp_path / "saved")
    path = tmp_path / "saved" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(InputError, match=words):
        aae_jax.load(tmp_path / "saved")


def test_a_prior_that_is_given_by_samples_is_saved_with_them(model, tmp_path):
    table = jax.random.normal(jax.random.key(2), (50, LATENT))
    of_samples = dataclasses.replace(
        model, prior=PriorConfig(kind="samples", file="/somewhere/mine.py:of"), prior_samples=table
    )
    aae_jax.save_model(of_samples, tmp_path)
    assert "somewhere" not in (tmp_path / "config.json").read_text()
    again = aae_jax.load(tmp_path)
    assert again.prior == PriorConfig(kind="samples")
    np.testing.assert_array_equal(again.prior_samples, table)
    key = jax.random.key(1)
    np.testing.assert_array_equal(again.draw_styles(key, 9), priors.build_empirical(table)(key, 9))
    with pytest.raises(InputError, match="kind samples has no parts"):
        again.draw_styles(key, 9, component=0)
    described = json.loads((tmp_path / "config.json").read_text())
    for changes in ({"prior_samples": 0}, {"prior": PriorConfig().__dict__}, {"prior_samples": 10**9}):
        (tmp_path / "config.json").write_text(json.dumps(described | changes))
        with pytest.raises(InputError, match=r"config\.json"):
            aae_jax.load(tmp_path)
    for prior, samples in ((PriorConfig(kind="samples"), None), (PriorConfig(), table), (None, table)):
        with pytest.raises(InputError, match="prior_samples of shape"):
            dataclasses.replace(model, prior=prior, prior_samples=samples)
    with pytest.raises(InputError, match=r"of shape \(50, 2\); give \[count, 3\]"):
        dataclasses.replace(model, prior=PriorConfig(kind="samples"), prior_samples=table[:, :2])


def test_a_model_without_samples_is_read_by_what_read_version_3(folder):
    described = json.loads((folder / "config.json").read_text())
    assert described["format_version"] == 3
    assert "file" not in described["prior"]
    assert "prior_samples" not in described


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["zero", "full", "pipe", "linked pipe", "socket", "folder", "loop", "missing"])
def test_files_that_are_not_regular_are_refused_at_once(kind, name, folder, tmp_path):
    path = folder / name
    path.unlink()
    if kind in ("zero", "full"):
        path.symlink_to(f"/dev/{kind}")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "linked pipe":
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    began = time.monotonic()
    for given in (folder, folder.parent):  # a model's own folder, and that of its run
        with pytest.raises(InputError, match=r"cannot be read|holds no saved model"):
            aae_jax.load(given)
    assert time.monotonic() - began < 5


def test_folders_whose_names_are_any_bytes(folder, tmp_path, images, model):
    other = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n\x1b[31m")
    os.rename(folder, other)
    np.testing.assert_array_equal(aae_jax.load(other).predict(images), model.predict(images))
    (Path(other) / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError) as refused:
        aae_jax.load(other)
    assert str(refused.value).isprintable()
    assert str(refused.value).encode()
