"""The models without labels: what each phase moves, what its loss is, and that codes come to the prior."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax import losses, priors
from aae_jax.config import NetworkConfig, OptimizerConfig, PriorConfig, ViewConfig
from aae_jax.data import load_dataset
from aae_jax.errors import InputError
from aae_jax.evaluation import build_encode, maximum_mean_discrepancy, moments_beside
from aae_jax.models import find_model
from aae_jax.models.autoencoder import phases as autoencoder
from aae_jax.models.autoencoder.config import AutoencoderConfig, AutoencoderWeights, validate_autoencoder
from aae_jax.models.shared.terms import draw_seen
from aae_jax.models.unsupervised import phases as unsupervised
from aae_jax.models.unsupervised.config import (
    UnsupervisedConfig,
    UnsupervisedOptimizers,
    UnsupervisedWeights,
    validate_unsupervised,
)
from aae_jax.priors.configured import configured_prior
from aae_jax.train.epoch import TrainData, build_train_epoch
from aae_jax.train.fit import fit
from aae_jax.train.hyper import traced
from aae_jax.train.optimizers import build_schedule
from aae_jax.train.phases import init_state, phase_step
from aae_jax.train.state import evaluation_variables
from aae_jax.types import Batch
from tests.conftest import changed, quick_init, uniform

pytestmark = pytest.mark.usefixtures("quick_compile")

NETWORK = NetworkConfig(hidden=(16,), discriminator_hidden=(16,), latent_dim=2, batch_norm=True)
CLEAN = ViewConfig(noise_std=0.0, max_shift=0)
NOISY = ViewConfig(noise_std=0.3, max_shift=0)
AAE = UnsupervisedConfig(network=NETWORK, views=NOISY)
VAE = AutoencoderConfig(
    model="vae", network=dataclasses.replace(NETWORK, posterior="gaussian", batch_norm=False), views=CLEAN
)
KEY = jax.random.key(5)
IMAGES = uniform(1, 20, 8, 8)
NOTHING = Batch(IMAGES, IMAGES[:0], jnp.zeros(0, jnp.int32))


def build(config):
    if isinstance(config, AutoencoderConfig):
        networks = quick_init(find_model("autoencoder").spec.build_networks(config, (8, 8), 0))
        phases, hyper = autoencoder.build_phases(networks, config), traced(config, 10)
    else:
        networks = quick_init(find_model("unsupervised").spec.build_networks(config, (8, 8), 0))
        phases, hyper = unsupervised.build_phases(networks, config), traced(config, 10)
    return networks, phases, hyper, init_state(networks, phases, jax.random.key(0))


def loss_of(phases, state, hyper, key=KEY):
    """Return the reconstruction phase's loss, and its metrics."""
    loss = jax.jit(phases["reconstruction"].loss)
    value, (_, metrics) = loss(state.params, state.batch_stats, NOTHING, hyper, key)
    return float(value), {name: float(metric) for name, metric in metrics.items()}


JOINT = dataclasses.replace(AAE, joint=True)
MOVED = {
    "reconstruction": {"encoder", "decoder"},
    "discriminator_z": {"discriminator_z"},
    "generator": {"encoder"},
}


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (AAE, ["reconstruction", "discriminator_z", "generator"]),
        (JOINT, ["discriminator_z", "reconstruction"]),
        (AutoencoderConfig(network=NETWORK, views=NOISY), ["reconstruction"]),
        (VAE, ["reconstruction"]),
    ],
)
def test_each_phase_moves_its_networks_and_no_others(config, names):
    _, phases, hyper, state = build(config)
    assert list(phases) == names

    @jax.jit
    def each(state):
        rate = jnp.asarray(0.1)
        return {name: phase_step(name, phase, state, NOTHING, hyper, KEY, rate) for name, phase in phases.items()}

    for name, (after, metrics) in each(state).items():
        assert changed(state.params, after.params) == MOVED[name]
        assert bool(changed(state.batch_stats, after.batch_stats)) == (name == "reconstruction" and config != VAE)
        assert np.isfinite(float(metrics[f"{name}/loss"]))
    assert [phase.updates_stats for phase in phases.values()].count(True) == 1


