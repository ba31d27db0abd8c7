"""The networks as functions: shapes, what training draws and evaluation does not, batch norm, precision."""

import dataclasses
import functools
import itertools
from types import SimpleNamespace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.config import NetworkConfig
from aae_jax.errors import InputError
from aae_jax.networks import (
    Codes,
    EncoderOutput,
    build_mlp_networks,
    build_networks,
    fastest_precision,
    require_precision,
    sample_style,
)
from aae_jax.networks.mlp import BATCH_NORM_MOMENTUM
from aae_jax.networks.precision import bfloat16_dot_general, has_tf32
from tests.conftest import quick_init

pytestmark = pytest.mark.usefixtures("quick_compile")

BATCH, SIZE, LATENT, NOISE, CLASSES = 6, 8, 3, 2, 10
IMAGES = jax.random.uniform(jax.random.key(7), (BATCH, SIZE, SIZE))
POSTERIORS = ("deterministic", "gaussian", "universal")
KEY, OTHER_KEY = jax.random.key(1), jax.random.key(2)


@functools.cache
def initial(posterior, batch_norm, weight_init):
    config = NetworkConfig(
        hidden=(16, 16),
        discriminator_hidden=(16, 16),
        latent_dim=LATENT,
        noise_dim=NOISE,
        posterior=posterior,
        batch_norm=batch_norm,
        weight_init=weight_init,
    )
    return config, *jax.jit(build_mlp_networks(config, (SIZE, SIZE), CLASSES).init)(jax.random.key(0))


def build(posterior="deterministic", batch_norm=False, weight_init="he", **options):
    """Return networks with weights and statistics, which are drawn once for all options without a part in them."""
    config, params, stats = initial(posterior, batch_norm, weight_init)
    networks = build_mlp_networks(dataclasses.replace(config, **options), (SIZE, SIZE), CLASSES)
    return networks, params, stats


def style_and_label(seed=3):
    z = jax.random.normal(jax.random.key(seed), (BATCH, LATENT))
    return z, jax.nn.softmax(jax.random.normal(jax.random.key(seed + 1), (BATCH, CLASSES)))


@pytest.mark.parametrize(
    ("posterior", "output", "batch_norm", "precision"),
    list(itertools.product(POSTERIORS, ["sigmoid", "linear", "tanh"], [False, True], ["float32", "bfloat16"])),
)
def test_every_network_gives_finite_float32_of_its_shape(posterior, output, batch_norm, precision):
    networks, params, stats = build(posterior=posterior, output=output, batch_norm=batch_norm, precision=precision)
    chex.assert_trees_all_equal_shapes_and_dtypes((params, stats), jax.eval_shape(networks.init, KEY))
    assert set(params) == {"encoder", "decoder", "discriminator_z", "discriminator_y"}
    assert set(stats) == ({"encoder"} if batch_norm else set())
    chex.assert_trees_all_equal_dtypes(*jax.tree.leaves((params, stats)), jnp.zeros((), jnp.float32))
    z, y = style_and_label()
    for key in (None, KEY):
        encoded, _ = networks.encode(params, stats, IMAGES, key)
        outputs = {
            "mean": (encoded.mean, (BATCH, LATENT)),
            "logits": (encoded.logits, (BATCH, CLASSES)),
            "decoded": (networks.decode(params, stats, z, y, key)[0], (BATCH, SIZE, SIZE)),
            "score of z": (networks.discriminate_z(params, z, key), (BATCH,)),
            "score of y": (networks.discriminate_y(params, y, key), (BATCH,)),
        }
        assert (encoded.log_std is None) == (posterior != "gaussian")
        if encoded.log_std is not None:
            outputs["log_std"] = (encoded.log_std, (BATCH, LATENT))
        for value, shape in outputs.values():
            chex.assert_shape(value, shape)
            chex.assert_type(value, jnp.float32)
            chex.assert_tree_all_finite(value)
            assert np.ptp(value) > 0, "the answer depends on the input"


