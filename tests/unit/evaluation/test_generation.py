"""Measures of generated images and codes: two-sample tests, sample quality, probes, the judge."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from aae_jax.data.stored import StoredImages
from aae_jax.errors import InputError
from aae_jax.evaluation import (
    JudgeTraining,
    fit_mixture,
    frechet_distance,
    precision_recall,
    probe_codes,
    sliced_wasserstein,
    train_judge,
    two_sample_accuracy,
)
from aae_jax.evaluation import judge as judge_module

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(0)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_classifier_cannot_tell_equal_distributions_apart_and_shifted_ones_it_can():
    assert two_sample_accuracy(normal(0, 1000, 3), normal(1, 1000, 3)) == pytest.approx(0.5, abs=0.06)
    apart = two_sample_accuracy(normal(0, 1000, 3) + np.float32([4, 0, 0]), normal(1, 1200, 3))
    assert apart == pytest.approx(0.977, abs=0.02)  # two unit Gaussians at a distance of 4: Φ(2)


def test_a_classifier_sees_a_gap_that_moments_do_not():
    """A ring of the same mean and covariance as a Gaussian."""
    angles = np.random.default_rng(2).uniform(0, 2 * np.pi, 1000)
    ring = np.float32(np.sqrt(2) * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert two_sample_accuracy(ring, normal(1, 1000, 2)) > 0.8


@pytest.mark.parametrize("codes", [normal(0, 3, 2), np.full((10, 2), np.nan, np.float32)])
def test_a_two_sample_test_needs_finite_codes(codes):
    with pytest.raises(InputError, match="samples of the prior"):
        two_sample_accuracy(codes, normal(1, 10, 2))


def test_the_sliced_distance_of_one_dimension_is_that_of_sorted_numbers():
    codes, samples = np.float32([[3.0], [0.0], [1.0]]), np.float32([[1.0], [2.0], [6.0]])
    expected = np.sqrt((1 + 1 + 9) / 3 / np.var([1.0, 2.0, 6.0]))
    assert float(sliced_wasserstein(codes, samples, KEY)) == pytest.approx(expected, rel=1e-5)


def test_the_sliced_distance_is_0_for_equal_sets_and_has_no_unit():
    codes = jnp.asarray(normal(0, 50, 4))
    assert float(sliced_wasserstein(codes, codes[::-1], KEY)) == pytest.approx(0, abs=1e-6)
    one = float(sliced_wasserstein(codes + 1.0, codes, KEY))
    assert float(sliced_wasserstein(5 * codes + 5.0, 5 * codes, KEY)) == pytest.approx(one, rel=1e-4)
    with pytest.raises(InputError, match="0 codes"):
        sliced_wasserstein(codes[:0], codes, KEY)


@pytest.mark.parametrize(("count", "width"), [(200, 5), (10, 20)])
def test_the_frechet_distance_is_its_definition(count, width):
    real, generated = normal(0, count, width), 0.5 * normal(1, count + 3, width) + 1.0
    spreads = [np.cov(rows.astype(np.float64), rowvar=False) for rows in (real, generated)]
    root = scipy.linalg.sqrtm(spreads[0] @ spreads[1]).real
    gap = np.sum((real.mean(0, np.float64) - generated.mean(0, np.float64)) ** 2)
    expected = gap + np.trace(spreads[0] + spreads[1] - 2 * root)
    assert frechet_distance(real, generated) == pytest.approx(expected, rel=1e-3)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-6)


def test_precision_and_recall_of_known_sets():
    real = normal(0, 200, 2)
    assert tuple(precision_recall(real, real)) == (1.0, 1.0)
    assert tuple(precision_recall(real, real + 100)) == (0.0, 0.0)
    half = precision_recall(real, real[real[:, 0] > 0])  # faithful, but of half the variety
    assert half.precision == 1.0
    assert 0.4 < half.recall < 0.75
    with pytest.raises(InputError, match="at least 4"):
        precision_recall(real, real[:3])


def test_probes_find_classes_that_are_there():
    labels = np.arange(400) % 4
    codes = normal(0, 400, 2) + 8.0 * np.float32([[0, 0], [0, 1], [1, 0], [1, 1]])[labels]
    found = probe_codes((codes[:200], labels[:200]), (codes[200:], labels[200:]))
    assert min(found) > 0.97
    random = probe_codes((normal(1, 200, 2), labels[:200]), (normal(2, 200, 2), labels[200:]))
    assert max(random.linear, random.neighbours) < 0.4
    assert random.auroc == pytest.approx(0.5, abs=0.1)
    with pytest.raises(InputError, match="one class alone"):
        probe_codes((codes[:4], np.zeros(4, int)), (codes[200:], labels[200:]))


def bars(count):
    """Return images with a horizontal or a vertical bar, and which of the two."""
    random = np.random.default_rng(3)
    images, labels = np.zeros((count, 6, 6), np.uint8), np.arange(count) % 2
    for image, label in zip(images, labels, strict=True):
        place = random.integers(6)
        image[(place, slice(None)) if label else (slice(None), place)] = 255
    return images, labels


def test_a_judge_learns_classes_and_does_not_care_for_the_type_of_images():
    images, labels = bars(100)
    training = JudgeTraining(hidden=(16, 8), updates=150, batch_size=20, noise_std=0.1)
    judge = train_judge(images, labels, 2, training, KEY)
    assert judge.accuracy(*bars(40)) == 1.0
    assert judge(images).features.shape == (100, 8)
    np.testing.assert_allclose(judge(images).logits, judge(images / np.float32(255)).logits, rtol=1e-4, atol=1e-4)
    again = train_judge(images, labels, 2, training, KEY)
    np.testing.assert_array_equal(again(images).logits, judge(images).logits)
    with pytest.raises(InputError, match="one label per image"):
        train_judge(images, labels[:-1], 2, training, KEY)


@pytest.mark.parametrize(
    "changes", [{"max_shift": 2}, {"max_shift": 2, "border": "edge"}, {"flip": 0.5}, {"jitter": (0.5, 0.5, 0.0)}]
)
def test_a_judge_sees_each_augmentation(changes):
    images, labels = bars(60)
    images = images // 2 + np.arange(6, dtype=np.uint8)  # no image is its own mirror image or has a black edge
    training = JudgeTraining(hidden=(8, 4), updates=3, batch_size=20)
    plain, augmented = (
        train_judge(images, labels, 2, each, KEY)(images).logits for each in (training, training._replace(**changes))
    )
    assert not np.allclose(plain, augmented)


def test_a_fitted_mixture_has_the_moments_of_its_codes():
    labels = np.random.default_rng(0).choice(2, 4000, p=[0.25, 0.75])
    codes = normal(1, 4000, 2) @ np.float32([[1.0, 0.8], [0.0, 0.3]]) + np.float32([[-5, 0], [5, 2]])[labels]
    samples = np.asarray(fit_mixture(codes, 2)(KEY, 4000))
    assert np.mean(samples[:, 0] > 0) == pytest.approx(0.75, abs=0.03)
    for side in (1, -1):
        ours, theirs = (rows[side * rows[:, 0] > 0] for rows in (samples, codes))
        np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=0.1)
        np.testing.assert_allclose(np.cov(ours.T), np.cov(theirs.T), atol=0.12)


@pytest.mark.parametrize(("components", "count"), [(0, 10), (6, 11)])
def test_a_mixture_needs_codes_for_each_component(components, count):
    with pytest.raises(InputError, match="components cannot be fitted"):
        fit_mixture(normal(0, count, 2), components)


def test_a_judge_of_streamed_images_is_the_same(monkeypatch):
    images, labels = bars(100)
    rows = np.random.default_rng(0).permutation(100).astype(np.int32)[:90]
    training = JudgeTraining(hidden=(16, 8), updates=50, batch_size=20, noise_std=0.1)
    finished = []
    wanted = train_judge(images[rows], labels[rows], 2, training, KEY)
    monkeypatch.setattr(judge_module, "CHUNK_BYTES", 7 * 20 * images[0].nbytes)
    streamed = StoredImages(images, rows)
    judge = train_judge(streamed, labels[rows], 2, training, KEY, on_progress=finished.append)
    chex.assert_trees_all_equal(judge.params, wanted.params)
    assert finished == [7, 14, 21, 28, 35, 42, 49, 50]
