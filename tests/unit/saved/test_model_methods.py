"""What people do with a model: samples, accuracy, names of classes, saving; and models as pytrees."""

import base64
import dataclasses
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import aae_jax
from aae_jax.errors import InputError
from tests.unit.saved.test_saved_model import CLASSES as LENGTH
from tests.unit.saved.test_saved_model import CODES, COUNT, SHAPE, build, with_codes

NAMES = tuple(f"class {i}" for i in range(LENGTH))


@pytest.fixture(scope="module")
def model():
    return dataclasses.replace(build(), class_names=NAMES)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE)).astype(np.uint8)


def test_samples_are_decoded_styles_of_the_prior(model):
    made = model.sample(5, seed=3)
    assert made.shape == (5, *SHAPE)
    np.testing.assert_array_equal(made, model.sample(5, seed=3))
    assert not np.array_equal(made, model.sample(5, seed=4))
    same = model.sample(5, label="class 2", seed=3)
    np.testing.assert_array_equal(same, model.sample(5, label=2, seed=3))
    np.testing.assert_array_equal(same, model.sample(5, label=[2] * 5, seed=3))
    styles = model.draw_styles(jax.random.split(jax.random.key(3))[0], 5)
    np.testing.assert_array_equal(same, model.decode(styles, ["class 2"] * 5))
    np.testing.assert_array_equal(same, model.decode(styles, np.full(5, 2)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "count is 0"),
        ({"count": 3, "label": "class 10"}, "There is no class 'class 10'; the model's are 'class 0', 'class 1'"),
        ({"count": 3, "label": 10}, "There is no class 10;"),
        ({"count": 3, "label": [1, 2]}, "give one class for each of 3 images"),
        ({"count": 3, "label": 1.5}, "give one class for each of 3 images"),
    ],
)
def test_samples_that_cannot_be_drawn(model, options, words):
    with pytest.raises(InputError, match=words):
        model.sample(**options)


def test_samples_without_labels_or_a_prior():
    plain = with_codes(num_classes=0, decoded_label=0)
    assert plain.sample(3).shape == (3, *SHAPE)
    with pytest.raises(InputError, match="the decoder takes styles alone"):
        plain.sample(3, label=1)
    with pytest.raises(InputError, match="has no prior to sample from"):
        dataclasses.replace(plain, prior=None).sample(3)


def test_accuracy_and_names(model, images):
    predicted = np.asarray(model.predict(images))
    named = model.predict(images, names=True)
    assert named.tolist() == [NAMES[place] for place in predicted]
    assert model.score(images, named) == model.score(images, predicted) == 1.0
    wrong = predicted.copy()
    wrong[0] = (wrong[0] + 1) % LENGTH
    assert model.score(images, wrong) == pytest.approx(1 - 1 / COUNT)
    with pytest.raises(InputError, match=f"give one class for each of {COUNT} images"):
        model.score(images, predicted[:3])
    with pytest.raises(InputError, match="There is no class 'cat'"):
        model.score(images, ["cat"] * COUNT)
    with pytest.raises(InputError, match="no images to score"):
        model.score(images[:0], predicted[:0])


def test_whole_numbers_are_names_where_classes_are_called_so(images):
    model = dataclasses.replace(build(), class_names=tuple(str(i + 1) for i in range(LENGTH)))
    predicted = np.asarray(model.predict(images))
    assert model.score(images, predicted + 1) == 1.0, "labels 1 to 10, as the data had them"
    assert model.score(images, (predicted + 1).astype(float)) == 1.0
    with pytest.raises(InputError, match="There is no class 0;"):
        model.score(images, predicted * 0)
    z = np.zeros((COUNT, model.network.latent_dim), np.float32)
    np.testing.assert_array_equal(model.decode(z, predicted), model.decode(z, np.eye(LENGTH)[predicted]))
    traced = jax.jit(lambda model, y: model.decode(jnp.asarray(z), y))(model, jnp.asarray(predicted))
    np.testing.assert_allclose(traced, model.decode(z, predicted), atol=1e-6)


def test_clusters_have_no_accuracy(images):
    clusters = dataclasses.replace(build(), clusters=True)
    with pytest.raises(InputError, match="The classes of this model are clusters"):
        clusters.score(images, np.zeros(COUNT, int))


def test_codes_are_numpy_arrays(model, images):
    codes = model.transform(images)
    assert isinstance(codes, np.ndarray)
    np.testing.assert_array_equal(codes, model.encode(images).mean)
    heads = with_codes(**next(codes for codes in CODES.values() if codes.get("heads")))
    encoded = heads.encode(images)
    np.testing.assert_array_equal(heads.transform(images), heads.represent(encoded.mean, heads.label_codes(encoded)))


def test_a_model_saves_itself(model, tmp_path, images):
    model.save(tmp_path / "a")
    aae_jax.save_model(model, tmp_path / "b")
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    np.testing.assert_array_equal(aae_jax.load(tmp_path / "a").predict_proba(images), model.predict_proba(images))


def test_notebooks_show_styles_in_classes(model):
    page = model._repr_html_()
    assert "class 0, class 1" in page
    picture = Image.open(io.BytesIO(base64.b64decode(page.split("base64,")[1].split('"')[0])))
    assert min(picture.size) > 4 * 28
    rows = dataclasses.replace(with_codes(num_classes=0, decoded_label=0), prior=None)._repr_html_()
    assert "img" not in rows
    assert "Model(" in rows
    named = dataclasses.replace(model, class_names=("<b>", *NAMES[1:]))._repr_html_()
    assert "<b>" not in named


def test_a_model_is_a_pytree(model, images):
    doubled = jax.tree.map(lambda leaf: 2 * leaf, model)
    assert isinstance(doubled, aae_jax.Model)
    assert doubled.class_names == NAMES
    jax.tree.map(lambda new, old: np.testing.assert_array_equal(new, 2 * old), doubled.params, model.params)
    leaves, structure = jax.tree.flatten(model)
    again = jax.tree.unflatten(structure, leaves)
    np.testing.assert_array_equal(again.predict_proba(images), model.predict_proba(images))
    assert structure == jax.tree.structure(dataclasses.replace(model))
    assert structure != jax.tree.structure(dataclasses.replace(model, temperature=2.0))


def test_functions_of_models_are_compiled_once(model, images):
    traced = []

    @jax.jit
    def predict(model, images):
        traced.append(1)
        return model.predict_proba(images)

    np.testing.assert_allclose(predict(model, images), model.predict_proba(images), atol=1e-6)
    predict(dataclasses.replace(model, params=jax.tree.map(lambda leaf: leaf + 1, model.params)), images)
    assert len(traced) == 1


def test_derivatives_with_respect_to_the_weights(model, images):
    def loss(model):
        return model.encode(images).logits[:, 0].sum()

    slopes = jax.grad(loss, allow_int=True)(model)
    assert isinstance(slopes, aae_jax.Model)
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(slopes.params["encoder"])) > 0


def test_several_models_at_once(model, images):
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), model, model)
    chances = jax.vmap(lambda model: model.predict_proba(images))(both)
    np.testing.assert_allclose(chances[1], model.predict_proba(images), atol=1e-6)
