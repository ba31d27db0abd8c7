"""The optimizers with a traced rate against optax's own, and the schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aae_jax.config import OptimizerConfig
from aae_jax.train import optimizers

RATE = 0.05
START = {"kernel": jnp.array([[1.0, -2.0], [3.0, 0.5]]), "bias": jnp.array([0.1, -0.1])}


def loss(params):
    return jnp.sum(params["kernel"] ** 4) + jnp.sum(jnp.cosh(params["bias"] + params["kernel"][0]))


def descend(optimizer, steps=6, **extra):
    params, state = START, optimizer.init(START)
    for _ in range(steps):
        updates, state = optimizer.update(jax.grad(loss)(params), state, params, **extra)
        params = optax.apply_updates(params, updates)
    return params


def assert_same(left, right):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=3e-5), left, right)


@pytest.mark.parametrize("beta1", [0.9, 0.5])
def test_adam_is_that_of_optax(beta1):
    ours = descend(optimizers.adam(beta1), learning_rate=jnp.array(RATE))
    assert_same(ours, descend(optax.adam(RATE, b1=beta1)))


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_sgd_is_that_of_optax(momentum):
    ours = descend(optimizers.sgd(momentum), learning_rate=jnp.array(RATE / 10))
    assert_same(ours, descend(optax.sgd(RATE / 10, momentum=momentum)))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (OptimizerConfig(kind="adam", momentum=0.5), optax.adam(RATE, b1=0.5)),
        (OptimizerConfig(kind="sgd", momentum=0.3), optax.sgd(RATE, momentum=0.3)),
        (
            OptimizerConfig(kind="sgd", momentum=0.3, clip_norm=0.05),
            optax.chain(optax.clip_by_global_norm(0.05), optax.sgd(RATE, momentum=0.3)),
        ),
    ],
)
def test_a_configuration_names_its_optimizer(config, expected):
    ours = descend(optimizers.build_optimizer(config), steps=3, learning_rate=jnp.array(RATE))
    assert_same(ours, descend(expected, steps=3))


def test_a_gradient_is_no_longer_than_its_bound():
    optimizer = optimizers.build_optimizer(OptimizerConfig(kind="sgd", momentum=0.0, clip_norm=0.5))
    ones = jax.tree.map(jnp.ones_like, START)
    for length, expected in ((10.0, 0.5), (0.2, 0.2)):
        gradient = optax.tree.scale(length / optax.tree.norm(ones), ones)
        updates, _ = optimizer.update(gradient, optimizer.init(START), START, learning_rate=jnp.array(1.0))
        assert float(optax.tree.norm(updates)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("optimizer", [optimizers.adam(), optimizers.sgd()], ids=["adam", "sgd"])
def test_a_new_rate_does_not_retrace_and_scales_the_update(optimizer, counted):
    def first_update(rate):
        updates, _ = optimizer.update(START, optimizer.init(START), START, learning_rate=rate)
        return updates

    update = jax.jit(counted.wrap(first_update))
    small, large = update(jnp.array(0.1)), update(jnp.array(0.2))
    assert counted.traces == 1
    assert_same(jax.tree.map(lambda x: 2.0 * x, small), large)


def test_a_share_slows_the_encoder_alone():
    params = {"encoder": START, "decoder": START}
    gradients = jax.tree.map(jnp.ones_like, params)

    def moved(share):
        optimizer = optimizers.build_reconstruction_optimizer(OptimizerConfig(), encoder_share=share)
        return optimizer.update(gradients, optimizer.init(params), params, learning_rate=jnp.array(RATE))[0]

    whole, slowed, held = moved(1.0), moved(0.25), moved(0.0)
    assert_same(slowed["decoder"], whole["decoder"])
    assert_same(slowed["encoder"], jax.tree.map(lambda update: 0.25 * update, whole["encoder"]))
    assert_same(held["encoder"], jax.tree.map(jnp.zeros_like, START))


def test_a_share_of_one_keeps_the_optimizers_state():
    """Checkpoints of runs without the setting can be resumed."""
    one = optimizers.build_reconstruction_optimizer(OptimizerConfig(), encoder_share=1.0)
    assert jax.tree.structure(one.init(START)) == jax.tree.structure(
        optimizers.build_optimizer(OptimizerConfig()).init(START)
    )


def test_the_cosine_goes_from_one_to_zero_and_stays_there():
    steps = jnp.array([0, 25, 50, 100, 150])
    factors = jax.vmap(optimizers.cosine_schedule, in_axes=(0, None))(steps, jnp.array(100.0))
    np.testing.assert_allclose(factors, [1.0, 0.5 + 0.25 * 2**0.5, 0.5, 0.0, 0.0], atol=1e-6)
