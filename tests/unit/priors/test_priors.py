"""Moments, support and densities of the priors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from aae_jax import priors
from aae_jax.errors import InputError

pytestmark = pytest.mark.usefixtures("quick_compile")

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


RING = priors.ring_mixture(10, radius=1.4, std_along=0.5, std_across=0.1)
PAIRS = priors.ring_mixture(4, radius=2.0, std_along=0.7, std_across=0.3, pairs=2)


def by_scipy(z, mixture):
    """Return each component's log-densities by SciPy, `[count, components]`."""
    means, factors = np.asarray(mixture.means, np.float64), np.asarray(mixture.factors, np.float64)
    parts = [stats.multivariate_normal(m, f @ f.T).logpdf(z) for m, f in zip(means, factors, strict=True)]
    return np.stack(parts, axis=1)


@pytest.mark.parametrize(
    "mixture",
    [RING, priors.umbrella_mixture(), priors.ring_mixture(3, radius=5.0, std_along=1.0, std_across=0.2, pairs=2)],
)
def test_each_component_has_the_moments_it_says(mixture):
    components = len(mixture.means)
    labels = jnp.arange(COUNT) % components
    z = np.asarray(priors.build_labelled_mixture(mixture)(jax.random.key(0), labels), np.float64)
    for k in range(components):
        own, factor = z[np.asarray(labels) == k], np.asarray(mixture.factors[k], np.float64)
        white = (own - np.asarray(mixture.means[k], np.float64)) @ np.linalg.inv(factor).T
        np.testing.assert_allclose(white.mean(axis=0), 0.0, atol=ERRORS / len(own) ** 0.5)
        np.testing.assert_allclose(np.cov(white.T), np.eye(len(factor)), atol=ERRORS * (2 / len(own)) ** 0.5)


def test_a_ring_is_long_towards_the_origin():
    """Component k is at the angle 2πk / 10, of std 0.5 along that direction and 0.1 across (nicklhy's parameters)."""
    for k in (0, 1, 7):
        angle = 2 * np.pi * k / 10
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        np.testing.assert_allclose(RING.means[k], 1.4 * along, atol=1e-6)
        covariance = RING.factors[k] @ RING.factors[k].T
        assert along @ covariance @ along == pytest.approx(0.25, rel=1e-5)
        assert across @ covariance @ across == pytest.approx(0.01, rel=1e-4)


def test_the_umbrellas_stds_are_those_of_its_halved_covariance():
    covariance = np.asarray(priors.umbrella_mixture().factors[0] @ priors.umbrella_mixture().factors[0].T)
    np.testing.assert_allclose(covariance, 0.5 * np.diag([0.75**2, 0.25**2]), atol=1e-7)
    np.testing.assert_allclose(priors.umbrella_mixture().means[0], [2.0, 0.0], atol=1e-6)


def test_pairs_of_dimensions_share_the_component():
    mixture = priors.ring_mixture(10, radius=1.4, std_along=0.1, std_across=0.01, pairs=3)
    z = draw(priors.build_mixture(mixture))
    assert z.shape == (COUNT, 6)
    angles = np.arctan2(z[:, 1::2], z[:, 0::2])
    parts = np.rint(angles / (2 * np.pi / 10)).astype(int) % 10
    assert (parts == parts[:, :1]).all()
    assert not np.allclose(z[:, 0], z[:, 2]), "each pair has its own noise"


