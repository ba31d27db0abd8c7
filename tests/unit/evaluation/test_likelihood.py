"""Parzen windows against SciPy's densities, in batches and at once, and the width chosen on validation images."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from aae_jax.errors import InputError
from aae_jax.evaluation.likelihood import (
    add_samples,
    build_widths,
    measure_likelihood,
    no_samples,
    parzen_log_likelihood,
)

WIDTHS = (0.1, 0.3, 1.0)


def by_scipy(images, samples, width):
    """Return the log of the mean density of normal windows on the samples, one number an image."""
    dim = images.shape[1]
    each = [stats.multivariate_normal(s, width**2 * np.eye(dim)).logpdf(images) for s in samples]
    return special.logsumexp(np.stack(each, axis=1).reshape(len(images), -1), axis=1) - math.log(len(samples))


@pytest.mark.parametrize("batch", [1, 7, 50])
def test_batches_of_samples_make_the_exact_sum(batch):
    draw = np.random.default_rng(0)
    images, samples = draw.uniform(size=(5, 12)), draw.uniform(size=(50, 12))
    state, widths = no_samples(5, 3), jnp.asarray(WIDTHS)
    for first in range(0, 50, batch):
        part = jnp.asarray(samples[first : first + batch], jnp.float32)
        state = add_samples(state, jnp.asarray(images, jnp.float32), part, widths)
    found = np.asarray(parzen_log_likelihood(state, widths, 50, 12))
    for row, width in zip(found, WIDTHS, strict=True):
        np.testing.assert_allclose(row, by_scipy(images, samples, width), rtol=1e-4, atol=1e-3)


def test_an_image_far_from_every_sample_has_a_finite_likelihood():
    widths = jnp.asarray([0.01])
    state = add_samples(no_samples(1, 1), jnp.full((1, 784), 1.0), jnp.zeros((3, 784)), widths)
    expected = -784 / (2 * 0.01**2) - 784 * (math.log(0.01) + 0.5 * math.log(2 * math.pi))
    np.testing.assert_allclose(parzen_log_likelihood(state, widths, 3, 784), [[expected]], rtol=1e-5)


def normal_rows(std):
    def sample(key, n):
        return std * jax.random.normal(key, (n, 2))

    return sample


def test_many_samples_of_the_truth_have_the_truths_likelihood():
    """Its entropy, up to what the window widens; the width is the one that is best on the validation images."""
    draw = np.random.default_rng(1)
    images = draw.normal(size=(2000, 2)).astype(np.float32)
    widths, parts = build_widths(0.02, 2.0, 9), (images[:1000], images[1000:])
    report = measure_likelihood(normal_rows(1.0), jax.random.key(0), *parts, num_samples=20_000, widths=widths)
    truth = stats.multivariate_normal(np.zeros(2), np.eye(2)).logpdf(images[1000:]).mean()
    assert report.log_likelihood == pytest.approx(truth, abs=0.05)
    assert report.width == report.widths[int(np.argmax(report.validation))]
    assert not report.at_the_edge
    assert report.standard_error == pytest.approx(1.0 / 1000**0.5, rel=0.2)
    worse = measure_likelihood(normal_rows(3.0), jax.random.key(0), *parts, num_samples=20_000)
    assert worse.log_likelihood < report.log_likelihood - 0.3


def test_the_width_is_chosen_by_the_validation_images_alone():
    narrow, wide = np.zeros((50, 2), np.float32), np.full((50, 2), 3.0, np.float32)

    def at_the_origin(key, n):
        return 0.01 * jax.random.normal(key, (n, 2))

    def measured(validation, test):
        return measure_likelihood(at_the_origin, jax.random.key(0), validation, test, num_samples=10, widths=WIDTHS)

    assert measured(narrow, wide).width == 0.1
    assert measured(wide, narrow).width == 1.0
    assert measured(wide, narrow).at_the_edge


def test_the_number_of_samples_need_not_be_whole_batches():
    images = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    drawn = []

    def sample(key, n):
        drawn.append(n)
        return jax.random.normal(key, (n, 2))

    report = measure_likelihood(sample, jax.random.key(0), images, images, num_samples=25, batch_size=10)
    assert report.num_samples == 25
    assert drawn == [10, 5], "one program for each size"


@pytest.mark.parametrize(
    "wrong", [{"num_samples": 0}, {"widths": ()}, {"widths": (0.1, 0.0)}, {"widths": (math.nan,)}, {"batch_size": 0}]
)
def test_nothing_to_measure_by_is_refused(wrong):
    rows = np.zeros((2, 2), np.float32)
    with pytest.raises(InputError, match="give at least one of each"):
        measure_likelihood(normal_rows(1.0), jax.random.key(0), rows, rows, **wrong)


def test_samples_that_are_not_finite_are_refused():
    rows = np.zeros((2, 2), np.float32)
    with pytest.raises(InputError, match="not finite"):
        measure_likelihood(normal_rows(math.nan), jax.random.key(0), rows, rows, num_samples=3)


@pytest.mark.parametrize("broken", [0, 1])
@pytest.mark.parametrize("rows", [np.zeros((0, 2), np.float32), np.full((1, 2), np.nan, np.float32)])
def test_images_that_say_nothing_are_refused(broken, rows):
    parts = [np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)]
    parts[broken] = rows
    with pytest.raises(InputError, match=f"The {('validation', 'test')[broken]} images are empty or not all finite"):
        measure_likelihood(normal_rows(1.0), jax.random.key(0), *parts, num_samples=3)
