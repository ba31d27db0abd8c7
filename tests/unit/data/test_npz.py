"""Anybody's arrays: taken in every sensible form, refused in a sentence in every other."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from aae_jax.data import load_dataset, load_npz
from aae_jax.errors import InputError

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (40, 5, 4)).astype(np.uint8)
LABELS = np.arange(40) % 4
ROWS = GENERATOR.normal(size=(40, 3)) * [1, 100, 1e-3] + [0, 5, 1]


@pytest.fixture
def save(tmp_path):
    def save_arrays(packed=False, **arrays):
        path = tmp_path / "mine äö.npz"
        (np.savez_compressed if packed else np.savez)(path, **arrays)
        return path

    return save_arrays


def split(x, y):
    return {"x_train": x[:30], "y_train": y[:30], "x_test": x[30:], "y_test": y[30:]}


@pytest.mark.parametrize("packed", [False, True])
def test_keras_keys(save, packed):
    path = save(packed, **split(IMAGES, LABELS))
    dataset = load_dataset(f"npz:{path}")
    assert (dataset.name, dataset.source) == ("npz:mine äö.npz", str(path))
    assert dataset.class_names == ("0", "1", "2", "3")
    np.testing.assert_array_equal(dataset.train_images, IMAGES[:30])
    np.testing.assert_array_equal(dataset.test_labels, LABELS[30:])
    assert dataset.scaling is None


def test_short_keys_may_come_with_a_test_set(save):
    path = save(x=IMAGES[:30], y=LABELS[:30], x_test=IMAGES[30:], y_test=LABELS[30:])
    dataset = load_npz(path)
    np.testing.assert_array_equal(dataset.train_images, IMAGES[:30])
    np.testing.assert_array_equal(dataset.test_images, IMAGES[30:])


def test_whole_numbers_may_have_names(save):
    path = save(**split(IMAGES, LABELS), class_names=np.asarray(["north", "east", "south", "west"]))
    dataset = load_npz(path)
    assert dataset.class_names == ("north", "east", "south", "west")
    np.testing.assert_array_equal(dataset.train_labels, LABELS[:30])


def test_without_a_test_set_a_quarter_of_each_class_is_drawn(save):
    path = save(x=IMAGES, y=LABELS)
    dataset, other = load_npz(path), load_npz(path, split_seed=1)
    assert len(dataset.test_images) == 8  # 2 of 10, four times: round(2.5) is 2
    np.testing.assert_array_equal(np.bincount(dataset.test_labels), [2, 2, 2, 2])
    assert dataset.sha256 == load_npz(path).sha256 != other.sha256
    together = np.concatenate([dataset.train_images, dataset.test_images]).reshape(40, -1)
    np.testing.assert_array_equal(np.unique(together, axis=0), np.unique(IMAGES.reshape(40, -1), axis=0))


@pytest.mark.parametrize(
    ("images", "stored"),
    [
        (IMAGES.astype(np.int64), IMAGES),
        (IMAGES.astype(np.uint16), IMAGES),
        (IMAGES[..., None], IMAGES),
        (np.stack([IMAGES] * 3, axis=-1), np.stack([IMAGES] * 3, axis=-1)),
        (IMAGES > 127, (IMAGES > 127) * np.uint8(255)),
        (IMAGES / 255, (IMAGES / 255).astype(np.float32)),
        ((IMAGES / 255).astype(np.float16), (IMAGES / 255).astype(np.float16).astype(np.float32)),
        (IMAGES.reshape(40, -1), IMAGES.reshape(40, -1)),
    ],
    ids=["int64", "uint16", "one channel", "colour", "bool", "float64", "float16", "flat bytes"],
)
def test_images_of_many_types(save, images, stored):
    dataset = load_npz(save(**split(images, LABELS)))
    assert dataset.train_images.dtype == stored.dtype
    np.testing.assert_array_equal(dataset.train_images, stored[:30])
    assert dataset.image_shape == stored.shape[1:]
    assert dataset.scaling is None


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int32])
def test_rows_are_scaled_by_the_training_range(save, kind):
    rows = (ROWS * 10).astype(kind)
    dataset = load_npz(save(**split(rows, LABELS)))
    assert dataset.train_images.dtype == np.float32
    np.testing.assert_allclose(dataset.train_images.min(axis=0), 0, atol=1e-6)
    assert dataset.train_images.max() <= 1
    np.testing.assert_allclose(
        dataset.scaling.invert(dataset.train_images), rows[:30], rtol=1e-5, atol=1e-5 * np.abs(rows).max()
    )
    assert dataset.test_images.min() >= 0
    assert dataset.test_images.max() <= 1


def test_a_constant_feature_becomes_zero(save):
    rows = ROWS.copy()
    rows[:, 1] = 7
    dataset = load_npz(save(**split(rows, LABELS)))
    np.testing.assert_array_equal(dataset.train_images[:, 1], 0)
    np.testing.assert_array_equal(dataset.scaling.invert(dataset.train_images)[:, 1], 7)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (LABELS * 10 + 5, ("5", "15", "25", "35")),
        (LABELS.astype(float), ("0", "1", "2", "3")),
        (LABELS[:, None], ("0", "1", "2", "3")),
        (np.array(["owl", "ant", "bee", "cat"])[LABELS], ("ant", "bee", "cat", "owl")),
    ],
    ids=["gaps", "floats", "a column", "texts"],
)
def test_labels_of_many_kinds(save, labels, names):
    dataset = load_npz(save(**split(IMAGES, labels)))
    assert dataset.class_names == names
    shown = np.asarray(names)[dataset.train_labels]
    np.testing.assert_array_equal(
        shown,
        labels.reshape(-1)[:30].astype(labels.dtype).astype(str).astype(shown.dtype)
        if labels.dtype.kind != "f"
        else LABELS[:30].astype(str),
    )


HIDDEN = np.arange(40) % 3 != 0
"""Of 40 images those that have no label: 6 or 7 of each class."""
BLANKS = {
    "-1": np.where(HIDDEN, -1, LABELS),
    "other negative numbers": np.where(HIDDEN, -7, LABELS).astype(np.int8),
    "NaN": np.where(HIDDEN, np.nan, LABELS),
    "-1.0": np.where(HIDDEN, -1.0, LABELS).astype(np.float32),
    "a column": np.where(HIDDEN, -1, LABELS)[:, None],
    **{repr(text): np.where(HIDDEN, text, LABELS.astype(str)) for text in ("", "  ", "nan", "None", " NaN", "-1")},
}


@pytest.mark.parametrize("labels", BLANKS.values(), ids=BLANKS)
def test_images_without_a_label_join_the_pool(save, labels):
    dataset = load_npz(save(**split(IMAGES, labels)))
    assert dataset.class_names == ("0", "1", "2", "3")
    bare = np.flatnonzero(HIDDEN[30:]) + 30
    np.testing.assert_array_equal(dataset.train_images, np.concatenate([IMAGES[:30], IMAGES[bare]]))
    expected = np.where(HIDDEN[:30], -1, LABELS[:30])
    np.testing.assert_array_equal(dataset.train_labels, np.concatenate([expected, np.full(len(bare), -1)]))
    np.testing.assert_array_equal(dataset.test_images, IMAGES[30:][~HIDDEN[30:]])
    np.testing.assert_array_equal(dataset.test_labels, LABELS[30:][~HIDDEN[30:]])
    assert dataset.num_unlabelled == HIDDEN.sum()
    assert dataset.notices == (
        f"{len(bare)} of the 10 test images of npz:mine äö.npz have no label and join the training images.",
    )


def test_the_quarter_for_testing_is_drawn_among_images_with_a_label(save):
    dataset = load_npz(save(x=IMAGES, y=BLANKS["-1"]))
    assert len(dataset.train_labels) + len(dataset.test_labels) == 40
    assert (dataset.num_unlabelled, dataset.notices) == (HIDDEN.sum(), ())
    np.testing.assert_array_equal(np.bincount(dataset.test_labels), np.rint(np.bincount(LABELS[~HIDDEN]) / 4))
    shown = {image.tobytes(): label for image, label in zip(IMAGES, BLANKS["-1"], strict=True)}
    together = [*zip(dataset.train_images, dataset.train_labels, strict=True)]
    together += zip(dataset.test_images, dataset.test_labels, strict=True)
    assert all(shown[image.tobytes()] == label for image, label in together)


@pytest.mark.parametrize("given", [{"y_test": np.full(10, -1)}, {"y_test": np.full(10, np.nan)}, {}])
def test_a_test_set_without_labels_is_drawn_instead(save, given):
    arrays = {"x_train": IMAGES[:30], "y_train": LABELS[:30], "x_test": IMAGES[30:], **given}
    dataset, other = load_npz(save(**arrays)), load_npz(save(**arrays), split_seed=1)
    assert len(dataset.train_images) == 32
    np.testing.assert_array_equal(np.bincount(dataset.test_labels), [2, 2, 2, 2])
    assert dataset.num_unlabelled == 10
    np.testing.assert_array_equal(dataset.train_images[-10:], IMAGES[30:])
    assert "a quarter of each class is drawn as the test set instead" in dataset.notices[0]
    assert dataset.sha256 != other.sha256


def test_rows_without_a_label_are_scaled_with_the_training_rows(save):
    rows = np.arange(40, dtype=float)[:, None] * [1, 2]
    labels = np.where(np.arange(40) >= 35, -1, LABELS)
    dataset = load_npz(save(x_train=rows[:20], y_train=labels[:20], x_test=rows[20:], y_test=labels[20:]))
    np.testing.assert_array_equal(dataset.scaling.span, [39, 78])


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": IMAGES},
        {"x": IMAGES, "y": np.full(40, -1)},
        {"x": IMAGES, "y": np.full(40, "")},
        {"x": IMAGES, "y": np.full(40, np.nan), "class_names": np.array(["a", "b"])},
        {"x_train": IMAGES[:30], "x_test": IMAGES[30:]},
        {"x": IMAGES[:30], "x_test": IMAGES[30:]},
        split(IMAGES, np.full(40, -1)),
        split(IMAGES, np.where(np.arange(40) < 30, -1, LABELS)),
    ],
)
def test_data_without_labels(save, arrays):
    dataset = load_npz(save(**arrays))
    assert (dataset.num_classes, dataset.class_names) == (0, ())
    assert (len(dataset.train_images), len(dataset.test_images)) == (30, 10)
    assert set(dataset.train_labels) == set(dataset.test_labels) == {-1}
    unused = "No training image of npz:mine äö.npz has a label: the labels of its test images are not used."
    assert dataset.notices == ((unused,) if np.any(arrays.get("y_test", -1) >= 0) else ())
    if "x_test" in arrays:
        np.testing.assert_array_equal(dataset.train_images, IMAGES[:30])


def test_numbers_of_different_types_are_labels_alike(save):
    arrays = split(IMAGES, LABELS)
    whole = load_npz(save(**arrays))
    assert load_npz(save(**arrays | {"y_test": LABELS[30:].astype(np.uint8)})).sha256 == whole.sha256
    assert load_npz(save(**arrays | {"y_train": LABELS[:30].astype(float)})).sha256 == whole.sha256


BAD = [
    ({"images": IMAGES}, "give the arrays x_train"),
    ({"x_train": IMAGES, "y_train": LABELS}, "give the arrays x_train"),
    ({"x": IMAGES[:1]}, "too few images for a test set, a quarter of them"),
    ({"x": IMAGES, "y_test": LABELS}, "no y for y_test; give both"),
    ({"x": IMAGES, "y_train": LABELS}, "no y for y_train; give both"),
    ({"x_train": IMAGES, "x_test": IMAGES, "y_test": LABELS}, "no y_train for y_test; give both"),
    ({"x": np.uint8(3), "x_test": IMAGES}, "x in .* is a scalar"),
    ({"x": IMAGES, "y": LABELS[:-1]}, "one label per image"),
    ({**split(IMAGES, LABELS), "y_test": LABELS[:3]}, "x_test and y_test in .* one label per image"),
    ({"x": IMAGES, "y": LABELS[1:], "x_test": IMAGES, "y_test": LABELS}, "x and y in .* one label per image"),
    ({"x": IMAGES, "y": LABELS + 0.5}, "give integers"),
    ({"x": IMAGES, "y": np.where(LABELS == 0, np.inf, LABELS)}, "hold inf, type float64; give integers"),
    ({"x": IMAGES, "y": np.where(LABELS == 0, 1e300, LABELS)}, "give integers"),
    ({"x": IMAGES, "y": np.where(LABELS == 0, "", "cat")}, "'cat' .*empty strings mean no label.*two classes"),
    ({"x": IMAGES, "y": np.where(LABELS == 0, -1, 1)}, "negative numbers.* mean no label.*two classes"),
    ({"x": IMAGES, "y": np.zeros_like(LABELS)}, "give images of at least two classes"),
    ({"x": IMAGES, "y": np.where(np.arange(40) < 4, LABELS, -1)}, "too few images with a label for a test set"),
    ({"x": IMAGES, "y": LABELS, "class_names": np.asarray(["a"])}, "one string for each label"),
    ({"x": IMAGES, "y": LABELS, "class_names": np.arange(LABELS.max() + 1)}, "one string for each label"),
    ({"x": np.zeros((len(LABELS), 3, 6, 5)), "y": LABELS}, "channels before height and width"),
    ({"x": IMAGES, "y": np.eye(4)[LABELS]}, "not one-hot"),
    ({"x": IMAGES, "y": LABELS > 1}, "give integers"),
    ({"x": IMAGES.astype(float), "y": LABELS}, "from 0 to 1"),
    ({"x": IMAGES / 255 - 0.5, "y": LABELS}, "from 0 to 1"),
    ({"x": IMAGES.astype(int) * 2, "y": LABELS}, "from 0 to 255"),
    ({"x": IMAGES.astype(int) - 1, "y": LABELS}, "from 0 to 255"),
    ({"x": np.where(IMAGES == 7, np.nan, IMAGES / 255), "y": LABELS}, "NaN"),
    ({"x": np.where(ROWS > 1, np.inf, ROWS), "y": LABELS}, "NaN, or numbers beyond"),
    ({"x": ROWS * 1e300, "y": LABELS}, "beyond float32"),
    ({"x": ROWS * 0 + np.array([[3e38, 0, 0], [-3e38, 0, 0]] * 20), "y": LABELS}, "span more than float32"),
    ({"x": IMAGES % 17, "y": LABELS}, "whole numbers up to 16, nearly black"),
    ({"x": (IMAGES > 99).astype(int), "y": LABELS}, "whole numbers up to 1, nearly black"),
    ({**split(IMAGES, LABELS), "y_train": np.int64(3)}, "of different types or shapes"),
    ({**split(IMAGES, np.eye(4)[LABELS]), "y_test": np.eye(3)[LABELS[30:] % 3]}, "of different types or shapes"),
    ({"x": IMAGES.astype(str), "y": LABELS}, "give numbers"),
    ({"x": IMAGES * 1j, "y": LABELS}, "give numbers"),
    ({"x": IMAGES[:, 0, 0], "y": LABELS}, "give an array of shape"),
    ({"x": IMAGES[..., None, None], "y": LABELS}, "give an array of shape"),
    ({"x": IMAGES[:0], "y": LABELS[:0]}, "one class per image"),
    ({"x": IMAGES[:, :0], "y": LABELS}, "empty"),
    ({"x": np.uint8(3), "y": LABELS}, "one label per image"),
    ({**split(IMAGES, LABELS), "x_test": IMAGES[30:, :3]}, "bring both to one shape"),
    ({**split(IMAGES, LABELS), "x_test": IMAGES[30:] / 255}, "bring both to one type"),
    ({**split(ROWS, LABELS), "x_test": ROWS[30:, :2]}, "give rows of one length"),
    ({**split(IMAGES, LABELS), "y_test": LABELS[30:].astype(str)}, "give both in one form"),
    ({"x": np.array([{"an": "object"}] * 40), "y": LABELS}, "Python objects"),
]


@pytest.mark.parametrize(("arrays", "words"), BAD, ids=[words for _, words in BAD])
def test_what_cannot_be_used(save, arrays, words):
    path = save(**arrays)
    with pytest.raises(InputError, match=words) as caught:
        load_npz(path)
    assert "mine" in str(caught.value)


class Bomb:
    """Would create a file if anybody unpickled it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_is_unpickled(tmp_path):
    path, trap = tmp_path / "a.npz", tmp_path / "trap"
    pickled = io.BytesIO()
    np.lib.format.write_array(pickled, np.array([Bomb(trap)], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", pickled.getvalue())
        archive.writestr("y.npy", pickle.dumps(Bomb(trap)))
    with pytest.raises(InputError):
        load_npz(path)
    assert not trap.exists()


def header(shape, kind="<f8"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6, 10**6), (41, 5, 4), (-1, 5), (2**40, 0)])
def test_a_header_that_lies_takes_no_memory(tmp_path, shape):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header(shape, "|u1") + IMAGES.tobytes())
        archive.writestr("y.npy", header((40,), "<i8") + LABELS.tobytes())
    with pytest.raises(InputError):
        load_npz(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>", b"PK\x03\x04" + bytes(100)])
def test_no_npz(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="not a complete npz file"):
        load_npz(tmp_path / "a.npz")
    with pytest.raises(InputError, match="does not exist"):
        load_npz(tmp_path / "none.npz")
    with pytest.raises(InputError, match="cannot be read"):
        load_npz(tmp_path)
