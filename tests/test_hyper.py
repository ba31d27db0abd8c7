"""The consistency weight's warm-up, and the adversarial second view that it weighs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax import config, hyper
from aae_jax.models import semi_supervised
from aae_jax.networks import build_mlp_networks
from aae_jax.types import Batch


@pytest.mark.parametrize(
    ("warmup", "step", "share"), [(0.0, 0, 1.0), (10.0, 0, 0.0), (10.0, 5, 0.5), (10.0, 20, 1.0)]
)
def test_consistency_weight_rises_linearly_over_its_warm_up(warmup: float, step: int, share: float) -> None:
    numbers = hyper.Hyper({}, 100.0, weight_consistency=3.0, consistency_warmup=warmup, noise_std=0.3)
    current = numbers.at(jnp.asarray(step))
    np.testing.assert_allclose(current.weight_consistency, 3.0 * share, rtol=1e-6)
    assert current._replace(weight_consistency=3.0) == numbers


def consistency_at(norm: float) -> float:
    """Return the generator phase's consistency term of an untrained model for one adversarial norm."""
    base = config.preset("smoke")
    chosen = dataclasses.replace(
        base, weights=dataclasses.replace(base.weights, adversarial_norm=norm, consistency=1.0)
    )
    chosen = config.resolve(chosen, (8, 8))
    networks = build_mlp_networks(chosen.network, (8, 8), 10)
    phase = semi_supervised.build_phases(networks, chosen, num_classes=10)["generator"]
    params, stats = networks.init(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (20, 8, 8))
    batch = Batch(images, images, jnp.zeros(20, jnp.int32))
    numbers = semi_supervised.build_hyper(chosen, 10)._replace(consistency_warmup=jnp.zeros(()))
    _, (_, metrics) = phase.loss(params, stats, batch, numbers, jax.random.key(2))
    return float(metrics["consistency"])


def test_the_adversarial_step_raises_the_cross_entropy_between_views() -> None:
    plain, small, large = consistency_at(0.0), consistency_at(0.2), consistency_at(1.0)
    assert plain < small < large


@pytest.mark.parametrize("size", [1.0, 1e-19, 1e-25, 1e-30])
def test_adversarial_directions_have_norm_one_however_small_the_gradient(size: float) -> None:
    directions = size * jax.random.normal(jax.random.key(3), (5, 8, 8))
    unit = jax.jit(semi_supervised._unit)(directions.at[0].set(0.0))
    np.testing.assert_allclose(jnp.sqrt(jnp.sum(unit**2, axis=(1, 2))), [0, 1, 1, 1, 1], rtol=1e-5)