def test_a_joint_step_goes_down_the_sum():
    config = dataclasses.replace(
        JOINT, weights=UnsupervisedWeights(reconstruction=2.0, generator_z=0.1, style_mmd=3.0)
    )
    networks, phases, hyper, state = build(config)
    value, metrics = loss_of(phases, state, hyper)
    expected = 2.0 * metrics["error"] + 0.1 * metrics["generator_z"] + 3.0 * metrics["style_mmd"]
    assert value == pytest.approx(expected, rel=1e-6)
    _, clean = loss_of(phases, state, hyper.replace({"views.noise_std": jnp.asarray(0.0)}))
    output, _ = networks.encode(state.params, state.batch_stats, IMAGES, KEY)  # batch norm by the batch
    by_hand = losses.generator_loss(networks.discriminate_z(state.params, output.mean, None))
    assert clean["generator_z"] == pytest.approx(float(by_hand), rel=1e-5)


@pytest.mark.parametrize("kind", ["half_squared_error", "mean_squared_error", "bernoulli"])
def test_the_decoder_rebuilds_the_clean_image(kind):
    config = AutoencoderConfig(
        network=dataclasses.replace(NETWORK, batch_norm=False),
        views=NOISY,
        weights=AutoencoderWeights(reconstruction_loss=kind),
    )
    networks, phases, hyper, state = build(config)
    _, noisy = loss_of(phases, state, hyper)
    calm = hyper.replace({"views.noise_std": jnp.asarray(0.0)})
    value, clean = loss_of(phases, state, calm)
    output, _ = networks.encode(state.params, state.batch_stats, IMAGES, None)
    decoded = networks.decode(state.params, state.batch_stats, output.mean, jnp.zeros((20, 0)), None)[0]
    target, pixels = np.asarray(IMAGES, np.float64), 1 / (1 + np.exp(-np.asarray(decoded, np.float64)))
    by_hand = {
        "half_squared_error": 0.5 * ((pixels - target) ** 2).sum(axis=(1, 2)).mean(),
        "mean_squared_error": ((pixels - target) ** 2).mean(),
        "bernoulli": -(target * np.log(pixels) + (1 - target) * np.log(1 - pixels)).sum(axis=(1, 2)).mean(),
    }[kind]
    assert value == pytest.approx(by_hand, rel=1e-5)
    assert noisy["error"] != pytest.approx(clean["error"], rel=1e-6)
    blind = {**state.params, "decoder": jax.tree.map(jnp.zeros_like, state.params["decoder"])}  # says ½ of any code
    _, blinded = loss_of(phases, state._replace(params=blind), hyper)
    _, calmed = loss_of(phases, state._replace(params=blind), calm)
    assert blinded["error"] == pytest.approx(calmed["error"], rel=1e-6), "the target has no noise"


@pytest.mark.parametrize("kind", ["gaussian", "mixture"])
def test_the_vaes_loss_has_its_whole_divergence(kind):
    config = dataclasses.replace(VAE, prior=PriorConfig(kind=kind, std=2.0), weights=AutoencoderWeights(kl=0.5))
    networks, phases, hyper, state = build(config)
    value, metrics = loss_of(phases, state, hyper)
    assert value == pytest.approx(metrics["error"] + 0.5 * metrics["kl"], rel=1e-6)
    output, _ = networks.encode(state.params, state.batch_stats, IMAGES, None)
    if kind == "gaussian":
        assert metrics["kl"] == pytest.approx(
            float(losses.kl_to_gaussian(output.mean, output.log_std, 2.0)), rel=1e-5
        )
        return
    many = jnp.repeat(output.mean, 2000, axis=0), jnp.repeat(output.log_std, 2000, axis=0)
    z = many[0] + jnp.exp(many[1]) * jax.random.normal(KEY, many[0].shape)
    log_prob = configured_prior(config.prior, 2).log_prob
    truth = float(losses.kl_by_samples(z, *many, log_prob(z)))
    loss = jax.jit(jax.vmap(lambda key: phases["reconstruction"].loss(state.params, {}, NOTHING, hyper, key)))
    drawn = np.asarray(loss(jax.random.split(KEY, 40))[1][1]["kl"])
    assert np.mean(drawn) == pytest.approx(truth, abs=5 * float(np.std(drawn)) / 40**0.5)