@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_one_image_alone_gets_the_answer_it_gets_in_a_batch(posterior, precision):
    networks, params, stats = build(posterior=posterior, batch_norm=True, dropout=0.5, precision=precision)
    _, stats = networks.encode(params, stats, IMAGES, KEY)
    together, _ = networks.encode(params, stats, IMAGES, None)
    for i in range(BATCH):
        alone, _ = networks.encode(params, stats, IMAGES[i : i + 1], None)
        np.testing.assert_allclose(alone.logits[0], together.logits[i], atol=1e-5)
        np.testing.assert_allclose(alone.mean[0], together.mean[i], atol=1e-5)


def test_in_training_an_image_alone_would_not_under_batch_norm():
    networks, params, stats = build(batch_norm=True)
    together, _ = networks.encode(params, stats, IMAGES, KEY)
    fewer, _ = networks.encode(params, stats, IMAGES[:2], KEY)
    assert np.abs(fewer.logits - together.logits[:2]).max() > 1e-2


def test_training_moves_the_running_moments_towards_those_of_the_batch():
    networks, params, stats = build(batch_norm=True)
    _, advanced = networks.encode(params, stats, IMAGES, KEY)
    layer = params["encoder"]["trunk"]["Dense_0"]
    features = np.asarray(IMAGES).reshape(BATCH, -1) @ layer["kernel"] + layer["bias"][None]
    running = advanced["encoder"]["trunk"]["BatchNorm_0"]
    share = 1 - BATCH_NORM_MOMENTUM
    np.testing.assert_allclose(running["mean"], share * features.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(running["var"], 1 - share + share * features.var(axis=0), atol=1e-5)
    np.testing.assert_array_equal(stats["encoder"]["trunk"]["BatchNorm_0"]["mean"], 0.0)


def test_evaluation_leaves_the_running_moments_as_they_are_and_uses_them():
    networks, params, stats = build(batch_norm=True)
    before, kept = networks.encode(params, stats, IMAGES, None)
    chex.assert_trees_all_equal(kept, stats)
    _, advanced = networks.encode(params, stats, IMAGES, KEY)
    after, _ = networks.encode(params, advanced, IMAGES, None)
    assert np.abs(after.logits - before.logits).max() > 1e-3


def test_dropout_is_random_in_training_and_off_in_evaluation():
    dropped, params, stats = build(dropout=0.5)
    plain, *_ = build()
    z, y = style_and_label()
    for run in (
        lambda networks, key: networks.encode(params, stats, IMAGES, key)[0].logits,
        lambda networks, key: networks.decode(params, stats, z, y, key)[0],
    ):
        np.testing.assert_array_equal(run(dropped, None), run(plain, None))
        np.testing.assert_array_equal(run(dropped, KEY), run(dropped, KEY))
        assert not np.allclose(run(dropped, KEY), run(dropped, OTHER_KEY))
        np.testing.assert_allclose(run(plain, KEY), run(plain, OTHER_KEY))


def test_discriminators_have_no_dropout():
    networks, params, _ = build(dropout=0.5)
    z, y = style_and_label()
    for discriminate, code in ((networks.discriminate_z, z), (networks.discriminate_y, y)):
        np.testing.assert_array_equal(discriminate(params, code, KEY), discriminate(params, code, OTHER_KEY))


@pytest.mark.parametrize(("name", "which"), [("discriminate_z", 0), ("discriminate_y", 1)])
def test_noise_on_what_discriminators_are_shown_is_theirs_alone_and_off_in_evaluation(name, which):
    noisy, params, _ = build(discriminator_noise=0.3)
    plain, *_ = build()
    codes = style_and_label()
    discriminate, without, shown = getattr(noisy, name), getattr(plain, name), codes[which]
    np.testing.assert_array_equal(discriminate(params, shown, None), without(params, shown, None))
    np.testing.assert_array_equal(discriminate(params, shown, KEY), discriminate(params, shown, KEY))
    scores = jax.vmap(lambda key: discriminate(params, shown, key))(jax.random.split(KEY, 200))
    noises = 0.3 * jax.random.normal(OTHER_KEY, (200, *shown.shape))
    moved = jax.vmap(lambda noise: without(params, shown + noise, None))(noises)
    assert float(jnp.std(scores, axis=0).mean()) == pytest.approx(float(jnp.std(moved, axis=0).mean()), rel=0.2)
    np.testing.assert_array_equal(noisy.decode(params, {}, *codes, KEY)[0], plain.decode(params, {}, *codes, KEY)[0])


def test_each_discriminator_has_its_own_noise():
    config = NetworkConfig(hidden=(8,), discriminator_hidden=(8,), latent_dim=3, discriminator_noise=0.3)
    networks = build_networks(config, (4, 4), Codes(3, 3, {"discriminator_z": 3, "discriminator_y": 3}))
    params, _ = quick_init(networks).init(KEY)
    params = {**params, "discriminator_y": params["discriminator_z"]}
    code = jax.random.normal(OTHER_KEY, (5, 3))
    np.testing.assert_array_equal(
        networks.discriminate_z(params, code, None), networks.discriminate_y(params, code, None)
    )
    assert not np.allclose(networks.discriminate_z(params, code, KEY), networks.discriminate_y(params, code, KEY))


def test_samples_of_a_gaussian_posterior_have_its_mean_and_std():
    count = 20_000
    mean, log_std = jnp.array([1.0, -2.0, 0.0]), jnp.log(jnp.array([0.5, 2.0, 1.0]))
    shape = (count, LATENT)
    output = EncoderOutput(
        jnp.broadcast_to(mean, shape), jnp.zeros((count, CLASSES)), jnp.broadcast_to(log_std, shape)
    )
    z = np.asarray(sample_style(output, KEY))
    np.testing.assert_allclose(z.std(axis=0), [0.5, 2.0, 1.0], rtol=0.03)
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.07)
    np.testing.assert_array_equal(sample_style(output, None), output.mean)
    np.testing.assert_array_equal(sample_style(output._replace(log_std=None), KEY), output.mean)


