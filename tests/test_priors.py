"""Moments, support and densities of the priors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from aae_jax import priors

COUNT = 20_000
ERRORS = 5.0  # a mean may be this many standard errors off


def draw(prior, seed=0):
    return np.asarray(prior(jax.random.key(seed), COUNT), np.float64)


@pytest.mark.parametrize("std", [1.0, 5.0])
def test_gaussian_has_the_moments_it_says(std):
    z = draw(priors.build_gaussian(3, std))
    assert z.shape == (COUNT, 3)
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=ERRORS * std / COUNT**0.5)
    np.testing.assert_allclose(np.cov(z.T), std**2 * np.eye(3), atol=ERRORS * std**2 * (2 / COUNT) ** 0.5)


def test_gaussian_is_gaussian():
    assert stats.kstest(draw(priors.build_gaussian(2, 5.0)).ravel() / 5.0, "norm").pvalue > 1e-3


def test_uniform_fills_its_support_evenly():
    z = draw(priors.build_uniform(2, 3.0))
    assert z.shape == (COUNT, 2)
    assert np.abs(z).max() <= 3.0
    assert np.abs(z).max() > 2.99
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=ERRORS * 3.0 / (3 * COUNT) ** 0.5)
    np.testing.assert_allclose(np.cov(z.T), 3.0 * np.eye(2), atol=0.1)
    assert stats.kstest((z.ravel() + 3.0) / 6.0, "uniform").pvalue > 1e-3


def test_categorical_is_one_hot_and_all_classes_are_equally_frequent():
    y = draw(priors.build_categorical(10))
    assert y.shape == (COUNT, 10)
    assert set(np.unique(y)) == {0.0, 1.0}
    np.testing.assert_array_equal(y.sum(axis=1), 1.0)
    np.testing.assert_allclose(y.mean(axis=0), 0.1, atol=ERRORS * (0.09 / COUNT) ** 0.5)


@pytest.mark.parametrize("prior", [priors.build_gaussian(4), priors.build_uniform(4), priors.build_categorical(4)])
def test_the_key_alone_decides(prior):
    np.testing.assert_array_equal(draw(prior, seed=3), draw(prior, seed=3))
    assert not np.array_equal(draw(prior, seed=3), draw(prior, seed=4))


@pytest.mark.parametrize("std", [1.0, 0.5, 5.0])
def test_gaussian_log_density(std):
    z = np.random.default_rng(0).normal(size=(6, 3))
    expected = stats.multivariate_normal(np.zeros(3), std**2 * np.eye(3)).logpdf(z)
    np.testing.assert_allclose(priors.gaussian_log_density(jnp.array(z), std), expected, rtol=1e-5)


def test_categorical_log_density():
    y = jnp.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    expected = [-np.log(3), -np.log(3), -np.inf, -np.inf, -np.inf]
    np.testing.assert_allclose(priors.categorical_log_density(y), expected, rtol=1e-6)