# Learning


@pytest.fixture(scope="module")
def digits():
    return jnp.asarray(load_dataset("digits").train_images)


def trained(config, images, epochs):
    """Return networks and weights after some epochs, and the last metrics."""
    networks, phases, _, state = build(config)
    data = TrainData(jnp.asarray(images), jnp.asarray(images[:1]), jnp.zeros(1, jnp.int32))
    steps = epochs * (len(images) // config.batch_size)
    epoch = build_train_epoch(
        phases,
        batch_size=config.batch_size,
        labelled_batch_size=1,
        output="sigmoid",
        schedule=build_schedule(config),
    )
    state, history = fit(state, data, train_epoch=epoch, hyper=traced(config, steps), key=KEY, epochs=epochs)
    return networks, evaluation_variables(state), history


LEARNING = NetworkConfig(hidden=(64,), discriminator_hidden=(64,), latent_dim=2)


@pytest.mark.parametrize(
    "prior",
    [
        PriorConfig(std=3.0),
        pytest.param(PriorConfig(kind="uniform", half_width=4.0), marks=pytest.mark.slow),
        pytest.param(PriorConfig(kind="umbrella"), marks=pytest.mark.slow),
    ],
)
def test_codes_come_to_the_prior(prior, digits):
    config = UnsupervisedConfig(network=LEARNING, views=CLEAN, batch_size=50, prior=prior)
    networks, variables, history = trained(config, digits, 40)
    codes = build_encode(networks, "sigmoid")(*variables, digits[:1000]).mean
    samples = configured_prior(prior, 2)(jax.random.key(9), 1000)
    other = 3.0 * samples + 4.0
    near, far = (float(maximum_mean_discrepancy(codes, each)) for each in (samples, other))
    assert near < 0.05
    assert near < 0.2 * far
    found = moments_beside(np.asarray(codes), np.asarray(samples))
    assert np.abs(found.mean_gap).max() < 0.4
    assert 0.6 < found.std_ratio.min() <= found.std_ratio.max() < 1.4
    assert history[-1]["reconstruction/loss"] < 0.8 * history[0]["reconstruction/loss"]


@pytest.mark.slow
def test_without_an_adversary_codes_go_where_they_like(digits):
    """The control of the test above: the same network and images, and codes far from the prior."""
    config = AutoencoderConfig(network=LEARNING, views=CLEAN, batch_size=50)
    networks, variables, history = trained(config, digits, 40)
    assert set(variables[0]) == {"encoder", "decoder"}
    assert history[-1]["reconstruction/loss"] < 0.8 * history[0]["reconstruction/loss"]
    codes = build_encode(networks, "sigmoid")(*variables, digits[:1000]).mean
    samples = configured_prior(PriorConfig(std=3.0), 2)(jax.random.key(9), 1000)
    assert float(maximum_mean_discrepancy(codes, samples)) > 0.05


def test_the_vae_keeps_its_posteriors_near_the_prior(digits):
    config = AutoencoderConfig(
        model="vae",
        network=dataclasses.replace(LEARNING, posterior="gaussian"),
        views=CLEAN,
        batch_size=50,
        prior=PriorConfig(std=1.0),
        weights=AutoencoderWeights(reconstruction_loss="bernoulli"),
    )
    free = dataclasses.replace(config, weights=dataclasses.replace(config.weights, kl=0.0))
    _, _, kept = trained(config, digits, 10)
    _, _, history = trained(free, digits, 10)
    assert kept[-1]["reconstruction/error"] < kept[0]["reconstruction/error"]
    assert kept[-1]["reconstruction/kl"] < 8
    assert history[-1]["reconstruction/kl"] > 3 * kept[-1]["reconstruction/kl"]


def test_a_users_own_sampler_is_the_prior():
    networks = quick_init(find_model("unsupervised").spec.build_networks(AAE, (8, 8), 0))
    phases = unsupervised.build_phases(networks, AAE, prior=lambda key, n: jnp.full((n, 2), 7.0))
    state = init_state(networks, phases, jax.random.key(0))
    hyper = traced(AAE, 10).replace({"views.noise_std": jnp.asarray(0.0)})
    value, _ = jax.jit(phases["discriminator_z"].loss)(state.params, state.batch_stats, NOTHING, hyper, KEY)
    output, _ = networks.encode(state.params, state.batch_stats, IMAGES, KEY)
    real, fake = (networks.discriminate_z(state.params, z, None) for z in (jnp.full((20, 2), 7.0), output.mean))
    assert float(value) == pytest.approx(float(losses.discriminator_loss(real, fake)), rel=1e-5)


@pytest.mark.parametrize("kind", ["gaussian", "mixture", "umbrella", "swiss_roll", "uniform"])
def test_configured_priors_are_those_of_their_names(kind):
    config = PriorConfig(kind=kind, parts=4, std=2.0, half_width=3.0, radius=5.0, roll_radius=1.5, turns=1.0)
    drawn = configured_prior(config, 2)(KEY, 500)
    expected = {
        "gaussian": lambda: priors.build_gaussian(2, 2.0),
        "mixture": lambda: priors.build_mixture(priors.ring_mixture(4, radius=5.0, std_along=0.5, std_across=0.1)),
        "umbrella": lambda: priors.build_mixture(priors.umbrella_mixture(4)),
        "swiss_roll": lambda: priors.build_swiss_roll(priors.SwissRoll(4, 1.5, 1.0)),
        "uniform": lambda: priors.build_uniform(2, 3.0),
    }[kind]()
    np.testing.assert_array_equal(drawn, expected(KEY, 500))


def test_the_configurations_numbers_are_the_traced_ones():
    config = dataclasses.replace(
        AAE,
        prior=PriorConfig(std=4.0),
        weights=UnsupervisedWeights(reconstruction=2.0, generator_z=3.0),
        optimizers=UnsupervisedOptimizers(
            reconstruction=OptimizerConfig(learning_rate=0.1),
            discriminator=OptimizerConfig(learning_rate=0.2),
            generator=OptimizerConfig(learning_rate=0.3),
        ),
    )
    hyper = traced(config, 7)
    rates = {name: round(float(optimizer.learning_rate), 6) for name, optimizer in hyper.optimizers.items()}
    assert rates == {"reconstruction": 0.1, "discriminator": 0.2, "generator": 0.3}
    weights = hyper.weights.reconstruction, hyper.weights.generator_z
    numbers = (hyper.num_steps, hyper.views.noise_std, hyper.prior.std, *weights)
    assert [round(float(value), 6) for value in numbers] == [7.0, 0.3, 4.0, 2.0, 3.0]
    vae = traced(dataclasses.replace(VAE, prior=PriorConfig(std=4.0)), 7)
    assert (float(vae.prior.std), float(vae.weights.kl), list(vae.optimizers)) == (4.0, 1.0, ["reconstruction"])


@pytest.mark.parametrize("kind", ["gaussian", "mixture"])
def test_the_std_of_a_gaussian_prior_is_traced(kind):
    """A sweep may vary it; a mixture is scaled by 1."""
    config = dataclasses.replace(AAE, prior=PriorConfig(kind=kind, std=2.0))
    _, phases, hyper, state = build(config)
    loss = jax.jit(phases["discriminator_z"].loss)
    first, _ = loss(state.params, state.batch_stats, NOTHING, hyper, KEY)
    other, _ = loss(state.params, state.batch_stats, NOTHING, hyper.replace({"prior.std": jnp.asarray(9.0)}), KEY)
    assert float(hyper.prior.std) == (2.0 if kind == "gaussian" else 1.0)
    assert float(first) != pytest.approx(float(other), rel=1e-4)


def test_a_view_may_be_left_as_it_is():
    config = dataclasses.replace(AAE, views=dataclasses.replace(NOISY, probability=0.25))
    images = jnp.zeros((400, 3, 3))
    view, _ = draw_seen(config, images, traced(config, 10), KEY)
    untouched = jnp.all(view.seen == 0.0, axis=(1, 2))
    assert float(jnp.mean(untouched)) == pytest.approx(0.75, abs=0.12)


@pytest.mark.parametrize("noise_in", ["all", "reconstruction"])
def test_pixels_are_dropped_in_the_phases_that_see_noise(noise_in):
    config = dataclasses.replace(AAE, views=ViewConfig(noise_std=0.0, max_shift=0, dropout=0.25, noise_in=noise_in))
    images, hyper = jnp.ones((400, 3, 3)), traced(config, 10)
    for reconstructed in (True, False):
        view, _ = draw_seen(config, images, hyper, KEY, reconstructed=reconstructed)
        share = 0.25 if reconstructed or noise_in == "all" else 0.0
        assert float(jnp.mean(view.seen == 0.0)) == pytest.approx(share, abs=0.04)
        np.testing.assert_array_equal(view.target, images)


def test_no_two_phases_judge_by_the_same_draw():
    """What a discriminator's noise makes of real samples is not what it makes of the generator's codes."""
    config = dataclasses.replace(AAE, network=dataclasses.replace(AAE.network, discriminator_noise=0.3))
    networks, _, hyper, state = build(config)
    keys = {}

    def judge(name):
        def discriminate(params, codes, key):
            keys[name] = jax.random.key_data(key).tolist()
            return jnp.sum(codes, axis=1)

        return networks._replace(discriminate_z=discriminate)

    for name in ("discriminator_z", "generator"):
        phase = unsupervised.build_phases(judge(name), config)[name]
        phase.loss(state.params, state.batch_stats, NOTHING, hyper, KEY)
    assert keys["discriminator_z"] != keys["generator"]


# What is refused


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prior": PriorConfig(kind="swiss_roll")}, "the swiss roll has 2 dimensions"),
        ({"prior": PriorConfig(kind="mixture")}, "give an even number"),
        ({"prior": PriorConfig(std=0.0)}, "prior.std is 0.0"),
        ({"prior": PriorConfig(parts=0)}, "prior.parts is 0"),
        ({"weights": UnsupervisedWeights(generator_z=-1.0)}, "weights.generator_z is -1.0"),
        ({"batch_size": 1}, "batch_size is 1"),
        ({"joint": True, "views": dataclasses.replace(NOISY, noise_in="reconstruction")}, "read one view here"),
        ({"joint": True, "views": dataclasses.replace(NOISY, style_of="clean")}, "a joint step reads one view"),
        (
            {"joint": True, "optimizers": dataclasses.replace(AAE.optimizers, encoder_share=0.3)},
            "a joint step has one optimizer",
        ),
        (
            {"optimizers": UnsupervisedOptimizers(generator=OptimizerConfig(learning_rate=-1.0))},
            "optimizers.generator.learning_rate is -1.0",
        ),
    ],
)
def test_bad_settings_are_refused(changes, words):
    config = UnsupervisedConfig(network=dataclasses.replace(NETWORK, latent_dim=3), views=NOISY)
    validate_unsupervised(config)
    with pytest.raises(InputError, match=words):
        validate_unsupervised(dataclasses.replace(config, **changes))
    networks = find_model("unsupervised").spec.build_networks(config, (8, 8), 0)
    with pytest.raises(InputError, match=words):
        unsupervised.build_phases(networks, dataclasses.replace(config, **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": NETWORK}, "a VAE has a Gaussian one"),
        ({"prior": PriorConfig(kind="swiss_roll")}, "a VAE takes gaussian, mixture or umbrella"),
        ({"weights": AutoencoderWeights(kl=-1.0)}, "weights.kl is -1.0"),
        ({"views": dataclasses.replace(NOISY, style_of="clean")}, "an autoencoder has no discriminator"),
        ({"model": "autoencoder"}, "nothing keeps the posterior"),
        (
            {
                "weights": AutoencoderWeights(reconstruction_loss="bernoulli"),
                "network": dataclasses.replace(VAE.network, output="tanh"),
            },
            "reconstruction_loss is bernoulli",
        ),
    ],
)
def test_a_vae_that_cannot_be_is_refused(changes, words):
    validate_autoencoder(VAE)
    with pytest.raises(InputError, match=words):
        validate_autoencoder(dataclasses.replace(VAE, **changes))
    networks = find_model("autoencoder").spec.build_networks(VAE, (8, 8), 0)
    with pytest.raises(InputError, match=words):
        autoencoder.build_phases(networks, dataclasses.replace(VAE, **changes))
