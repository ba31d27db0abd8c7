"""What every prior's object has: its sampler at the right size, and operations that agree with it."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.config import PriorConfig
from aae_jax.config.text import from_mapping
from aae_jax.errors import InputError
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.priors import NO_PART
from aae_jax.priors.configured import KINDS, configured_prior
from aae_jax.priors.prior import Prior, scaled_sampler

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY, COUNT = jax.random.key(0), 4000
ALL = [*KINDS, "samples"]
TABLE = np.random.default_rng(0).normal(2.0, 0.5, (1000, 2)).astype(np.float32)


def prior_of(kind: str, **fields: float) -> Prior:
    return configured_prior(PriorConfig(kind=kind, **fields), 2, TABLE if kind == "samples" else None)


def test_every_kind_of_the_configuration_is_tested():
    assert sorted(ALL) == sorted(typing.get_args(typing.get_type_hints(PriorConfig)["kind"]))


@pytest.mark.parametrize("kind", ALL)
def test_a_prior_is_a_sampler(kind):
    prior = prior_of(kind)
    drawn = prior(KEY, COUNT)
    assert drawn.shape == (COUNT, 2)
    assert drawn.dtype == jnp.float32
    np.testing.assert_array_equal(drawn, prior.std * prior.unit(KEY, COUNT))
    np.testing.assert_array_equal(drawn, scaled_sampler(prior)(KEY, COUNT, prior.std))
    assert not np.array_equal(drawn, prior(jax.random.key(1), COUNT))


def test_the_standard_deviation_is_that_of_a_gaussian_alone():
    np.testing.assert_allclose(np.std(prior_of("gaussian", std=3.0)(KEY, COUNT), axis=0), 3.0, rtol=0.05)
    assert [prior_of(kind, std=3.0).std for kind in ALL] == [3.0 if kind == "gaussian" else 1.0 for kind in ALL]


def test_a_samplers_own_size_is_not_scaled():
    draw = scaled_sampler(lambda key, n: np.full((n, 2), 7.0))
    np.testing.assert_array_equal(draw(KEY, 3, jnp.float32(5.0)), np.full((3, 2), 7.0, np.float32))


@pytest.mark.parametrize("kind", ALL)
def test_samples_of_a_part_belong_to_it(kind):
    prior = prior_of(kind)
    if prior.part_of is None:
        assert prior.num_parts == 0
        assert prior.sample_parts is prior.walks is None
        with pytest.raises(InputError, match="has no parts"):
            prior.sample_part(KEY, 3, 0)
        return
    drawn = prior.sample_part(KEY, 200, 3)
    assert float(np.mean(np.asarray(prior.part_of(drawn)) == 3)) > 0.9
    assert int(prior.part_of(jnp.full((1, 2), jnp.nan))[0]) == NO_PART
    assert prior.walks(5).shape == (prior.num_parts, 5, 2)
    assert prior.walk_title
    assert (prior.planes is None) == (kind == "swiss_roll")
    if prior.planes is not None:
        planes = prior.planes(3)
        assert planes.shape == (prior.num_parts, 3, 3, 2)
        np.testing.assert_array_equal(prior.part_of(planes[:, 1, 1]), np.arange(prior.num_parts))
    with pytest.raises(InputError, match=f"from 0 to {prior.num_parts - 1}"):
        prior.sample_part(KEY, 3, prior.num_parts)


@pytest.mark.parametrize("kind", ["gaussian", "mixture", "umbrella"])
def test_a_density_integrates_to_one(kind):
    side = np.linspace(-12, 12, 481, dtype=np.float32)
    points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    density = np.exp(np.asarray(prior_of(kind, std=2.0).log_prob(jnp.asarray(points)), np.float64))
    assert density.sum() * (side[1] - side[0]) ** 2 == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("kind", ["gaussian", "uniform"])
def test_percentiles_are_those_of_samples(kind):
    prior = prior_of(kind, std=2.0, half_width=3.0)
    shares = np.asarray([0.1, 0.5, 0.9], np.float32)
    np.testing.assert_allclose(
        prior.quantile(jnp.asarray(shares)), np.quantile(prior(KEY, COUNT)[:, 0], shares), atol=0.15
    )


def test_samples_have_to_be_given():
    with pytest.raises(InputError, match="pass the sampler"):
        configured_prior(PriorConfig(kind="samples"), 2)


@pytest.mark.parametrize("given", [{"weights": {"prior_std": 3.0}}, {"prior": {"std": 3.0}}])
def test_the_standard_deviation_of_earlier_files_is_read(given):
    found = from_mapping(SemiSupervisedConfig, given)
    assert found.prior == PriorConfig(std=3.0)


def test_todays_name_wins_over_the_earlier_one():
    both = {"weights": {"prior_std": 3.0}, "prior": {"std": 4.0}}
    assert from_mapping(SemiSupervisedConfig, both).prior.std == 4.0
