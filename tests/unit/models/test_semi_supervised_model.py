"""The semi-supervised model: it learns, from the labels it may see and no others, and shares its work."""

import dataclasses
import functools
import math
import re
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.config import AveragingConfig, NetworkConfig, OptimizerConfig, PriorConfig, ViewConfig
from aae_jax.config.traced import marks_of
from aae_jax.data import build_dataset, load_dataset, split_indices, training_arrays
from aae_jax.evaluation import evaluate
from aae_jax.models.semi_supervised import phases as semi_supervised
from aae_jax.models.semi_supervised.config import OptimizersConfig, SemiSupervisedConfig, WeightsConfig
from aae_jax.models.shared.terms import reconstruction_error
from aae_jax.networks import EncoderOutput, build_mlp_networks
from aae_jax.train.epoch import build_train_epoch, to_device
from aae_jax.train.fit import compile_epoch, fit
from aae_jax.train.hyper import traced
from aae_jax.train.optimizers import build_schedule, cosine_schedule
from aae_jax.train.phases import build_train_step, constant_schedule, init_state, phase_step
from aae_jax.train.state import evaluation_variables
from aae_jax.types import Batch
from tests.conftest import changed, quick_init, uniform

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(21)
EPOCHS, BATCH = 20, 50
LEARNER = SemiSupervisedConfig(
    batch_size=BATCH,
    network=NetworkConfig(hidden=(64, 64), discriminator_hidden=(32,), latent_dim=5, batch_norm=True),
)
DESCENT = OptimizerConfig(kind="sgd", learning_rate=0.05, momentum=0.0)
TINY = SemiSupervisedConfig(
    network=NetworkConfig(hidden=(16, 16), discriminator_hidden=(16,), latent_dim=3, batch_norm=True),
    optimizers=OptimizersConfig(
        reconstruction=DESCENT, discriminator=DESCENT, generator=DESCENT, classification=DESCENT
    ),
    views=ViewConfig(noise_std=0.3, max_shift=0),
    weights=WeightsConfig(
        consistency=1.0,
        confidence=0.2,
        adversarial_norm=1.0,
        consistency_warmup=0.5,
        propagation=1.0,
        propagation_fade=1.0,
    ),
    averaging=AveragingConfig(decay=0.9),
)
BATCH_OF_NOISE = Batch(
    uniform(1, 20, 8, 8),
    uniform(2, 10, 8, 8),
    jnp.asarray(np.arange(10)),
    jnp.asarray(np.eye(10, dtype=np.float32)[np.arange(20) % 10]),
)


def build(config, *, baseline=False):
    networks = quick_init(build_mlp_networks(config.network, (8, 8), 10, conditional=config.conditional))
    if baseline:
        phases = semi_supervised.build_baseline_phases(networks, config)
    else:
        phases = semi_supervised.build_phases(networks, config, num_classes=10)
    averaging = config.averaging.decay > 0
    return networks, phases, init_state(networks, phases, jax.random.key(0), averaging=averaging)


def replace(config, **parts):
    """Replace fields of a configuration's parts, e.g. `weights={"consistency": 0.0}`."""
    new = {name: dataclasses.replace(getattr(config, name), **fields) for name, fields in parts.items()}
    return dataclasses.replace(config, **new)


# Learning, and from which labels


