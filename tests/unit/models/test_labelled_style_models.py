"""The models in which labels shape the style: what each phase moves and reads, and what labels do."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax import losses, priors
from aae_jax.config import NetworkConfig, OptimizerConfig, PriorConfig, ViewConfig
from aae_jax.data import load_digits
from aae_jax.errors import InputError
from aae_jax.evaluation import build_encode, measure_leakage
from aae_jax.models import find_model
from aae_jax.models.label_regularized import phases as label_regularized
from aae_jax.models.label_regularized.config import LabelRegularizedConfig, validate_label_regularized
from aae_jax.models.shared.adversary import beside_labels
from aae_jax.models.shared.terms import DRAW_PRIOR_Z
from aae_jax.models.supervised import phases as supervised
from aae_jax.models.supervised.config import SupervisedConfig, validate_supervised
from aae_jax.models.unsupervised.config import UnsupervisedOptimizers
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

NETWORK = NetworkConfig(hidden=(16,), discriminator_hidden=(16,), latent_dim=2)
CLEAN = ViewConfig(noise_std=0.0, max_shift=0)
CLASSES = 4
SUPERVISED = SupervisedConfig(network=NETWORK, views=CLEAN)
CONDITIONAL = dataclasses.replace(SUPERVISED, conditional=True)
REGULARIZED = LabelRegularizedConfig(
    network=NETWORK, views=CLEAN, labels=8, prior=PriorConfig(kind="mixture", parts=CLASSES)
)
ALL_LABELLED = dataclasses.replace(REGULARIZED, labels="all")
KEY = jax.random.key(5)
POOL = uniform(1, 20, 8, 8)
IMAGES = uniform(2, 12, 8, 8)
LABELS = jnp.asarray(np.arange(12, dtype=np.int32) % CLASSES)
BATCH = Batch(POOL, IMAGES, LABELS)


def module_of(config):
    return supervised if isinstance(config, SupervisedConfig) else label_regularized


def build(config, classes=CLASSES):
    if isinstance(config, SupervisedConfig):
        networks = find_model("supervised").spec.build_networks(config, (8, 8), classes)
    else:
        networks = find_model("label_regularized").spec.build_networks(config, (8, 8), classes)
    networks = quick_init(networks)
    phases = module_of(config).build_phases(networks, config, num_classes=classes)
    state = init_state(networks, phases, jax.random.key(0))
    return networks, phases, traced(config, 10), state


def value_of(phases, name, state, hyper, batch=BATCH):
    value, (_, metrics) = jax.jit(phases[name].loss)(state.params, state.batch_stats, batch, hyper, KEY)
    return float(value), {metric: float(number) for metric, number in metrics.items()}


MOVED = {
    "reconstruction": {"encoder", "decoder"},
    "discriminator_z": {"discriminator_z"},
    "generator": {"encoder"},
}


@pytest.mark.parametrize(
    "config",
    [
        CONDITIONAL,
        REGULARIZED,
        pytest.param(SUPERVISED, marks=pytest.mark.slow),
        pytest.param(ALL_LABELLED, marks=pytest.mark.slow),
    ],
)
def test_each_phase_moves_its_networks_and_no_others(config):
    _, phases, hyper, state = build(config)
    assert list(phases) == list(MOVED)

    @jax.jit
    def each(state):
        rate = jnp.asarray(0.1)
        return {name: phase_step(name, phase, state, BATCH, hyper, KEY, rate) for name, phase in phases.items()}

    for name, (after, metrics) in each(state).items():
        assert changed(state.params, after.params) == MOVED[name]
        assert np.isfinite(float(metrics[f"{name}/loss"]))
    assert [phase.updates_stats for phase in phases.values()].count(True) == 1


@pytest.mark.parametrize("name", MOVED)
@pytest.mark.parametrize("config", [SUPERVISED, CONDITIONAL])
def test_the_supervised_model_sees_labelled_images_alone(config, name):
    _, phases, hyper, state = build(config)
    other = BATCH._replace(images=1.0 - POOL)
    assert value_of(phases, name, state, hyper) == value_of(phases, name, state, hyper, other)


def test_the_supervised_decoder_gets_the_images_label():
    networks, phases, hyper, state = build(SUPERVISED)
    _, found = value_of(phases, "reconstruction", state, hyper)
    output, _ = networks.encode(state.params, state.batch_stats, IMAGES, None)
    assert output.logits.shape == (12, 0)
    decoded = networks.decode(state.params, state.batch_stats, output.mean, jax.nn.one_hot(LABELS, CLASSES), None)[0]
    pixels = 1 / (1 + np.exp(-np.asarray(decoded, np.float64)))
    by_hand = 0.5 * ((pixels - np.asarray(IMAGES)) ** 2).sum(axis=(1, 2)).mean()
    assert found["error"] == pytest.approx(by_hand, rel=1e-5)
    other = value_of(phases, "reconstruction", state, hyper, BATCH._replace(labels=(LABELS + 1) % CLASSES))
    assert other[1]["error"] != pytest.approx(found["error"], rel=1e-5)


def codes_of(networks, state, images):
    return networks.encode(state.params, state.batch_stats, images, None)[0].mean


def test_the_conditional_adversary_judges_codes_beside_their_labels():
    networks, phases, hyper, state = build(CONDITIONAL)
    value, _ = value_of(phases, "generator", state, hyper)
    judged = np.concatenate([codes_of(networks, state, IMAGES), np.eye(CLASSES)[LABELS]], axis=1)
    by_hand = losses.generator_loss(networks.discriminate_z(state.params, jnp.asarray(judged), None))
    assert value == pytest.approx(float(by_hand), rel=1e-5)


def test_images_without_labels_have_the_extra_class():
    networks, phases, hyper, state = build(REGULARIZED)
    value, _ = value_of(phases, "generator", state, hyper)
    labels = np.concatenate([np.eye(CLASSES + 1)[LABELS], np.eye(CLASSES + 1)[np.full(20, CLASSES)]])
    judged = np.concatenate([codes_of(networks, state, jnp.concatenate([IMAGES, POOL])), labels], axis=1)
    by_hand = losses.generator_loss(networks.discriminate_z(state.params, jnp.asarray(judged), None))
    assert value == pytest.approx(float(by_hand), rel=1e-5)


def test_with_all_labels_the_adversary_sees_no_others():
    _, phases, hyper, state = build(ALL_LABELLED)
    other = BATCH._replace(images=1.0 - POOL)
    for name in ("discriminator_z", "generator"):
        assert value_of(phases, name, state, hyper) == value_of(phases, name, state, hyper, other)
    assert value_of(phases, "reconstruction", state, hyper) != value_of(phases, "reconstruction", state, hyper, other)


def test_real_samples_are_from_the_labels_own_part(monkeypatch):
    """What the adversary is shown beside each label: its component's samples; of the whole prior beside the extra."""
    networks, _, hyper, state = build(REGULARIZED)
    seen = {}

    def judge(params, codes, key):
        seen["codes"] = codes
        return jnp.zeros(len(codes))

    phases = label_regularized.build_phases(networks._replace(discriminate_z=judge), REGULARIZED, num_classes=CLASSES)
    many = Batch(*(jnp.asarray(np.repeat(part, 20, axis=0)) for part in (POOL, IMAGES, LABELS)))

    @jax.jit
    def shown(key):
        phases["discriminator_z"].loss(state.params, state.batch_stats, many, hyper, key)
        return seen["codes"]

    real = np.asarray(shown(KEY)[: 240 + 400])
    found = np.asarray(configured_prior(REGULARIZED.prior, 2).part_of(jnp.asarray(real[:, :2])))
    assert np.mean(found[:240] == np.asarray(many.labels)) > 0.97  # components overlap a little
    np.testing.assert_array_equal(real[:240, 2:].argmax(axis=1), many.labels)
    np.testing.assert_array_equal(real[240:, 2:].argmax(axis=1), CLASSES)
    assert np.bincount(found[240:], minlength=CLASSES).min() > 60


