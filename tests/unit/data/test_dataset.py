import dataclasses

import numpy as np
import pytest

from aae_jax.data import build_dataset, content_sha256
from aae_jax.errors import InputError
from tests.unit.data.conftest import small_arrays

NAMES = ("train_images", "train_labels", "test_images", "test_labels")


def build(**changes):
    arguments = dict(zip(NAMES, small_arrays(), strict=True), name="small", source="a test", num_classes=10)
    return build_dataset(**(arguments | changes))


def test_arrays_have_their_types_and_are_read_only_copies():
    images, *_ = small_arrays()
    dataset = build(train_images=images)
    images[0] = 0
    assert dataset.train_images.dtype == dataset.test_images.dtype == np.uint8
    assert dataset.train_labels.dtype == dataset.test_labels.dtype == np.int32
    assert dataset.image_shape == (5, 4)
    np.testing.assert_array_equal(dataset.train_images, small_arrays()[0])
    for name in NAMES:
        with pytest.raises(ValueError, match="read-only"):
            getattr(dataset, name)[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "other"


def test_hash_depends_on_every_array_its_type_and_its_shape():
    arrays = small_arrays()
    hashes = {content_sha256(*arrays)}
    for at in range(4):
        changed = [array.copy() for array in arrays]
        changed[at].flat[0] ^= 1
        hashes.add(content_sha256(*changed))
    hashes.add(content_sha256(arrays[0].reshape(30, 4, 5), *arrays[1:]))
    hashes.add(content_sha256(arrays[0], arrays[1].astype(np.int32), *arrays[2:]))
    assert len(hashes) == 7


def test_hash_ignores_memory_order_and_byte_order():
    dataset = build()
    arrays = [getattr(dataset, name) for name in NAMES]
    swapped = [np.asfortranarray(arrays[0]), arrays[1].astype(">i4"), *arrays[2:]]
    assert content_sha256(*swapped) == dataset.sha256


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": np.zeros((30, 5, 4))}, "float64"),
        ({"train_images": np.full((30, 20), 99, np.uint8)}, r"shape \(5, 4\) but its training images \(20,\)"),
        ({"train_images": np.zeros((30,), np.uint8)}, r"shape \(30,\); give an array of shape"),
        ({"train_images": np.zeros((30, 5, 4, 3, 1), np.uint8)}, "give an array of shape"),
        ({"train_images": np.full((30, 5, 4), 1.5, np.float32)}, "run from 1.5 to 1.5"),
        ({"train_images": np.full((30, 5, 4), np.nan, np.float32)}, "hold NaN; leave those rows out or correct them"),
        ({"train_images": np.zeros((30, 5, 4), np.float32)}, "bring both to one type"),
        ({"class_names": ["a", "b"]}, "2 class names for"),
        ({"train_images": np.zeros((0, 5, 4), np.uint8), "train_labels": np.zeros(0, np.uint8)}, "empty"),
        ({"train_labels": np.zeros(29, np.uint8)}, "one label per image"),
        ({"test_labels": np.zeros(20)}, "integer"),
        ({"test_labels": np.full(20, 10)}, "0 to 9"),
        ({"test_labels": np.full(20, -1)}, "from -1 to -1"),
        ({"train_labels": np.full(30, -2)}, r"from -2 to -2; .* 0 to 9, or -1 for no label"),
        ({"num_classes": 0}, "without classes they must all be -1"),
        ({"test_images": np.zeros((20, 4, 4), np.uint8)}, r"\(4, 4\)"),
    ],
)
def test_bad_arrays_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        build(**changes)


def test_training_images_may_have_no_label_and_data_no_classes():
    labels = np.where(np.arange(30) % 3, np.arange(30) % 10, -1)
    some = build(train_labels=labels)
    assert (some.num_unlabelled, some.num_classes) == (10, 10)
    np.testing.assert_array_equal(some.train_labels, labels)
    none = build(train_labels=np.full(30, -1), test_labels=np.full(20, -1), num_classes=0)
    assert (none.num_unlabelled, none.num_classes, none.class_names) == (30, 0, ())
