"""Convolutional encoder and decoder: shapes of any image, sizes of saved models, bad input."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.config import NetworkConfig, validate_network
from aae_jax.errors import InputError
from aae_jax.networks import Codes, build_networks, min_weights
from aae_jax.saved.versions import network_to_json
from tests.conftest import jitted_networks, quick_init, uniform

CODES = Codes(3, 3, {"discriminator_z": 5, "discriminator_y": 3})
CONFIG = NetworkConfig(kind="conv", hidden=(), channels=(4, 8), latent_dim=5, discriminator_hidden=(6,))
SHAPES = [(8, 8), (9, 7), (5, 6, 3), (1, 3), (4, 4, 1)]


def quick_jitted(networks):
    return jitted_networks(quick_init(networks))


@pytest.fixture(autouse=True)
def _quick(quick_compile):
    """Compile quickly; nothing here is timed."""


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_images_of_any_size_are_encoded_and_decoded(shape, residual):
    config = dataclasses.replace(CONFIG, residual=residual, batch_norm=True)
    networks = quick_jitted(build_networks(config, shape, CODES))
    params, stats = networks.init(jax.random.key(0))
    images = uniform(0, 2, *shape)
    output, after = networks.encode(params, stats, images, jax.random.key(1))
    chex.assert_shape(output.mean, (2, 5))
    chex.assert_shape(output.logits, (2, 3))
    chex.assert_trees_all_equal_shapes(stats, after)
    assert jax.tree.leaves(stats)
    chex.assert_shape(networks.decode(params, stats, output.mean, output.logits, None)[0], images.shape)


@pytest.mark.parametrize("options", [{"posterior": "gaussian"}, {"posterior": "universal"}, {"hidden": (7, 6)}])
def test_posteriors_and_hidden_layers_go_with_convolutions(options):
    networks = quick_jitted(build_networks(dataclasses.replace(CONFIG, **options), (8, 8), CODES))
    params, stats = networks.init(jax.random.key(0))
    output, _ = networks.encode(params, stats, uniform(0, 2, 8, 8), jax.random.key(1))
    chex.assert_shape(output.mean, (2, 5))
    assert (output.log_std is not None) == (options.get("posterior") == "gaussian")


def test_in_evaluation_an_images_code_does_not_depend_on_its_batch():
    config = dataclasses.replace(CONFIG, batch_norm=True, dropout=0.5)
    networks = quick_jitted(build_networks(config, (8, 8), CODES))
    params, stats = networks.init(jax.random.key(0))
    images = uniform(0, 3, 8, 8)
    together = networks.encode(params, stats, images, None)[0].mean
    alone = jnp.concatenate([networks.encode(params, stats, image[None], None)[0].mean for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("hidden", [(), (7,)])
def test_the_bound_of_a_saved_models_size_is_that_of_its_kernels(shape, hidden):
    config = dataclasses.replace(CONFIG, hidden=hidden)
    params, _ = jax.eval_shape(build_networks(config, shape, CODES).init, jax.random.key(0))
    kernels = [
        np.prod(leaf.shape)
        for network in ("encoder", "decoder")
        for path, leaf in jax.tree_util.tree_leaves_with_path(params[network])
        if path[-1].key == "kernel"
    ]
    assert min_weights(config, shape, 5 + 3, 5 + 3) == sum(kernels)


def test_vectors_are_refused():
    with pytest.raises(InputError, match=r"network\.kind is conv, but an image of the data has the shape \(7,\)"):
        build_networks(CONFIG, (7,), CODES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ()}, r"network\.channels is empty"),
        ({"channels": (8, 0)}, r"network\.channels\[1\] is 0"),
        ({"kernel_size": 0}, r"network\.kernel_size is 0"),
        ({"kind": "mlp"}, r"network\.hidden is empty"),
        ({"kind": "mlp", "hidden": (4,)}, r"network\.channels is \(4, 8\), but a perceptron has none"),
        ({"kind": "mlp", "hidden": (4,), "channels": (32, 64), "kernel_size": 5}, r"network\.kernel_size is 5"),
    ],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        validate_network(dataclasses.replace(CONFIG, **options))


def test_a_discriminator_of_another_length_is_named():
    networks = quick_jitted(build_networks(CONFIG, (8, 8), CODES))
    params, _ = networks.init(jax.random.key(0))
    with pytest.raises(InputError, match="length 8; networks and configuration must both have conditional True"):
        networks.discriminate_z(params, jnp.zeros((2, 8)), None)
    with pytest.raises(InputError, match="length 4; give codes of the lengths"):
        networks.discriminate_y(params, jnp.zeros((2, 4)), None)


def test_perceptrons_are_described_as_earlier_versions_did():
    plain, convolutional = network_to_json(NetworkConfig()), network_to_json(CONFIG)
    assert set(convolutional) - set(plain) == {
        "kind",
        "channels",
        "kernel_size",
        "residual",
        "batch_norm_decoder",
        "batch_norm_output",
    }
    assert convolutional["channels"] == (4, 8)
    assert network_to_json(NetworkConfig(batch_norm_decoder=True))["batch_norm_decoder"] is True


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_a_normalised_decoder_has_moments_that_training_updates_and_evaluation_uses(kind):
    options = {"kind": kind} | ({} if kind == "conv" else {"channels": (32, 64), "hidden": (6,)})
    config = dataclasses.replace(CONFIG, batch_norm_decoder=True, batch_norm_output=True, **options)
    networks = quick_jitted(build_networks(config, (5, 6, 3), CODES))
    params, stats = networks.init(jax.random.key(0))
    z, y = uniform(0, 16, 5), uniform(1, 16, 3)
    trained, after = networks.decode(params, stats, z, y, jax.random.key(1))
    chex.assert_trees_all_close(jnp.std(trained, axis=(0, 1, 2)), jnp.ones(3), atol=0.2)
    assert all(np.any(old != new) for old, new in zip(*map(jax.tree.leaves, (stats, after)), strict=True))
    evaluated, kept = networks.decode(params, after, z, y, None)
    chex.assert_trees_all_equal(kept, after)
    alone, _ = networks.decode(params, after, z[:1], y[:1], None)
    np.testing.assert_allclose(alone, evaluated[:1], rtol=1e-4, atol=1e-5)
    assert jax.tree.leaves(after["decoder"]["BatchNorm_0"]["mean"])[0].shape == ((90,) if kind == "mlp" else (3,))
