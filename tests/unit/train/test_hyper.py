"""Numbers that change over a run: weights that are warmed up, the fading of propagated labels."""

import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.train import hyper


@pytest.mark.parametrize(
    ("warmup", "step", "share"), [(0.0, 0, 1.0), (10.0, 0, 0.0), (10.0, 5, 0.5), (10.0, 20, 1.0)]
)
def test_consistency_weight_rises_linearly_over_its_warm_up(warmup: float, step: int, share: float) -> None:
    numbers = hyper.Hyper({}, 100.0, weight_consistency=3.0, consistency_warmup=warmup, noise_std=0.3)
    current = numbers.at(jnp.asarray(step))
    np.testing.assert_allclose(current.weight_consistency, 3.0 * share, rtol=1e-6)
    assert current._replace(weight_consistency=3.0) == numbers


@pytest.mark.parametrize(
    ("fade", "step", "share"), [(0.0, 0, 1.0), (0.0, 99, 1.0), (10.0, 0, 1.0), (10.0, 5, 0.5), (10.0, 20, 0.0)]
)
def test_propagated_labels_fade_linearly(fade: float, step: int, share: float) -> None:
    numbers = hyper.Hyper({}, 100.0, weight_propagation=3.0, propagation_fade=fade)
    np.testing.assert_allclose(numbers.at(jnp.asarray(step)).weight_propagation, 3.0 * share, rtol=1e-6)


@pytest.mark.parametrize(
    ("warmup", "step", "share"), [(0.0, 0, 1.0), (10.0, 0, 0.0), (10.0, 5, 0.5), (10.0, 20, 1.0)]
)
def test_the_adversary_of_y_is_warmed_up(warmup: float, step: int, share: float) -> None:
    numbers = hyper.Hyper({}, 100.0, weight_y=2.0, label_warmup=warmup, weight_z=3.0)
    current = numbers.at(jnp.asarray(step))
    np.testing.assert_allclose(current.weight_y, 2.0 * share, rtol=1e-6)
    assert current.weight_z == 3.0
