"""Rows of users on their way to the network: images, tables, categories."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from aae_jax.estimators.blocks import BLOCK, in_blocks
from aae_jax.estimators.columns import fit_columns, read_rows
from aae_jax.estimators.targets import read_targets

RNG = np.random.default_rng(0)


class Frame:
    """What data frames of pandas and polars have in common."""

    def __init__(self, **columns):
        self.data = {name: np.asarray(column) for name, column in columns.items()}
        self.columns = list(columns)
        self.shape = len(next(iter(self.data.values()))), len(columns)

    def __getitem__(self, name):
        return self.data[name]

    def __len__(self):
        return self.shape[0]


def fitted(X, image_shape=None):
    estimator = BaseEstimator()
    rows = read_rows(estimator, X, image_shape=image_shape, reset=True)
    estimator._columns = fit_columns(rows, images=image_shape is not None)
    return estimator, rows


def test_a_column_is_scaled_by_its_range():
    X = RNG.uniform(-5, 20, size=(200, 3)) * [1, 100, 0.01]
    estimator, rows = fitted(X)
    unit = estimator._columns.transform(rows)
    assert unit.dtype == np.float32
    np.testing.assert_array_equal(unit.min(axis=0), 0)
    np.testing.assert_array_equal(unit.max(axis=0), 1)
    np.testing.assert_allclose(estimator._columns.invert(unit), X, rtol=1e-5, atol=1e-4)


def test_values_far_from_the_bulk_do_not_squeeze_it():
    X = RNG.normal(size=(1000, 1))
    X[0] = 1e6
    columns, rows = fitted(X)[0]._columns, fitted(X)[1]
    unit = columns.transform(rows)
    assert unit[0] == 1.0
    assert unit[1:].std() > 0.05
    far = columns.transform(rows, clip=False)
    assert far[0] > 1e4
    np.testing.assert_array_equal(far[1:], unit[1:])


def test_a_constant_column_is_zero():
    estimator, rows = fitted(np.full((9, 2), 3.5))
    unit = estimator._columns.transform(rows)
    np.testing.assert_array_equal(unit, 0)
    np.testing.assert_array_equal(estimator._columns.invert(unit), 3.5)


@pytest.mark.parametrize(
    ("images", "high"),
    [
        (RNG.integers(0, 200, (20, 4, 3)).astype(np.uint8), 255),
        (RNG.uniform(0, 0.9, (20, 4, 3)), 1),
        (np.clip(RNG.integers(0, 17, (20, 12)), 0, 16).astype(float), 16),
    ],
    ids=["bytes", "unit", "sixteenths"],
)
def test_pixels_share_a_scale(images, high):
    estimator, rows = fitted(images, (4, 3))
    unit = estimator._columns.transform(rows)
    np.testing.assert_allclose(unit, images.reshape(20, -1) / high, rtol=1e-6)


def test_categories_become_columns_of_their_own_and_come_back():
    frame = Frame(age=[30, 40, 50, 60], town=["b", "a", "b", "c"], member=[True, False, True, True])
    estimator, rows = fitted(frame)
    columns = estimator._columns
    unit = columns.transform(rows)
    assert unit.shape == (4, 1 + 3 + 2)
    np.testing.assert_array_equal(unit[:, 1:4], [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    back = columns.invert(unit)
    assert back[:, 1].tolist() == ["b", "a", "b", "c"]
    assert back[:, 2].tolist() == [True, False, True, True]
    np.testing.assert_allclose(back[:, 0].astype(float), [30, 40, 50, 60])
    other = read_rows(
        estimator, Frame(age=[45], town=["somewhere else"], member=[False]), image_shape=None, reset=False
    )
    np.testing.assert_allclose(columns.transform(other), [[0.5, 0, 0, 0, 1, 0]])


def test_frames_with_other_columns_are_refused():
    estimator, _ = fitted(Frame(age=[30, 40], town=["b", "a"]))
    with pytest.raises(ValueError, match="feature"):
        read_rows(estimator, Frame(age=[30, 40]), image_shape=None, reset=False)


def test_objects_that_are_numbers_are_numbers():
    frame = Frame(a=np.asarray([1, 2, 5], object), b=["u", "v", "u"])
    estimator, _ = fitted(frame)
    assert estimator._columns.numeric == (0,)
    with pytest.raises(ValueError, match="X is no data frame"):
        read_rows(estimator, np.ones((3, 2)), image_shape=None, reset=False)


@pytest.mark.parametrize(
    ("X", "shape", "words"),
    [
        (Frame(a=np.asarray(["u", None], object)), None, "Column 'a' of X has missing values"),
        (Frame(a=np.asarray(["2020-01-01", "2021-01-01"], "datetime64[D]")), None, "has type datetime64"),
        (np.ones((3, 4)), 4, "image_shape is 4"),
        (np.ones((3, 4)), "22", "image_shape is '22'"),
        (np.full((3, 2), np.nan), None, "NaN"),
        (np.full((3, 2), np.inf), None, "infinity"),
        (np.ones(3), None, "2D array"),
        (np.ones((3, 5)), (2, 2), "X has 5 features, but image_shape is"),
        (np.ones((3, 3, 3)), (2, 2), "images of shape"),
        (Frame(a=[np.nan, 1.0]), None, "NaN"),
    ],
)
def test_rows_that_are_refused(X, shape, words):
    with pytest.raises(ValueError, match=words):
        fitted(X, shape)


@pytest.mark.parametrize(
    ("y", "classes", "indices"),
    [
        ([3, -1, 7, 3], [3, 7], [0, -1, 1, 0]),
        ([3.0, np.nan, 7.0, -1.0], [3, 7], [0, -1, 1, -1]),
        (["b", "", "a", "b"], ["a", "b"], [1, -1, 0, 1]),
        (np.asarray(["b", None, "a", -1], object), ["a", "b"], [1, -1, 0, -1]),
        ([True, False, True, True], [False, True], [1, 0, 1, 1]),
    ],
)
def test_labels_and_missing_ones(y, classes, indices):
    targets = read_targets(y, 4)
    assert targets.classes.tolist() == classes
    assert targets.indices.tolist() == indices


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (None, "requires y to be passed"),
        ([-1, -1, -1, -1], "y has no labels"),
        ([2, 2, -1, 2], "y has one class, 2"),
        ([0, 1], "X has 4 rows, but y has 2 labels"),
        ([0.5, 1.7, 0.2, 3.1], "Unknown label type"),
        (np.eye(4), "1d array|shape"),
    ],
)
def test_labels_that_are_refused(y, words):
    with pytest.raises(ValueError, match=words):
        read_targets(y, 4)


@pytest.mark.parametrize("count", [1, BLOCK, BLOCK + 1])
def test_blocks_have_one_length(count):
    lengths = []

    def double(rows):
        lengths.append(len(rows))
        return 2 * rows

    rows = np.arange(count * 2.0).reshape(-1, 2)
    np.testing.assert_array_equal(in_blocks(double, rows), 2 * rows)
    assert set(lengths) == {BLOCK}
