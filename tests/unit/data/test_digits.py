import builtins

import numpy as np
import pytest

from aae_jax.data import load_digits
from aae_jax.errors import InputError


def test_digits_fill_the_byte_range():
    dataset = load_digits()
    assert (dataset.name, dataset.num_classes, dataset.image_shape) == ("digits", 10, (8, 8))
    assert len(dataset.train_images) + len(dataset.test_images) == 1797
    levels = {round(level * 255 / 16) for level in range(17)}
    assert set(np.unique(dataset.train_images)) == levels


def test_every_class_gives_a_quarter_to_the_test_set():
    dataset = load_digits()
    tests = np.bincount(dataset.test_labels)
    totals = tests + np.bincount(dataset.train_labels)
    assert np.abs(tests - totals / 4).max() <= 0.5


def test_no_image_is_lost_or_repeated():
    from sklearn import datasets

    dataset = load_digits(split_seed=3)
    parts = np.concatenate([dataset.train_images, dataset.test_images]).reshape(1797, -1)
    originals = np.rint(datasets.load_digits().data * 255 / 16).astype(np.uint8)
    np.testing.assert_array_equal(sorted(map(bytes, parts)), sorted(map(bytes, originals)))


def test_the_split_follows_its_seed():
    assert load_digits(split_seed=1).sha256 == load_digits(split_seed=1).sha256
    assert load_digits(split_seed=1).sha256 != load_digits(split_seed=0).sha256
    with pytest.raises(InputError, match="split_seed is -1"):
        load_digits(split_seed=-1)


def test_without_scikit_learn_the_error_names_it(monkeypatch):
    real_import = builtins.__import__

    def without_sklearn(name, *arguments):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real_import(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_sklearn)
    with pytest.raises(InputError, match="scikit-learn"):
        load_digits()
