"""Rows become numbers in [0, 1] without losing their differences, and the same numbers in training and prediction."""

import numpy as np
import pytest

from aae_jax.data import Scaling, load_npz
from aae_jax.data.scaling import fit_scaling
from aae_jax.errors import InputError

GENERATOR = np.random.default_rng(0)
LABELS = np.arange(300) % 3
TIMES = 1_732_000_000_000 + LABELS * 20_000 + GENERATOR.integers(0, 20_000, 300)
OTHER = GENERATOR.integers(0, 9, 300)


def own(values):
    return (values - values.min()) / (values.max() - values.min())


@pytest.mark.parametrize(
    "times",
    [TIMES, TIMES.astype(np.uint64), TIMES.astype(np.float64), TIMES / 1000.0, -TIMES],
    ids=["int64", "uint64", "float64", "fractions", "negative"],
)
def test_time_stamps_keep_their_differences(times, tmp_path):
    np.savez(
        tmp_path / "a.npz",
        x_train=np.stack([times, OTHER], 1),
        y_train=LABELS,
        x_test=np.stack([times, OTHER], 1)[:9],
        y_test=LABELS[:9],
    )
    dataset = load_npz(tmp_path / "a.npz")
    np.testing.assert_allclose(dataset.train_images[:, 0], own(times.astype(np.float64)), atol=1e-6)
    assert len(np.unique(dataset.train_images[:, 0])) == len(np.unique(times))
    assert (dataset.scaling.low.dtype, dataset.scaling.span.dtype) == (np.float64, np.float64)
    np.testing.assert_array_equal(dataset.test_images, dataset.train_images[:9])
    np.testing.assert_array_equal(dataset.scaling.apply(np.stack([times, OTHER], 1)), dataset.train_images)
    np.testing.assert_allclose(dataset.scaling.invert(dataset.train_images)[:, 0], times, atol=1e-7 * np.ptp(times))


@pytest.mark.parametrize("offset", [2**53, 2**60, 2**63 - 400, -(2**63)])
@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_whole_numbers_beyond_float64_are_subtracted_exactly(offset, kind):
    if kind is np.uint64:
        offset = 2**64 - 400 if offset < 0 else offset
    rows = np.array([[offset + i] for i in range(300)], dtype=kind)
    scaled = fit_scaling(rows).apply(rows)[:, 0]
    assert (np.diff(scaled) > 0).all()
    np.testing.assert_allclose(np.diff(scaled), np.diff(scaled).mean(), rtol=1e-3)
    assert (scaled.min() >= 0, scaled.max()) == (True, 1)


def test_a_type_gives_the_same_bits_as_another_that_holds_the_numbers():
    rows = GENERATOR.integers(-100, 100, (50, 3))
    scaling = fit_scaling(rows)
    for kind in (np.int8, np.int16, np.int32, np.float16, np.float32, np.float64):
        np.testing.assert_array_equal(scaling.apply(rows.astype(kind)), scaling.apply(rows))


def test_values_outside_the_training_range_move_to_its_ends():
    scaling = fit_scaling(np.array([[2, 10], [4, 20]]))
    rows = np.array([[1, 30], [3, 15], [-(2**62), 2**62]])
    expected = np.array([[0, 1], [0.5, 0.5], [0, 1]], np.float32)
    np.testing.assert_array_equal(scaling.apply(rows), expected)
    np.testing.assert_array_equal(scaling.apply(rows.astype(np.float64)), expected)


@pytest.mark.parametrize("value", [7, 7.5])
def test_a_constant_feature_is_0_whatever_it_is_later(value):
    rows = np.array([[value, 0], [value, 1]])
    scaling = fit_scaling(rows)
    later = np.array([[value - 100, 0], [value + 0.25, 1], [1e30, 1]])
    np.testing.assert_array_equal(scaling.apply(later)[:, 0], 0)
    np.testing.assert_array_equal(scaling.invert(scaling.apply(rows))[:, 0], value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39, -1e300])
def test_what_training_refuses_prediction_refuses(bad):
    rows = np.array([[1.0, 2.0], [3.0, 5.0]])
    scaling = fit_scaling(rows)
    rows[1, 1] = bad
    for refuse in (fit_scaling, scaling.apply):
        with pytest.raises(InputError, match="beyond float32"):
            refuse(rows)


def test_features_that_float32_makes_equal_are_refused_by_number(tmp_path):
    """A code for missing values stretches the range so far that a minute is less than float32 resolves."""
    times = np.where(np.arange(300) == 5, 0, TIMES)
    np.savez(tmp_path / "a.npz", x=np.stack([OTHER, times], 1), y=LABELS)
    with pytest.raises(InputError, match=r"different values in feature 1, from 0 to 17320.* float32 keeps") as caught:
        load_npz(tmp_path / "a.npz", split_seed=3)
    assert "codes for missing" in str(caught.value)
    outlier = GENERATOR.uniform(size=(40_000, 1))
    outlier[7] = 1e12
    fit_scaling(outlier)  # floats near 0 are dense


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_a_type_too_coarse_for_the_training_range_is_refused(kind):
    rows = np.stack([OTHER, TIMES], 1)
    scaling = fit_scaling(rows)
    with np.errstate(over="ignore"):
        narrow = np.minimum(rows.astype(kind), np.finfo(kind).max)
    with pytest.raises(InputError, match=r"too coarse for feature 1, .* give float64"):
        scaling.apply(narrow)


def test_float32_that_was_trained_on_is_taken():
    rows = np.stack([TIMES.astype(np.float32), OTHER.astype(np.float32)], 1)
    scaling = fit_scaling(rows)
    assert set(np.unique(scaling.apply(rows)[:, 0])) == {0.0, 1.0}
    ids = 2.0**60 + 256 * np.arange(5.0)[:, None]
    np.testing.assert_array_equal(fit_scaling(ids).apply(ids)[:, 0], np.arange(5, dtype=np.float32) / 4)


def test_ids_that_were_whole_numbers_are_refused_as_float64():
    rows = np.array([[2**60 + i] for i in range(300)])
    with pytest.raises(InputError, match="too coarse for feature 0"):
        fit_scaling(rows).apply(rows.astype(np.float64))


def test_float32_parts_are_applied_as_they_were():
    scaling = Scaling(np.float32([1, 2]), np.float32([2, 0]))
    np.testing.assert_array_equal(scaling.apply(np.array([[2.0, 9.0]])), np.float32([[0.5, 0]]))