def test_a_label_below_0_is_the_extra_class():
    made = beside_labels(jnp.zeros((3, 2)), jnp.asarray([0, priors.UNLABELLED, 2]), 4)
    np.testing.assert_array_equal(made[:, 2:], np.eye(4)[[0, 3, 2]])


@pytest.mark.parametrize("kind", ["mixture", "umbrella", "swiss_roll"])
def test_codes_drawn_from_a_part_lie_in_it(kind):
    config = PriorConfig(kind=kind)
    labels = jnp.arange(1000, dtype=jnp.int32) % 10
    prior = configured_prior(config, 2)
    codes = prior.sample_parts(KEY, labels)
    assert float(jnp.mean(prior.part_of(codes) == labels)) > 0.9
    assert int(prior.part_of(jnp.full((1, 2), jnp.nan))[0]) == priors.NO_PART


# Learning


def train(config, images, labels, epochs, classes=10):
    networks, phases, _, state = build(config, classes)
    data = TrainData(jnp.asarray(images), jnp.asarray(images), jnp.asarray(labels, jnp.int32))
    steps = epochs * (len(images) // 50)
    epoch = build_train_epoch(
        phases, batch_size=50, labelled_batch_size=50, output="sigmoid", schedule=build_schedule(config)
    )
    state, _ = fit(state, data, train_epoch=epoch, hyper=traced(config, steps), key=KEY, epochs=epochs)
    variables, encode = evaluation_variables(state), build_encode(networks, "sigmoid")
    return lambda images: encode(*variables, jnp.asarray(images))


ADVERSARY = OptimizerConfig(learning_rate=3e-3, momentum=0.5)
QUICK_ADVERSARIES = UnsupervisedOptimizers(discriminator=ADVERSARY, generator=ADVERSARY)
WIDE = dataclasses.replace(NETWORK, hidden=(128,), discriminator_hidden=(64,))


@pytest.mark.slow
def test_classes_come_to_their_parts_and_shuffled_labels_to_chance():
    digits = load_digits()
    config = dataclasses.replace(
        ALL_LABELLED, network=WIDE, prior=PriorConfig(kind="mixture"), optimizers=QUICK_ADVERSARIES
    )

    def purity(labels):
        encode = train(config, digits.train_images, labels, 50)
        found = configured_prior(config.prior, 2).part_of(encode(digits.test_images).mean)
        return float(np.mean(np.asarray(found) == digits.test_labels))

    assert purity(digits.train_labels) > 0.7
    shuffled = np.random.default_rng(0).permutation(digits.train_labels)
    assert purity(shuffled) < 0.25


@pytest.mark.slow
def test_the_conditional_adversary_takes_the_label_out_of_the_style():
    digits = load_digits()
    found = {}
    for conditional in (False, True):
        config = dataclasses.replace(
            SUPERVISED,
            network=dataclasses.replace(WIDE, latent_dim=4),
            conditional=conditional,
            optimizers=QUICK_ADVERSARIES,
        )
        encode = train(config, digits.train_images, digits.train_labels, 30)
        fitted, scored = (np.asarray(encode(each).mean) for each in (digits.train_images, digits.test_images))
        found[conditional] = measure_leakage((fitted, digits.train_labels), (scored, digits.test_labels))
    assert found[True].logistic_regression < 0.65
    assert found[True].logistic_regression < found[False].logistic_regression


def test_leakage_is_all_of_codes_that_are_labels_and_nothing_of_noise():
    labels = np.arange(600) % 3
    telling = np.eye(3)[labels] + 0.01 * np.random.default_rng(0).normal(size=(600, 3))
    noise = np.random.default_rng(1).normal(size=(600, 3))
    all_of_it = measure_leakage((telling[:300], labels[:300]), (telling[300:], labels[300:]))
    assert all_of_it.logistic_regression == all_of_it.perceptron == 1.0
    nothing = measure_leakage((noise[:300], labels[:300]), (noise[300:], labels[300:]))
    assert nothing.chance == pytest.approx(1 / 3)
    assert max(nothing.logistic_regression, nothing.perceptron) < 0.45


def test_a_ring_of_classes_is_found_by_the_perceptron_alone():
    """Two classes, one around the other: no straight line parts them."""
    draw = np.random.default_rng(0)
    labels = np.arange(1200) % 2
    angles = draw.uniform(0, 2 * np.pi, 1200)
    codes = (1 + 2 * labels)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = measure_leakage((codes[:1000], labels[:1000]), (codes[1000:], labels[1000:]))
    assert found.logistic_regression < 0.65
    assert found.perceptron > 0.95


@pytest.mark.parametrize(
    ("codes", "labels", "words"),
    [
        (np.zeros((0, 2)), np.zeros(0, int), "none, not all finite"),
        (np.full((4, 2), np.nan), np.arange(4), "none, not all finite"),
        (np.zeros((4, 2)), np.zeros(4, int), "one class alone"),
    ],
)
def test_leakage_that_cannot_be_measured_is_refused(codes, labels, words):
    with pytest.raises(InputError, match=words):
        measure_leakage((codes, labels), (np.zeros((4, 2)), np.arange(4)))


# What is refused


def test_bad_settings_are_refused():
    with pytest.raises(InputError, match=r"prior\.kind is gaussian, which has no part for each class"):
        validate_label_regularized(dataclasses.replace(REGULARIZED, prior=PriorConfig()))
    weights = dataclasses.replace(SUPERVISED.weights, generator_z=-1.0)
    with pytest.raises(InputError, match=r"weights\.generator_z is -1"):
        validate_supervised(dataclasses.replace(SUPERVISED, weights=weights))
    with pytest.raises(InputError, match="read one view here"):
        validate_supervised(
            dataclasses.replace(
                SUPERVISED,
                views=ViewConfig(noise_std=0.3, max_shift=0, noise_in="reconstruction"),
                update_order="simultaneous",
            )
        )
    with pytest.raises(InputError, match=r"prior\.parts is 4, but the labels have 7 classes"):
        find_model("label_regularized").spec.build_networks(REGULARIZED, (8, 8), 7)
    networks = find_model("label_regularized").spec.build_networks(REGULARIZED, (8, 8), CLASSES)
    with pytest.raises(InputError, match=r"prior\.parts is 4, but the labels have 7 classes"):
        label_regularized.build_phases(networks, REGULARIZED, num_classes=7)


@pytest.mark.parametrize("count", [10, 40])
def test_leakage_of_few_codes_can_be_measured(count):
    codes, labels = np.random.default_rng(0).normal(size=(count, 2)), np.arange(count) % 10
    found = measure_leakage((codes, labels), (codes, labels))
    assert 0.1 <= found.logistic_regression <= 1.0


@pytest.mark.parametrize("config", [SUPERVISED, CONDITIONAL, REGULARIZED])
def test_the_discrepancy_of_styles_is_a_term_of_the_generator(config):
    """With the samples that the discriminator sees, and within classes where it sees labels."""
    weights = dataclasses.replace(config.weights, style_mmd=2.0)
    networks, phases, hyper, state = build(dataclasses.replace(config, weights=weights))
    without, _ = value_of(build(config)[1], "generator", state, hyper)
    value, found = value_of(phases, "generator", state, hyper)
    assert value == pytest.approx(without + 2.0 * found["style_mmd"], rel=1e-4)
    if config is REGULARIZED:
        return
    key_prior = jax.random.fold_in(KEY, DRAW_PRIOR_Z)
    samples = configured_prior(config.prior, 2).unit(key_prior, len(LABELS))
    labels = jax.nn.one_hot(LABELS, CLASSES) if config.conditional else None
    by_hand = losses.style_mmd(codes_of(networks, state, IMAGES), samples, labels)
    assert found["style_mmd"] == pytest.approx(float(by_hand), rel=1e-3, abs=1e-5)
