"""Codes and prior: moments, discrepancy against a loop over pairs, discriminators, entropies of labels."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.errors import InputError
from aae_jax.evaluation.latent import (
    SCALES,
    discriminator_accuracy,
    label_entropies,
    maximum_mean_discrepancy,
    moments_beside,
)

pytestmark = pytest.mark.usefixtures("quick_compile")


def by_pairs(codes, samples):
    """Return the unbiased squared discrepancy by its definition, a sum over pairs."""
    others = list(itertools.permutations(range(len(samples)), 2))
    unit = np.mean([np.sum((samples[i] - samples[j]) ** 2) for i, j in others])

    def kernel(a, b):
        return np.mean([s * unit / (s * unit + np.sum((a - b) ** 2)) for s in SCALES])

    own = np.mean([kernel(codes[i], codes[j]) for i, j in itertools.permutations(range(len(codes)), 2)])
    prior = np.mean([kernel(samples[i], samples[j]) for i, j in others])
    return own + prior - 2 * np.mean([kernel(a, b) for a in codes for b in samples])


def test_the_discrepancy_is_its_definition():
    draw = np.random.default_rng(0)
    codes, samples = draw.normal(size=(7, 3)), 2.0 * draw.normal(size=(9, 3)) + 1.0
    found = maximum_mean_discrepancy(jnp.asarray(codes, jnp.float32), jnp.asarray(samples, jnp.float32))
    assert float(found) == pytest.approx(by_pairs(codes, samples), rel=1e-4)


@pytest.mark.parametrize("std", [1.0, 5.0])
def test_the_discrepancy_grows_with_the_distance_and_not_with_the_priors_size(std):
    draw = np.random.default_rng(1)

    def distance(shift, scale):
        codes = jnp.asarray(std * (scale * draw.normal(size=(1000, 8)) + shift), jnp.float32)
        return float(maximum_mean_discrepancy(codes, jnp.asarray(std * draw.normal(size=(1000, 8)), jnp.float32)))

    same, near, far, narrow = distance(0, 1), distance(0.3, 1), distance(1, 1), distance(0, 0.5)
    assert abs(same) < 1e-3
    assert 5 * abs(same) < near < far
    assert narrow > 0.02


def test_moments_are_in_units_of_the_prior():
    draw = np.random.default_rng(2)
    codes, samples = draw.normal(size=(20_000, 2)) * [5.0, 2.5] + [0.0, 5.0], 5.0 * draw.normal(size=(20_000, 2))
    found = moments_beside(codes, samples)
    np.testing.assert_allclose(found.mean_gap, [0.0, 1.0], atol=0.05)
    np.testing.assert_allclose(found.std_ratio, [1.0, 0.5], atol=0.03)


def test_a_discriminator_that_sees_nothing_is_right_half_of_the_time():
    assert discriminator_accuracy(np.zeros(10), np.zeros(4)) == 0.5
    assert discriminator_accuracy(np.array([1.0, 2.0]), np.array([-1.0])) == 1.0
    assert discriminator_accuracy(np.array([-1.0]), np.array([1.0, 1.0])) == 0.0
    assert np.isnan(discriminator_accuracy(np.array([np.nan, 1.0]), np.array([-1.0])))
    assert discriminator_accuracy(np.array([1.0, 1.0, 1.0, -1.0]), np.array([1.0, -1.0])) == pytest.approx(0.625)


def test_entropies_tell_sure_labels_from_balanced_ones():
    entropies = jax.jit(label_entropies)
    sure = entropies(np.eye(4)[np.array([0, 0, 1, 2])])
    assert sure.of_each == 0.0
    assert sure.of_all == pytest.approx(-(0.5 * np.log(0.5) + 2 * 0.25 * np.log(0.25)))
    assert sure.used == 3
    nothing = entropies(np.array([[np.nan, 1.0], [0.5, 0.5]]))
    assert np.isnan(nothing.of_each)
    assert np.isnan(nothing.of_all)
    unsure = entropies(np.full((5, 4), 0.25))
    assert unsure.of_each == pytest.approx(np.log(4))
    assert unsure.of_all == pytest.approx(np.log(4))
    assert unsure.used == 1


@pytest.mark.parametrize(("codes", "samples"), [(1, 5), (5, 1)])
def test_one_row_has_no_pair(codes, samples):
    with pytest.raises(InputError, match="give at least two of each"):
        maximum_mean_discrepancy(jnp.zeros((codes, 2)), jnp.zeros((samples, 2)))