def test_the_gradient_goes_through_the_samples_of_a_gaussian_posterior():
    def total(log_std):
        output = EncoderOutput(jnp.zeros((2, LATENT)), jnp.zeros((2, CLASSES)), log_std)
        return jnp.sum(sample_style(output, KEY))

    noise = jax.random.normal(KEY, (2, LATENT))
    log_std = jnp.full((2, LATENT), 0.3)
    np.testing.assert_allclose(jax.grad(total)(log_std), np.exp(0.3) * noise, rtol=1e-5)


def test_noise_of_the_universal_approximator_matters_in_training_and_is_zero_in_evaluation():
    networks, params, stats = build(posterior="universal")

    def means(key, params=params):
        return networks.encode(params, stats, IMAGES, key)[0].mean

    assert np.abs(means(KEY) - means(OTHER_KEY)).max() > 1e-2
    same = networks.encode(params, stats, jnp.broadcast_to(IMAGES[0], IMAGES.shape), KEY)[0].mean
    assert np.abs(same[0] - same[1]).max() > 1e-3, "each image has its own noise"
    kernel = params["encoder"]["trunk"]["Dense_0"]["kernel"]
    assert kernel.shape[0] == SIZE**2 + NOISE

    def kick(path, x):
        return x.at[-NOISE:].add(5.0) if "'trunk']['Dense_0']['kernel" in jax.tree_util.keystr(path) else x

    kicked = {**params, "encoder": jax.tree_util.tree_map_with_path(kick, params["encoder"])}
    np.testing.assert_array_equal(means(None), means(None, kicked))
    assert np.abs(means(KEY) - means(KEY, kicked)).max() > 1e-2


def test_initial_weights_are_he_or_the_papers():
    def std(**options):
        _, params, _ = build(**options)
        return params["encoder"]["trunk"]["Dense_0"]["kernel"].std()

    np.testing.assert_allclose(std(weight_init="he"), (2 / SIZE**2) ** 0.5, rtol=0.1)
    np.testing.assert_allclose(std(weight_init="paper"), 0.01, rtol=0.1)


def test_networks_are_initialised_each_with_its_own_key():
    networks, params, _ = build()
    first, last = (params[name]["trunk"]["Dense_1"]["kernel"] for name in ("discriminator_z", "discriminator_y"))
    assert not np.allclose(first, last)
    other, _ = networks.init(jax.random.key(1))
    assert not np.allclose(
        other["encoder"]["label"]["Dense_0"]["kernel"], params["encoder"]["label"]["Dense_0"]["kernel"]
    )