def test_without_labels_all_components_are_equally_frequent():
    z = draw(priors.build_mixture(RING))
    counts = np.bincount(priors.mixture_component(jnp.asarray(z, jnp.float32), RING), minlength=10)
    np.testing.assert_allclose(counts / COUNT, 0.1, atol=0.02)
    labels = jnp.where(jnp.arange(COUNT) < COUNT // 2, 3, priors.UNLABELLED)
    some = priors.build_labelled_mixture(RING)(jax.random.key(1), labels)
    component = np.asarray(priors.mixture_component(some, RING))
    assert np.mean(component[: COUNT // 2] == 3) > 0.9
    assert np.mean(component[COUNT // 2 :] == 3) < 0.15


@pytest.mark.parametrize("mixture", [RING, PAIRS])
def test_mixture_densities_and_components_are_scipys(mixture):
    z = draw(priors.build_mixture(mixture))[:200]
    expected = by_scipy(z, mixture)
    rows = jnp.asarray(z, jnp.float32)
    found = np.asarray(priors.mixture_log_density(rows, mixture))
    np.testing.assert_allclose(found, np.logaddexp.reduce(expected, axis=1) - np.log(expected.shape[1]), atol=2e-3)
    clear = np.sort(expected, axis=1)[:, -1] - np.sort(expected, axis=1)[:, -2] > 0.01
    np.testing.assert_array_equal(priors.mixture_component(rows, mixture)[clear], expected.argmax(axis=1)[clear])


def test_a_walk_goes_along_the_main_axis():
    walk = np.asarray(priors.mixture_walk(RING, 0, 5, reach=2.0))
    np.testing.assert_allclose(walk, np.stack([1.4 + 0.5 * np.linspace(-2, 2, 5), np.zeros(5)], axis=1), atol=1e-6)


def test_a_walk_goes_along_the_main_axis_of_every_pair():
    walk = np.asarray(priors.mixture_walk(PAIRS, 1, 3, reach=1.0))
    np.testing.assert_allclose(walk, [[0, 1.3, 0, 1.3], [0, 2.0, 0, 2.0], [0, 2.7, 0, 2.7]], atol=1e-6)


def test_a_plane_spans_a_component_along_and_across():
    plane = np.asarray(priors.mixture_plane(RING, 0, 3, reach=2.0))
    assert plane.shape == (3, 3, 2)
    np.testing.assert_allclose(plane[1], np.asarray(priors.mixture_walk(RING, 0, 3, reach=2.0)), atol=1e-6)
    np.testing.assert_allclose(plane[:, 1], [[1.4, 0.2], [1.4, 0], [1.4, -0.2]], atol=1e-6)


@pytest.mark.parametrize("label", [priors.UNLABELLED, 10, 99])
def test_what_is_no_part_of_the_prior_is_drawn_from_all_of_it(label):
    """Figure 3's extra class stands for images without a label; some implementations number it 10."""
    labels = jnp.full(COUNT, label)
    mixture = priors.build_labelled_mixture(RING)(jax.random.key(0), labels)
    roll = priors.build_labelled_swiss_roll()(jax.random.key(0), labels)
    assert float(jnp.linalg.norm(roll, axis=1).max()) <= 3.0 + 1e-5
    for parts in (priors.mixture_component(mixture, RING), priors.swiss_roll_component(roll)):
        np.testing.assert_allclose(np.bincount(parts, minlength=10) / COUNT, 0.1, atol=0.02)


def test_codes_that_are_not_finite_belong_to_no_part():
    z = jnp.array([[jnp.nan, 0.0], [jnp.inf, 0.0], [1.4, 0.0]])
    assert priors.mixture_component(z, RING).tolist() == [priors.NO_PART, priors.NO_PART, 0]
    assert priors.swiss_roll_component(z).tolist()[:2] == [priors.NO_PART, priors.NO_PART]


def test_the_roll_is_the_published_spiral():
    """musyoku's and nicklhy's: u uniform, radius 3√u, angle 4π√u."""
    z = draw(priors.build_swiss_roll())
    assert z.shape == (COUNT, 2)
    u = (np.linalg.norm(z, axis=1) / 3.0) ** 2
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    angle = 4 * np.pi * np.sqrt(u)
    np.testing.assert_allclose(
        z, 3 * np.sqrt(u)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), atol=1e-4
    )


def test_a_label_has_its_part_of_the_roll():
    labels = jnp.arange(COUNT) % 10
    z = priors.build_labelled_swiss_roll()(jax.random.key(0), labels)
    parts = 10 * (np.linalg.norm(z, axis=1) / 3.0) ** 2 - labels
    assert parts.min() > -1e-4
    assert parts.max() < 1 + 1e-4
    assert np.mean(np.asarray(priors.swiss_roll_component(z)) == labels) > 0.99
    anywhere = priors.build_labelled_swiss_roll()(jax.random.key(0), jnp.full(COUNT, priors.UNLABELLED))
    np.testing.assert_allclose(
        np.bincount(priors.swiss_roll_component(anywhere), minlength=10) / COUNT, 0.1, atol=0.02
    )


def test_the_rolls_walk_goes_from_the_inside_out():
    walk = np.asarray(priors.swiss_roll_walk(40))
    np.testing.assert_allclose(np.linalg.norm(walk, axis=1), 3 * np.sqrt(np.linspace(0, 1, 40)), atol=1e-5)
    assert np.unique(priors.swiss_roll_component(jnp.asarray(walk))).tolist() == list(range(10))


def test_other_rolls():
    roll = priors.SwissRoll(num_parts=4, radius=1.0, turns=1.5)
    labels = jnp.arange(400) % 4
    z = priors.build_labelled_swiss_roll(roll)(jax.random.key(0), labels)
    assert float(jnp.linalg.norm(z, axis=1).max()) <= 1.0
    assert np.mean(np.asarray(priors.swiss_roll_component(z, roll)) == labels) > 0.98


def test_an_empirical_prior_draws_its_samples_as_often_as_each_other():
    samples = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], np.float32)
    drawn = np.asarray(priors.build_empirical(samples)(jax.random.key(0), 30_000))
    rows, counts = np.unique(drawn, axis=0, return_counts=True)
    np.testing.assert_array_equal(rows, samples)
    assert (np.abs(counts - 10_000) < 400).all()
    for none in (np.zeros(3), np.zeros((3, 0)), [[1.0, 2.0], [3.0]], [["a"]]):
        with pytest.raises(InputError, match=r"give \[count, latent\]"):
            priors.build_empirical(none)
