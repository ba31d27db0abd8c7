"""Measures of trained models, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.config import NetworkConfig
from aae_jax.evaluation import build_encode, error_rate, evaluate
from aae_jax.networks import EncoderOutput, build_mlp_networks
from tests.conftest import toy_networks

SEVEN = jax.random.randint(jax.random.key(0), (7, 8, 8), 0, 256).astype(jnp.uint8)


def encode_first_row(params, stats, images, key):
    """The logits of an image are its first three pixels times a weight."""
    assert key is None, "evaluation draws nothing"
    return EncoderOutput(images[:, 1, :2], params["encoder"] * images[:, 0, :3], None), stats


FIRST_ROW = toy_networks()._replace(encode=encode_first_row)


def test_the_error_rate_is_the_share_of_wrong_rows():
    logits = jnp.array([[2.0, 1.0, 0.0], [0.0, 5.0, 4.0], [-3.0, -2.0, -1.0], [9.0, 0.0, 8.0]])
    assert error_rate(logits, jnp.array([0, 1, 2, 0])) == 0.0
    assert error_rate(logits, jnp.array([0, 2, 2, 0])) == 0.25
    assert error_rate(logits, jnp.array([1, 2, 0, 1])) == 1.0


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf, -jnp.inf])
@pytest.mark.parametrize("column", [0, 1])
def test_rows_that_are_not_finite_are_wrong_whatever_their_label(bad, column):
    logits = jnp.array([[2.0, 1.0], [2.0, 1.0]]).at[1, column].set(bad)
    for label in (0, 1):
        assert error_rate(logits, jnp.array([0, label])) == 0.5


def test_each_seed_has_its_own_error_rate():
    logits = jnp.stack([jnp.eye(4), jnp.roll(jnp.eye(4), 1, axis=1), jnp.full((4, 4), jnp.nan)])
    np.testing.assert_array_equal(error_rate(logits, jnp.arange(4)), [0.0, 1.0, 1.0])


@pytest.mark.parametrize("batch_size", [1, 3, 6, 7, 1000])
def test_images_are_encoded_batch_by_batch_as_all_at_once(batch_size):
    config = NetworkConfig(
        hidden=(16, 16), discriminator_hidden=(16,), latent_dim=3, posterior="gaussian", batch_norm=True
    )
    networks = build_mlp_networks(config, (8, 8), 10)
    params, stats = networks.init(jax.random.key(0))
    at_once, _ = networks.encode(params, stats, SEVEN / 255.0, None)
    encoded = build_encode(networks, "sigmoid", batch_size=batch_size)(params, stats, SEVEN)
    for actual, expected in zip(encoded, at_once, strict=True):
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_encoding_keeps_the_order_and_scales_to_the_output():
    params = {"encoder": jnp.array(1.0)}
    for output, expected in (("sigmoid", SEVEN / 255.0), ("tanh", SEVEN / 127.5 - 1.0)):
        encoded = build_encode(FIRST_ROW, output, batch_size=3)(params, {}, SEVEN)
        np.testing.assert_allclose(encoded.logits, expected[:, 0, :3], atol=1e-6)
        np.testing.assert_allclose(encoded.mean, expected[:, 1, :2], atol=1e-6)
        assert encoded.log_std is None


def test_encoding_is_vmapped_over_seeds():
    params = {"encoder": jnp.array([1.0, 2.0])}
    encoded = jax.vmap(build_encode(FIRST_ROW, "sigmoid", batch_size=3), in_axes=(0, None, None))(params, {}, SEVEN)
    np.testing.assert_allclose(encoded.logits[1], 2.0 * encoded.logits[0], atol=1e-6)


def test_evaluation_by_hand():
    rows = np.array([[255, 0, 0], [0, 255, 0], [51, 102, 204]], np.uint8)
    images = np.zeros((3, 4, 4), np.uint8)
    images[:, 0, :3] = rows
    labels = np.array([0, 0, 2], np.int32)
    logits = 5.0 * rows / 255.0
    expected = -np.mean(logits[np.arange(3), labels] - np.log(np.exp(logits).sum(axis=1)))
    result = evaluate(FIRST_ROW, {"encoder": jnp.array(5.0)}, {}, images, labels, output="sigmoid")
    assert result.keys() == {"error", "cross_entropy"}
    np.testing.assert_allclose([result["error"], result["cross_entropy"]], [1 / 3, expected], rtol=1e-5)