MATMUL = (((1,), (0,)), ((), ()))


def test_bfloat16_products_are_close_to_those_of_float32():
    x, w = jax.random.normal(KEY, (32, 200)), jax.random.normal(OTHER_KEY, (200, 16))
    product, exact = bfloat16_dot_general(x, w, MATMUL), x @ w
    assert product.dtype == jnp.float32
    assert np.linalg.norm(product - exact) < 1e-2 * np.linalg.norm(exact)
    assert np.linalg.norm(product - exact) > 1e-5 * np.linalg.norm(exact), "operands are rounded"


def integers(seed, shape, limit):
    """Whole numbers whose products, rounded to bfloat16's 8 bits first, have sums exact in float32."""
    return jnp.asarray(np.random.default_rng(seed).integers(-limit, limit, shape), jnp.float32)


def rounded(x):
    return x.astype(jnp.bfloat16).astype(jnp.float32)


def test_bfloat16_products_and_gradients_are_those_of_rounded_operands():
    x, w, g = integers(0, (4, 8), 1000), integers(1, (8, 5), 1000), integers(2, (4, 5), 1000)
    assert not np.array_equal(x, rounded(x))
    product, pull = jax.vjp(lambda x, w: bfloat16_dot_general(x, w, MATMUL), x, w)
    np.testing.assert_array_equal(product, rounded(x) @ rounded(w))
    gradients = pull(g)
    chex.assert_type(gradients, jnp.float32)
    np.testing.assert_array_equal(gradients[0], rounded(g) @ rounded(w).T)
    np.testing.assert_array_equal(gradients[1], rounded(x).T @ rounded(g))


def test_gradients_of_bfloat16_networks_are_float32_and_close():
    gradients = []
    for precision in ("float32", "bfloat16"):
        networks, _, stats = build(precision=precision)
        _, params, _ = build(precision="float32")

        def loss(encoder, networks=networks, params=params, stats=stats):
            return jnp.mean(networks.encode({**params, "encoder": encoder}, stats, IMAGES, KEY)[0].logits ** 2)

        gradients.append(jax.grad(loss)(params["encoder"])["trunk"]["Dense_0"]["kernel"])
    chex.assert_type(gradients, jnp.float32)
    assert 0 < np.linalg.norm(gradients[0] - gradients[1]) < 3e-2 * np.linalg.norm(gradients[0])


def test_bfloat16_refuses_products_that_are_not_of_two_matrices():
    with pytest.raises(ValueError, match="product of two matrices"):
        bfloat16_dot_general(jnp.ones((2, 2)), jnp.ones((2, 2)), (((0,), (0,)), ((), ())))


@pytest.mark.parametrize(("size", "columns"), [(24, 9), (10, 8), (35, 4), (11, 5), (1, 3), (7, 2)])
def test_weight_gradients_in_bfloat16_are_those_of_rounded_operands_at_any_size(size, columns):
    """The operand is transposed by way of a factor of its size; primes have none."""
    draw = np.random.default_rng(0)
    x, g = (jnp.asarray(draw.integers(-8, 9, (6, n)), jnp.float32) for n in (size, columns))
    w = jnp.ones((size, columns))
    _, pull = jax.vjp(lambda w: bfloat16_dot_general(x, w, MATMUL), w)
    np.testing.assert_array_equal(pull(g)[0], x.T @ g)


def test_tf32_is_refused_where_it_is_not():
    require_precision("float32")
    with pytest.raises(InputError, match="tf32, which needs an NVIDIA GPU of compute capability"):
        require_precision("tf32")


def pretend(monkeypatch, backend, *capabilities):
    """Put devices of a backend in the place of this process's; None: without a compute capability."""
    devices = [
        SimpleNamespace(
            platform=backend, device_kind="a card", **({} if value is None else {"compute_capability": value})
        )
        for value in capabilities
    ]
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(jax, "devices", lambda: devices)