@pytest.fixture(scope="module")
def digits():
    """Train on 100 labelled digits, and keep what trains for other labels."""
    dataset = load_dataset("digits")
    splits = split_indices(dataset.train_labels, num_classes=10, num_labels=100, label_seed=0)
    data = to_device(training_arrays(dataset, splits))
    networks, phases, start = build(LEARNER)
    hyper = traced(LEARNER, EPOCHS * (len(data.pool) // BATCH))
    schedule = build_schedule(LEARNER)
    epoch = build_train_epoch(phases, batch_size=BATCH, labelled_batch_size=100, output="sigmoid", schedule=schedule)
    compiled, _ = compile_epoch(epoch, start, data, hyper, KEY)

    def train(data):
        copied = jax.tree.map(jnp.copy, start)
        return fit(copied, data, train_epoch=compiled, hyper=hyper, key=KEY, epochs=EPOCHS)

    def error(state, images, labels):
        return evaluate(networks, *evaluation_variables(state), images, labels, output="sigmoid")["error"]

    state, history = train(data)
    return SimpleNamespace(
        dataset=dataset, splits=splits, data=data, train=train, error=error, state=state, history=history
    )


def test_it_learns_digits_from_a_hundred_labels(digits):
    error = digits.error(digits.state, digits.dataset.test_images, digits.dataset.test_labels)
    assert error < 0.15
    first, last = digits.history[0], digits.history[-1]
    assert last["reconstruction/loss"] < 0.5 * first["reconstruction/loss"]
    assert last["classification/error"] < 0.15
    assert all(np.isfinite(value) for value in last.values())


def test_labels_outside_the_labelled_set_leave_no_trace(digits):
    dataset, labelled = digits.dataset, digits.splits.labelled
    others = np.setdiff1d(np.arange(len(dataset.train_labels)), labelled)
    labels = dataset.train_labels.copy()
    labels[others] = np.random.default_rng(0).permutation(labels[others])
    assert np.mean(labels[others] != dataset.train_labels[others]) > 0.5
    other = build_dataset(
        name="shuffled",
        source="digits",
        train_images=dataset.train_images,
        train_labels=labels,
        test_images=dataset.test_images,
        test_labels=dataset.test_labels,
        num_classes=10,
    )
    state, _ = digits.train(to_device(training_arrays(other, digits.splits)))
    assert changed(digits.state.params, state.params) == set()
    assert changed(digits.state.batch_stats, state.batch_stats) == set()


@pytest.mark.slow
def test_shuffled_labels_teach_nothing(digits):
    shuffled = digits.data._replace(labels=jax.random.permutation(jax.random.key(3), digits.data.labels))
    assert jnp.mean(shuffled.labels != digits.data.labels) > 0.5
    state, _ = digits.train(shuffled)
    arrays = training_arrays(digits.dataset, digits.splits)
    assert digits.error(state, arrays.validation_images, arrays.validation_labels) > 0.7
    assert changed(digits.state.params, state.params) >= {"encoder", "decoder"}


# The numbers of a sweep


EVERY_TERM = replace(
    TINY,
    views={"brightness": 0.1, "contrast": 0.1, "saturation": 0.1},
    weights={"style_mmd": 1.0, "generated_label": 1.0},
)


@pytest.fixture(scope="module")
def tiny():
    """A step of the tiny model with its numbers as an argument, compiled once, and where it starts."""
    _, phases, state = build(EVERY_TERM)
    traces = []

    @jax.jit
    def step(hyper):
        traces.append(hyper)
        return build_train_step(phases, hyper, cosine_schedule)(later, BATCH_OF_NOISE, KEY)

    later = state._replace(step=jnp.asarray(3, jnp.int32))
    return SimpleNamespace(step=step, traces=traces, hyper=traced(EVERY_TERM, 10))


ALL = {"encoder", "decoder", "discriminator_z", "discriminator_y"}
FELT_BY = {
    "num_steps": ALL,
    **{f"views.{name}": ALL for name in ("noise_std", "brightness", "contrast")},
    "views.saturation": set(),  # the images are grey
    "prior.std": {"encoder", "decoder", "discriminator_z"},
    "weights.reconstruction": ALL,
    **{f"weights.{name}": {"encoder"} for name in ("generator_z", "generator_y", "consistency", "sharpness")},
    **{f"weights.{name}": {"encoder"} for name in ("consistency_warmup", "confidence", "adversarial_norm")},
    **{f"weights.{name}": {"encoder"} for name in ("propagation", "propagation_fade", "style_mmd")},
    "weights.generated_label": {"decoder"},
    "optimizers.reconstruction.learning_rate": ALL,
    "optimizers.discriminator.learning_rate": {"encoder", "discriminator_z", "discriminator_y"},
    "optimizers.generator.learning_rate": {"encoder"},
    "optimizers.classification.learning_rate": {"encoder"},
    "averaging.decay": set(),
}
"""Networks whose weights after one update depend on each traced number."""


@pytest.mark.parametrize("name", FELT_BY)
def test_a_new_number_is_felt_where_it_should_be_and_does_not_retrace(name, tiny):
    before, _ = tiny.step(tiny.hyper)
    after, _ = tiny.step(tiny.hyper.replace({name: number_of(tiny.hyper, name) * 0.1}))
    assert changed(before.params, after.params) == FELT_BY[name]
    assert changed(before.averaged_params, after.averaged_params) == (
        {"encoder", "decoder"} if name == "averaging.decay" else FELT_BY[name] & {"encoder", "decoder"}
    )
    assert len(tiny.traces) == 1


def number_of(hyper, name):
    for part in name.split("."):
        hyper = hyper[part]
    return hyper


@pytest.mark.parametrize("phase", ["reconstruction", "discriminator", "generator", "classification"])
def test_each_optimizer_has_its_own_rate(phase, tiny):
    rates = [name for name in FELT_BY if name.startswith("optimizers")]
    still = tiny.hyper.replace(dict.fromkeys(rates, jnp.zeros(())))
    nothing, _ = tiny.step(still)
    one, _ = tiny.step(still.replace({f"optimizers.{phase}.learning_rate": jnp.float32(0.05)}))
    alone = {"reconstruction": {"encoder", "decoder"}, "discriminator": {"discriminator_z", "discriminator_y"}}
    assert changed(nothing.params, one.params) == alone.get(phase, {"encoder"})
    assert len(tiny.traces) == 1


def test_all_numbers_are_covered_above():
    assert {*FELT_BY, "labels"} == {*marks_of(SemiSupervisedConfig), "num_steps"}


def test_a_view_moved_against_its_prediction_is_less_consistent(tiny):
    values = []
    for norm in (0.0, 0.05, 0.2):
        _, metrics = tiny.step(tiny.hyper.replace({"weights.adversarial_norm": jnp.float32(norm)}))
        values.append(float(metrics["generator/consistency"]))
    assert values[0] < values[1] < values[2]


def test_the_configurations_numbers_are_the_traced_ones():
    hyper = traced(
        SemiSupervisedConfig(
            optimizers=OptimizersConfig(
                reconstruction=OptimizerConfig(learning_rate=1.0),
                discriminator=OptimizerConfig(learning_rate=2.0),
                generator=OptimizerConfig(learning_rate=3.0),
                classification=OptimizerConfig(learning_rate=4.0),
            ),
            views=ViewConfig(noise_std=5.0, brightness=0.1, contrast=0.2, saturation=0.3),
            weights=WeightsConfig(
                reconstruction=6.0,
                generator_z=7.0,
                generator_y=8.0,
                consistency=9.0,
                consistency_warmup=0.25,
                sharpness=10.0,
                confidence=0.75,
                adversarial_norm=11.0,
                propagation=13.0,
                propagation_fade=0.2,
                style_mmd=14.0,
                generated_label=15.0,
            ),
            prior=PriorConfig(std=12.0),
            averaging=AveragingConfig(decay=0.5),
        ),
        100,
    )
    assert jax.tree.map(lambda number: round(float(number), 6), hyper) == {
        "num_steps": 100.0,
        "views": {"noise_std": 5.0, "brightness": 0.1, "contrast": 0.2, "saturation": 0.3},
        "averaging": {"decay": 0.5},
        "prior": {"std": 12.0},
        "optimizers": {
            "reconstruction": {"learning_rate": 1.0},
            "discriminator": {"learning_rate": 2.0},
            "generator": {"learning_rate": 3.0},
            "classification": {"learning_rate": 4.0},
        },
        "weights": {
            "reconstruction": 6.0,
            "generator_z": 7.0,
            "generator_y": 8.0,
            "consistency": 9.0,
            "consistency_warmup": 25.0,
            "sharpness": 10.0,
            "confidence": 0.75,
            "adversarial_norm": 11.0,
            "propagation": 13.0,
            "propagation_fade": 20.0,
            "style_mmd": 14.0,
            "generated_label": 15.0,
        },
    }
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(hyper))


# The table


def metric_names(config):
    _, phases, state = build(config)
    step = build_train_step(phases, traced(config, 10))
    return set(jax.eval_shape(step, state, BATCH_OF_NOISE, KEY)[1])


@pytest.mark.parametrize("term", ["consistency", "propagation", "style_mmd", "generated_label"])
def test_a_term_of_weight_zero_is_left_out_of_the_program(term):
    phase = "reconstruction" if term == "generated_label" else "generator"
    fewer = metric_names(replace(EVERY_TERM, weights={term: 0.0}))
    assert metric_names(EVERY_TERM) - fewer == {f"{phase}/{term}"}
    assert metric_names(replace(TINY, weights={"consistency": 0.0, "propagation": 0.0})) == {
        *(f"{name}/loss" for name in semi_supervised.PHASES),
        "reconstruction/error",
        "discriminator_z/accuracy",
        "discriminator_y/accuracy",
        "generator/z",
        "generator/y",
        "classification/error",
    }


@pytest.mark.parametrize("output", ["sigmoid", "linear", "tanh"])
@pytest.mark.parametrize("loss", ["half_squared_error", "bernoulli"])
def test_reconstruction_errors_by_hand(output, loss):
    decoded = np.array([[[0.5, -1.0]], [[2.0, 0.0]]])
    target = np.array([[[1.0, 0.0]], [[0.25, 1.0]]])
    seen = {"sigmoid": 1 / (1 + np.exp(-decoded)), "linear": decoded, "tanh": np.tanh(decoded)}[output]
    p = 1 / (1 + np.exp(-decoded))
    expected = {
        "half_squared_error": 0.5 * np.sum((seen - target) ** 2) / 2,
        "bernoulli": -np.sum(target * np.log(p) + (1 - target) * np.log(1 - p)) / 2,
    }[loss]
    actual = reconstruction_error(jnp.array(decoded), jnp.array(target), loss, output)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize(("name", "schedule"), [("cosine", cosine_schedule), ("constant", constant_schedule)])
def test_the_schedule_is_the_configured_one(name, schedule):
    assert build_schedule(replace(TINY, optimizers={"schedule": name})) is schedule


def test_a_softmax_taken_twice_cannot_be_sure():
    """Logits between 0 and 1: the loss of a right and certain answer stays far above 0."""
    sure = EncoderOutput(jnp.zeros((10, 2)), 50.0 * jax.nn.one_hot(BATCH_OF_NOISE.labels, 10), None)
    found = []
    for twice in (False, True):
        networks = build(TINY)[0]._replace(encode=lambda params, stats, images, key, **_: (sure, stats))
        config = replace(TINY, weights={"softmax_twice": twice})
        phase = semi_supervised.build_phases(networks, config, num_classes=10)["classification"]
        found.append(float(phase.loss({}, {}, BATCH_OF_NOISE, traced(config, 10), KEY)[0]))
    assert found == pytest.approx([0.0, math.log(math.e + 9) - 1], abs=1e-5)


def test_the_baseline_trains_the_encoder_alone_on_labelled_images_alone():
    config = replace(TINY, weights={"consistency": 0.0})
    _, phases, state = build(config, baseline=True)
    assert list(phases) == ["classification"]
    hyper = traced(config, 10)
    step = jax.jit(functools.partial(phase_step, "classification", phases["classification"]))
    after, _ = step(state, BATCH_OF_NOISE, hyper, KEY, jnp.array(0.1))
    assert changed(state.params, after.params) == {"encoder"}
    assert changed(state.batch_stats, after.batch_stats) == {"encoder"}
    other = BATCH_OF_NOISE._replace(images=1.0 - BATCH_OF_NOISE.images)
    same, _ = step(state, other, hyper, KEY, jnp.array(0.1))
    assert changed(after.params, same.params) == set()


@pytest.mark.slow
def test_a_step_is_the_same_alone_and_side_by_side():
    config = replace(TINY, network={"posterior": "gaussian", "precision": "bfloat16"}, weights={"consistency": 0.0})
    networks, phases, _ = build(config)
    phases = {name: phases[name] for name in ("reconstruction", "discriminator_z", "generator")}
    keys = jax.random.split(KEY, 2)
    states = [init_state(networks, phases, key) for key in keys]
    step = build_train_step(phases, traced(config, 10))
    together = jax.jit(jax.vmap(step, in_axes=(0, None, 0)))(
        jax.tree.map(lambda *leaves: jnp.stack(leaves), *states), BATCH_OF_NOISE, keys
    )
    alone = jax.jit(step)
    for i, state in enumerate(states):
        mine = jax.tree.leaves(jax.tree.map(lambda x, i=i: x[i], together))
        for left, right in zip(mine, jax.tree.leaves(alone(state, BATCH_OF_NOISE, keys[i])), strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-2, atol=1e-3)  # sums in another order may round otherwise


# What the phases share


ROWS = 96


def trunk_products(config, names):
    """Count the matrix products of the compiled step that have the shape of the trunk's: [batch, hidden]."""
    _, phases, state = build(config)
    chosen = {name: phases[name] for name in names}
    batch = BATCH_OF_NOISE._replace(images=jnp.zeros((ROWS, 8, 8)))
    step = jax.jit(build_train_step(chosen, traced(config, 10)))
    text = step.lower(state, batch, KEY).compile().as_text()
    return len(re.findall(rf"= f32\[{ROWS},64\]\S* dot\(", text))


@pytest.mark.parametrize(("batch_norm", "repeated"), [pytest.param(False, 0, marks=pytest.mark.slow), (True, 1)])
def test_the_three_adversarial_phases_share_one_pass_through_the_encoder(batch_norm, repeated):
    """Two trunk passes fewer than apart. Flax's batch norm keeps XLA from sharing the generator's last layer."""
    config = replace(LEARNER, network={"batch_norm": batch_norm})
    forward, backward = 2, 3  # into the features from both heads, and through the second layer
    assert trunk_products(config, ["generator"]) == forward + backward
    together = trunk_products(config, ["discriminator_z", "discriminator_y", "generator"])
    assert together <= forward + backward + repeated


def test_encoder_and_decoder_drop_different_units(monkeypatch):
    masks, bernoulli = [], jax.random.bernoulli

    def recorded(*arguments, **named):
        masks.append(bernoulli(*arguments, **named))
        return masks[-1]

    monkeypatch.setattr(jax.random, "bernoulli", recorded)
    chosen = SemiSupervisedConfig(network=NetworkConfig(hidden=(16, 16), dropout=0.5))
    networks = quick_init(build_mlp_networks(chosen.network, (8, 8), 10, conditional=chosen.conditional))
    params, stats = networks.init(jax.random.key(0))
    batch = Batch(jnp.ones((4, 8, 8)), jnp.ones((4, 8, 8)), jnp.zeros(4, int))
    phase = semi_supervised.build_phases(networks, chosen, num_classes=10)["reconstruction"]
    hyper = traced(chosen, 10)

    @jax.jit
    def drawn(key):
        phase.loss(params, stats, batch, hyper, key)
        return tuple(masks)

    found = drawn(jax.random.key(3))
    assert len(found) == 4
    assert not np.array_equal(found[0], found[2])


def test_the_earlier_name_of_the_prior_still_means_a_scaled_sampler():
    config = replace(TINY, prior={"std": 2.0})
    networks, phases, state = build(config)

    def loss(phases):
        phase = phases["discriminator_z"]
        hyper = traced(config, 10)
        return float(phase.loss(state.params, state.batch_stats, BATCH_OF_NOISE, hyper, KEY)[0])

    def normal(key, count):
        return np.asarray(jax.random.normal(key, (count, 3)), np.float64)

    with pytest.warns(DeprecationWarning, match="prior_z is now prior"):
        earlier = semi_supervised.build_phases(networks, config, num_classes=10, prior_z=normal)
    current = semi_supervised.build_phases(networks, config, num_classes=10, prior=normal)
    assert loss(earlier) == loss(phases)
    assert loss(current) != loss(phases)
