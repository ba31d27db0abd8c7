"""Codes drawn from posteriors, the health of adversaries, reconstruction error, nearest rows: against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax import NetworkConfig, priors
from aae_jax.evaluation import (
    build_draw_codes,
    build_encode,
    build_health,
    build_reconstruction_error,
    class_probabilities,
    maximum_mean_discrepancy,
    nearest_rows,
)
from aae_jax.networks import Codes, build_networks
from tests.conftest import quick_init

pytestmark = pytest.mark.usefixtures("quick_compile")

SHAPE, LATENT = (4, 3), 2
KEY = jax.random.key(5)
ADVERSARIES = {"discriminator_z": LATENT, "discriminator_y": 3}


def images(count):
    return jnp.asarray(np.random.default_rng(0).integers(0, 256, (count, *SHAPE)), jnp.uint8)


def small(classes=3, **changes):
    config = NetworkConfig(hidden=(16,), discriminator_hidden=(8,), latent_dim=LATENT, **changes)
    judged = ADVERSARIES if classes else {"discriminator_z": LATENT}
    networks = quick_init(build_networks(config, SHAPE, Codes(classes, classes, judged)))
    return networks, *networks.init(jax.random.key(1))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_codes_of_a_deterministic_posterior_are_what_the_encoder_says(batch_norm):
    networks, params, stats = small(batch_norm=batch_norm)
    drawn = build_draw_codes(networks, "sigmoid", batch_size=4)(params, stats, images(10), KEY)
    np.testing.assert_array_equal(
        drawn, build_encode(networks, "sigmoid", batch_size=4)(params, stats, images(10)).mean
    )


def test_codes_of_a_gaussian_posterior_have_its_mean_and_deviation():
    networks, params, stats = small(posterior="gaussian")
    one = jnp.asarray(np.repeat(images(1), 20_000, axis=0))
    drawn = np.asarray(build_draw_codes(networks, "sigmoid")(params, stats, one, KEY))
    said = build_encode(networks, "sigmoid")(params, stats, one[:1])
    std = np.exp(np.asarray(said.log_std[0]))
    np.testing.assert_allclose(drawn.mean(axis=0), said.mean[0], atol=0.04 * std.max())
    np.testing.assert_allclose(drawn.std(axis=0), std, rtol=0.03)
    assert len(np.unique(drawn[:, 0])) > 19_000  # every batch has draws of its own


def test_codes_of_the_universal_posterior_have_their_own_noise():
    networks, params, stats = small(posterior="universal", batch_norm=True)
    one = jnp.asarray(np.repeat(images(1), 50, axis=0))
    draw = build_draw_codes(networks, "sigmoid", batch_size=20)
    drawn = draw(params, stats, one, KEY)
    assert len(np.unique(np.asarray(drawn)[:, 0])) == 50
    np.testing.assert_array_equal(drawn, draw(params, stats, one, KEY))
    again, kept = networks.encode(params, stats, jnp.ones((2, *SHAPE)), KEY, train=False)
    assert kept is stats
    assert not np.array_equal(again.mean[0], again.mean[1])


def test_health_is_that_of_its_parts():
    networks, params, stats = small()
    prior = priors.build_gaussian(LATENT, 1.0)
    health = jax.jit(build_health(networks, prior))
    outputs = build_encode(networks, "sigmoid")(params, stats, images(600))
    logits, codes = outputs.logits, np.asarray(outputs.mean)
    found = health(params, outputs.mean, logits, KEY, jnp.asarray(3.0))
    samples = 3.0 * np.asarray(prior(KEY, 20_000))
    gap = (codes.mean(axis=0) - samples.mean(axis=0)) / samples.std(axis=0)
    np.testing.assert_allclose(found["code_mean_gap"], gap, atol=1e-5)
    np.testing.assert_allclose(found["code_std_ratio"], codes.std(axis=0) / samples.std(axis=0), rtol=1e-4)
    real, fake = (np.asarray(networks.discriminate_z(params, jnp.asarray(each), None)) for each in (samples, codes))
    told = 0.5 * ((real > 0) + 0.5 * (real == 0)).mean() + 0.5 * ((fake < 0) + 0.5 * (fake == 0)).mean()
    assert float(found["discriminator_z_accuracy"]) == pytest.approx(told, abs=1e-3)
    chances = np.asarray(jax.nn.softmax(logits))
    assert float(found["label_entropy"]) == pytest.approx(-(chances * np.log(chances)).sum(axis=1).mean(), rel=1e-4)
    mean = chances.mean(axis=0)
    assert float(found["label_balance"]) == pytest.approx(-(mean * np.log(mean)).sum(), rel=1e-4)
    assert int(found["labels_used"]) == len(np.unique(chances.argmax(axis=1)))
    assert 0 <= float(found["discriminator_y_accuracy"]) <= 1


def test_codes_that_follow_the_prior_are_said_to():
    networks, params, _ = small(classes=0)
    codes = jnp.asarray(np.random.default_rng(3).normal(0.0, 2.0, (10_000, LATENT)).astype(np.float32))
    health = jax.jit(build_health(networks, priors.build_gaussian(LATENT, 1.0)))
    same, wide = (health(params, codes, jnp.zeros((10_000, 0)), KEY, jnp.asarray(std)) for std in (2.0, 6.0))
    assert abs(float(same["code_mmd"])) < 0.003 < float(wide["code_mmd"])
    np.testing.assert_allclose(same["code_std_ratio"], 1.0, atol=0.03)
    np.testing.assert_allclose(wide["code_std_ratio"], 1 / 3, atol=0.01)
    np.testing.assert_allclose(same["code_mean_gap"], 0.0, atol=0.04)
    assert not {"label_entropy", "discriminator_y_accuracy"} & set(same)


def test_codes_of_views_are_drawn_as_they_are_seen():
    networks, params, stats = small(posterior="universal", batch_norm=True)
    draw = build_draw_codes(networks, "sigmoid", batch_size=4, see=lambda pixels, key: 1.0 - pixels)
    turned = build_draw_codes(networks, "sigmoid", batch_size=4)(params, stats, 255 - images(10), KEY)
    np.testing.assert_allclose(draw(params, stats, images(10), KEY), turned, atol=1e-5)


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "linear"])
@pytest.mark.parametrize("classes", [0, 3])
def test_the_reconstruction_error_is_a_mean_over_all_pixels(output, classes, monkeypatch):
    monkeypatch.setattr("aae_jax.evaluation.reconstruction.BATCH", 4)
    networks, params, stats = small(classes=classes, output=output)
    pictures = images(10)
    codes = build_encode(networks, output)(params, stats, pictures)
    found = build_reconstruction_error(networks, output)(params, stats, jnp.asarray(pictures), codes)
    made = networks.decode(params, stats, codes.mean, class_probabilities(codes.logits), None)[0]
    shown = {
        "sigmoid": jax.nn.sigmoid,
        "tanh": lambda x: (jnp.tanh(x) + 1) / 2,
        "linear": lambda x: jnp.clip(x, 0, 1),
    }
    expected = np.mean((np.asarray(shown[output](made)) - np.asarray(pictures) / 255.0) ** 2)
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_the_order_of_the_codes_does_not_matter():
    """Data may be stored class by class: the first codes are not compared alone."""
    networks, params, _ = small(classes=0)
    codes = np.sort(np.random.default_rng(3).normal(size=(10_000, LATENT)).astype(np.float32), axis=0)
    codes = jnp.asarray(codes)
    prior = priors.build_gaussian(LATENT, 1.0)
    found = jax.jit(build_health(networks, prior))(params, codes, jnp.zeros((10_000, 0)), KEY, jnp.asarray(1.0))
    assert float(found["code_mmd"]) < 0.05 < 0.3 < float(maximum_mean_discrepancy(codes[:1000], prior(KEY, 1000)))


def test_one_image_has_no_discrepancy():
    networks, params, stats = small(classes=0)
    outputs = build_encode(networks, "sigmoid")(params, stats, images(1))
    health = build_health(networks, priors.build_gaussian(LATENT, 1.0))
    found = health(params, outputs.mean, outputs.logits, KEY, jnp.asarray(1.0))
    assert np.isnan(found["code_mmd"])
    assert np.isfinite(found["code_mean_gap"]).all()


def test_the_nearest_row_is_that_of_a_loop():
    draw = np.random.default_rng(3)
    rows, others = draw.normal(size=(5, 7)), draw.normal(size=(40, 7))
    expected = [int(np.argmin([np.sum((row - other) ** 2) for other in others])) for row in rows]
    np.testing.assert_array_equal(nearest_rows(jnp.asarray(rows), jnp.asarray(others)), expected)


@pytest.mark.parametrize("std", [1.0, 5.0])
def test_quantiles_are_those_of_samples(std):
    shares = jnp.asarray([0.1, 0.5, 0.9])
    drawn = np.asarray(priors.build_gaussian(1, std)(KEY, 200_000))[:, 0]
    np.testing.assert_allclose(priors.gaussian_quantile(shares, std), np.quantile(drawn, shares), atol=0.02 * std)
    drawn = np.asarray(priors.build_uniform(1, std)(KEY, 200_000))[:, 0]
    np.testing.assert_allclose(priors.uniform_quantile(shares, std), np.quantile(drawn, shares), atol=0.01 * std)