@pytest.mark.parametrize(
    ("backend", "capabilities", "fastest"),
    [
        ("gpu", ["9.0"], "tf32"),
        ("gpu", ["8.0"], "tf32"),
        ("gpu", ["10.0"], "tf32"),
        ("gpu", ["12.1", "8.6"], "tf32"),
        ("gpu", ["7.5"], "float32"),
        ("gpu", ["9.0", "7.0"], "float32"),
        ("gpu", [None], "float32"),
        ("gpu", ["gfx942"], "float32"),
        ("tpu", [None], "bfloat16"),
        ("METAL", [None], "float32"),
    ],
)
def test_auto_is_tf32_from_ampere_on_bfloat16_on_tpus_and_float32_on_others(
    monkeypatch, backend, capabilities, fastest
):
    pretend(monkeypatch, backend, *capabilities)
    assert fastest_precision() == fastest
    assert has_tf32() == (fastest == "tf32")
    require_precision(fastest)
    if fastest != "tf32":
        with pytest.raises(InputError, match="compute capability"):
            require_precision("tf32")


def test_the_refusal_of_tf32_names_the_cards_capability(monkeypatch):
    pretend(monkeypatch, "gpu", "7.5")
    with pytest.raises(InputError, match=r"the device is a card \(gpu, 7\.5\); give float32 or bfloat16"):
        require_precision("tf32")


def test_the_precision_auto_is_the_fastest_of_this_device():
    networks, params, stats = build(precision="auto")
    named, *_ = build(precision=fastest_precision())
    np.testing.assert_array_equal(
        networks.encode(params, stats, IMAGES, None)[0].logits,
        named.encode(params, stats, IMAGES, None)[0].logits,
    )


def variant(codes, **options):
    """Return networks of other codes than the semi-supervised model's, and their weights."""
    config = NetworkConfig(hidden=(16,), discriminator_hidden=(16,), latent_dim=LATENT, **options)
    networks = quick_init(build_networks(config, (SIZE, SIZE), codes))
    return networks, *networks.init(jax.random.key(0))


@pytest.mark.parametrize("heads", [False, True])
def test_a_model_without_labels_has_no_such_head(heads):
    networks, params, stats = variant(
        Codes(0, 0, {"discriminator_z": LATENT}), batch_norm=True, batch_norm_heads=heads
    )
    assert sorted(params) == ["decoder", "discriminator_z", "encoder"]
    assert not [name for name in params["encoder"] if "label" in name]
    output, _ = networks.encode(params, stats, IMAGES, KEY)
    chex.assert_shape(output.logits, (BATCH, 0))
    chex.assert_shape(output.mean, (BATCH, LATENT))
    decoded = networks.decode(params, stats, output.mean, jnp.zeros((BATCH, 0)), None)[0]
    chex.assert_shape(decoded, (BATCH, SIZE, SIZE))
    chex.assert_shape(networks.discriminate_z(params, output.mean, None), (BATCH,))
    with pytest.raises(InputError, match="no discriminator_y"):
        networks.discriminate_y(params, output.logits, None)


def test_a_decoder_may_get_a_label_that_no_head_gives():
    """The supervised model (fig. 6): its decoder is told the class."""
    networks, params, stats = variant(Codes(0, CLASSES, {"discriminator_z": LATENT}))
    z, y = style_and_label()
    first = networks.decode(params, stats, z, y, None)[0]
    chex.assert_shape(first, (BATCH, SIZE, SIZE))
    assert not np.allclose(first, networks.decode(params, stats, z, jnp.roll(y, 1, axis=1), None)[0])


def test_an_adversary_may_see_a_label_beside_the_style():
    """The label-regularised model (fig. 3): the extra class stands for images without a label."""
    networks, params, _ = variant(Codes(0, 0, {"discriminator_z": LATENT + CLASSES + 1}))
    z, _ = style_and_label()
    scores = [
        networks.discriminate_z(
            params, jnp.concatenate([z, jax.nn.one_hot(jnp.full(BATCH, k), CLASSES + 1)], 1), None
        )
        for k in (0, CLASSES)
    ]
    chex.assert_shape(scores[0], (BATCH,))
    assert not np.allclose(*scores)


def test_without_adversaries_there_are_only_encoder_and_decoder():
    networks, params, _ = variant(Codes(0, 0, {}))
    assert sorted(params) == ["decoder", "encoder"]
    with pytest.raises(InputError, match="no discriminator_z"):
        networks.discriminate_z(params, jnp.zeros((BATCH, LATENT)), None)
