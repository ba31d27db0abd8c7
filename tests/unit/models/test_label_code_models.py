"""Clusters and heads: which phases there are, what each moves and costs, and that clusters are found."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from aae_jax import losses, priors
from aae_jax.config import NetworkConfig, ViewConfig
from aae_jax.data import load_digits
from aae_jax.errors import InputError
from aae_jax.evaluation import build_encode, report_clusters
from aae_jax.evaluation.heads import circle_projection
from aae_jax.models import find_model
from aae_jax.models.clustering import phases as clustering
from aae_jax.models.clustering.config import ClusteringConfig, ClusteringWeights, validate_clustering
from aae_jax.models.dim_reduction import phases as dim_reduction
from aae_jax.models.dim_reduction.config import DimReductionConfig, DimReductionWeights, validate_dim_reduction
from aae_jax.models.shared.clusters import within_majority
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
CLUSTERS, CLASSES = 6, 4
PLAIN = ClusteringConfig(network=NETWORK, views=CLEAN, num_clusters=CLUSTERS)
EVERYTHING = dataclasses.replace(
    PLAIN,
    weights=ClusteringWeights(cyclic=1.0, mode=1.0, mode_separation=1.0, style_penalty=0.5, consistency=1.0),
)
HEADS = DimReductionConfig(network=NETWORK, views=CLEAN)
UNTAUGHT = dataclasses.replace(HEADS, num_clusters=CLUSTERS)
KEY = jax.random.key(5)
POOL = uniform(1, 20, 8, 8)
BATCH = Batch(POOL, POOL[:8], jnp.arange(8, dtype=jnp.int32) % CLASSES)


def build(config):
    if isinstance(config, ClusteringConfig):
        networks = quick_init(find_model("clustering").spec.build_networks(config, (8, 8), 0))
        phases, hyper = clustering.build_phases(networks, config), traced(config, 10)
    else:
        networks = quick_init(find_model("dim_reduction").spec.build_networks(config, (8, 8), CLASSES))
        phases = dim_reduction.build_phases(networks, config, num_classes=CLASSES)
        hyper = traced(config, 10)
    return networks, phases, hyper, init_state(networks, phases, jax.random.key(0))


def value_of(phases, name, state, hyper, batch=BATCH):
    value, (_, metrics) = jax.jit(phases[name].loss)(state.params, state.batch_stats, batch, hyper, KEY)
    return float(value), {metric: float(number) for metric, number in metrics.items()}


MOVED = {
    "reconstruction": {"encoder", "decoder"},
    "cyclic": {"encoder", "decoder"},
    "mode": {"encoder", "mode_decoder"},
    "mode_separation": {"decoder"},
    "head_distance": {"heads"},
    "discriminator_z": {"discriminator_z"},
    "discriminator_y": {"discriminator_y"},
    "generator": {"encoder"},
    "classification": {"encoder"},
}
ADVERSARIAL = ["discriminator_z", "discriminator_y", "generator"]


WITHOUT_DISTANCE = dataclasses.replace(UNTAUGHT, weights=DimReductionWeights(head_distance=0.0))


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (PLAIN, ["reconstruction", *ADVERSARIAL]),
        (EVERYTHING, ["reconstruction", "cyclic", "mode", "mode_separation", *ADVERSARIAL]),
        (HEADS, ["reconstruction", "head_distance", *ADVERSARIAL, "classification"]),
        (UNTAUGHT, ["reconstruction", "head_distance", *ADVERSARIAL]),
        (WITHOUT_DISTANCE, ["reconstruction", *ADVERSARIAL]),
    ],
)
def test_phases_are_those_of_the_configuration(config, names):
    _, phases, hyper, _ = build(config)
    assert list(phases) == names
    assert {phase.rate or name for name, phase in phases.items()} <= set(hyper.optimizers)
    assert [phase.updates_stats for phase in phases.values()].count(True) == 1


@pytest.mark.parametrize(
    "config",
    [
        EVERYTHING,
        HEADS,
        *(pytest.param(config, marks=pytest.mark.slow) for config in (PLAIN, UNTAUGHT, WITHOUT_DISTANCE)),
    ],
)
def test_each_phase_moves_its_networks_and_no_others(config):
    _, phases, hyper, state = build(config)

    @jax.jit
    def each(state):
        rate = jnp.asarray(0.1)
        return {name: phase_step(name, phase, state, BATCH, hyper, KEY, rate) for name, phase in phases.items()}

    for name, (after, metrics) in each(state).items():
        expected = MOVED[name] | ({"heads"} if name == "reconstruction" and "heads" in state.params else set())
        assert changed(state.params, after.params) == expected
        assert np.isfinite(float(metrics[f"{name}/loss"]))


def encoded(networks, state, images=POOL):
    output, _ = networks.encode(state.params, state.batch_stats, images, None)
    return output.mean, jax.nn.softmax(output.logits), output.logits


def test_the_cyclic_phase_compares_codes_of_reconstructions_with_those_they_are_of():
    networks, phases, hyper, state = build(EVERYTHING)
    hyper = hyper.replace({"weights.cyclic": jnp.asarray(2.0), "weights.cyclic_style": jnp.asarray(0.1)})
    value, found = value_of(phases, "cyclic", state, hyper)
    style, label, _ = encoded(networks, state)
    image = jax.nn.sigmoid(networks.decode(state.params, state.batch_stats, style, label, None)[0])
    style_again, _, logits_again = encoded(networks, state, image)
    of_label = float(losses.cyclic_label_loss(logits_again, label))
    of_style = float(np.mean((np.asarray(style_again) - np.asarray(style)) ** 2))
    assert found["label"] == pytest.approx(of_label, rel=1e-4)
    assert found["style"] == pytest.approx(of_style, rel=1e-4)
    assert value == pytest.approx(2.0 * (of_label + 0.1 * of_style), rel=1e-4)


def test_the_mode_phase_rebuilds_images_from_the_label_alone():
    networks, phases, hyper, state = build(EVERYTHING)
    _, found = value_of(phases, "mode", state, hyper)
    _, label, _ = encoded(networks, state)
    made = 1 / (1 + np.exp(-np.asarray(networks.decode_mode(state.params, label, None), np.float64)))
    by_hand = 0.5 * ((made - np.asarray(POOL)) ** 2).sum(axis=(1, 2)).mean()
    assert found["error"] == pytest.approx(by_hand, rel=1e-5)


def test_modes_are_parted_at_styles_of_zeros():
    networks, phases, hyper, state = build(EVERYTHING)
    value, _ = value_of(phases, "mode_separation", state, hyper)
    modes = networks.decode(state.params, state.batch_stats, jnp.zeros((CLUSTERS, 2)), jnp.eye(CLUSTERS), None)[0]
    assert value == pytest.approx(float(losses.pairwise_mode_loss(modes)), rel=1e-5)


@pytest.fixture(scope="module")
def kept_apart():
    """The generator's loss by the traced numbers, compiled once, and these numbers."""
    config = dataclasses.replace(PLAIN, weights=ClusteringWeights(certainty=1.0, balance=1.0, balance_slack=0.01))
    _, phases, hyper, state = build(config)
    loss = jax.jit(phases["generator"].loss)

    def value(hyper):
        found, (_, metrics) = loss(state.params, state.batch_stats, BATCH, hyper, KEY)
        return float(found), metrics

    return value, hyper


@pytest.mark.parametrize(("name", "other"), [("certainty", 2.0), ("balance", 2.0), ("balance_slack", 0.5)])
def test_what_keeps_clusters_apart_is_felt_by_the_generator(name, other, kept_apart):
    value, hyper = kept_apart
    first, metrics = value(hyper)
    second, _ = value(hyper.replace({f"weights.{name}": jnp.asarray(other)}))
    assert {"certainty", "balance"} <= set(metrics)
    assert second != pytest.approx(first, rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "measure"),
    [("mean_square", losses.mean_square_penalty), ("frobenius", losses.frobenius_penalty)],
)
def test_the_penalty_is_a_term_of_the_generators_loss(kind, measure):
    weights = ClusteringWeights(style_penalty=0.5, style_penalty_kind=kind)
    networks, phases, hyper, state = build(dataclasses.replace(PLAIN, weights=weights))
    value, found = value_of(phases, "generator", state, hyper)
    assert found["style_penalty"] == pytest.approx(float(measure(encoded(networks, state)[0])), rel=1e-5)
    assert value == pytest.approx(found["z"] + found["y"] + 0.5 * found["style_penalty"], rel=1e-5)


def test_the_clusters_of_a_graph_are_a_term_of_the_generators_loss_that_fades():
    config = dataclasses.replace(PLAIN, weights=ClusteringWeights(propagation=2.0, propagation_fade=1.0))
    networks, phases, hyper, state = build(config)
    targets = jnp.asarray(np.eye(CLUSTERS, dtype=np.float32)[np.arange(20) % CLUSTERS])
    batch = BATCH._replace(targets=targets)
    loss = jax.jit(phases["generator"].loss)
    value, (_, found) = loss(state.params, state.batch_stats, batch, hyper.at(jnp.asarray(0)), KEY)
    logits = encoded(networks, state)[2]
    expected = -np.mean(np.sum(np.asarray(targets * jax.nn.log_softmax(logits)), axis=1))
    assert found["propagation"] == pytest.approx(float(expected), rel=1e-4)
    assert float(value) == pytest.approx(float(found["z"] + found["y"] + 2.0 * expected), rel=1e-4)
    faded, _ = loss(state.params, state.batch_stats, batch, hyper.at(jnp.asarray(10**6)), KEY)
    assert float(faded) == pytest.approx(float(found["z"] + found["y"]), rel=1e-4)
    with pytest.raises(InputError, match="the data have no propagated labels"):
        phases["generator"].loss(state.params, state.batch_stats, BATCH, hyper, KEY)


def test_rare_classes_are_drawn_by_the_exponential_of_what_they_lack():
    counts = np.asarray([0, 1, 3])
    labels = jnp.asarray(np.repeat(np.eye(3), counts, axis=0) * 0.8 + 0.05, jnp.float32)
    drawn = jax.vmap(lambda key: priors.rare_categorical(key, labels))(jax.random.split(KEY, 5000))
    assert drawn.shape == (5000, 4, 3)
    np.testing.assert_array_equal(drawn.sum(axis=2), 1.0)
    expected = np.exp(4 / 3 - counts) / np.exp(4 / 3 - counts).sum()
    np.testing.assert_allclose(drawn.mean(axis=(0, 1)), expected, atol=0.01)


def test_inverse_frequency_changes_what_the_adversary_of_y_is_shown():
    shown = {}
    for rare in (False, True):
        config = dataclasses.replace(PLAIN, inverse_frequency=rare)
        networks, _, hyper, state = build(config)

        def judge(params, labels, key, rare=rare):
            shown[rare] = np.asarray(labels)
            return jnp.zeros(len(labels))

        phases = clustering.build_phases(networks._replace(discriminate_y=judge), config)
        phases["discriminator_y"].loss(state.params, state.batch_stats, BATCH, hyper, KEY)
    fake = shown[True][20:]
    np.testing.assert_array_equal(shown[False][20:], fake)
    counts = np.bincount(fake.argmax(axis=1), minlength=CLUSTERS)
    used = np.flatnonzero(shown[True][:20].sum(axis=0))
    assert counts[used].max() < counts.max()
    assert (shown[False][:20] != shown[True][:20]).any()


# Heads


def test_the_decoder_gets_the_style_from_its_head_on():
    networks, _, _, state = build(HEADS)
    heads = np.asarray(state.params["heads"]["kernel"])
    assert heads.shape == (CLASSES, 2)
    z, y = jax.random.normal(KEY, (5, 2)), jax.nn.softmax(jax.random.normal(jax.random.key(3), (5, CLASSES)))
    places = networks.represent(state.params, z, y, None)
    np.testing.assert_allclose(places, np.asarray(z) + np.asarray(y) @ heads, rtol=1e-5)
    nowhere = jnp.zeros((5, CLASSES))
    np.testing.assert_allclose(
        networks.decode(state.params, state.batch_stats, z, y, None)[0],
        networks.decode(state.params, state.batch_stats, places, nowhere, None)[0],
        rtol=1e-4,
    )


def test_heads_part_until_they_are_far_enough():
    _, phases, hyper, state = build(HEADS)
    hyper = hyper.replace({"least_distance": jnp.asarray(3.0)})
    step = jax.jit(functools.partial(phase_step, "head_distance", phases["head_distance"]))

    def nearest(state):
        heads = np.asarray(state.params["heads"]["kernel"])
        return min(np.linalg.norm(a - b) for i, a in enumerate(heads) for b in heads[:i])

    assert nearest(state) < 2.0
    before = float(losses.head_distance_cost(state.params["heads"]["kernel"], 3.0))
    for _ in range(300):
        state, metrics = step(state, BATCH, hyper, KEY, jnp.asarray(0.02))
    assert nearest(state) > 2.5
    assert float(metrics["head_distance/cost"]) < 0.1 * before


def test_heads_come_to_the_circle():
    heads = jax.random.normal(KEY, (10, 12))
    found = np.asarray(heads @ circle_projection(heads))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-4)
    np.testing.assert_allclose(found[0], [1.0, 0.0], atol=1e-4)
    np.testing.assert_allclose(found[5], [-1.0, 0.0], atol=1e-4)
    flat = heads.at[:, 9:].multiply(0.01)  # a direction in which heads hardly differ
    circle = np.asarray(flat @ circle_projection(flat))
    places = flat[:, None] + 0.3 * jax.random.normal(jax.random.key(9), (10, 500, 12))

    def missed(std):
        """By how much places miss the points of the circle that their heads are nearest to, one head to a point."""
        matrix = circle_projection(flat, std)
        apart = np.linalg.norm(np.asarray(flat @ matrix)[:, None] - circle, axis=2) ** 2
        own = circle[linear_sum_assignment(apart)[1]]
        return float(jnp.mean((places @ matrix - own[:, None]) ** 2))

    assert missed(0.3) < min(missed(0.0) / 10, missed(0.1), missed(0.9))


def test_heads_are_taken_around_the_circle_in_the_order_in_which_they_come_nearest():
    """Heads that lie on a circle already, in another order, and hardly differ else."""
    angles = 2 * np.pi * np.asarray([3, 0, 5, 1, 7, 4, 2, 6]) / 8
    heads = np.concatenate([9 * np.stack([np.cos(angles), np.sin(angles)], axis=1), 0.01 * np.eye(8)], axis=1)
    found = np.asarray(jnp.asarray(heads) @ circle_projection(jnp.asarray(heads, jnp.float32), 1.0))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.linalg.norm(found, axis=1).mean(), rtol=0.02)
    assert np.linalg.norm(found, axis=1).min() > 0.9
    turned = np.unwrap(np.arctan2(found[:, 1], found[:, 0])[np.argsort(angles)])
    np.testing.assert_allclose(np.abs(np.diff(turned)), 2 * np.pi / 8, rtol=0.02)


def test_heads_of_too_few_dimensions_come_to_no_circle():
    heads = jax.random.normal(KEY, (10, 12))
    with pytest.raises(InputError, match="10 heads of 3 dimensions"):
        circle_projection(heads[:, :3])


def test_averages_are_kept_of_all_that_is_used_after_training():
    networks, phases, _, _ = build(dataclasses.replace(EVERYTHING))
    state = init_state(networks, phases, KEY, averaging=True)
    assert set(state.averaged_params) == {"encoder", "decoder", "mode_decoder"}


# Learning


@pytest.mark.slow
def test_clusters_of_digits_are_digits():
    digits = load_digits()
    config = ClusteringConfig(
        num_clusters=20,
        network=NetworkConfig(
            hidden=(128,), discriminator_hidden=(64,), latent_dim=3, batch_norm=True, batch_norm_heads=True
        ),
        views=ViewConfig(noise_std=0.2, max_shift=0),
    )
    networks, phases, _, state = build(config)
    images = jnp.asarray(digits.train_images)
    epochs = 40
    data = TrainData(images, images[:1], jnp.zeros(1, jnp.int32))
    hyper = traced(config, epochs * (len(images) // 50))
    epoch = build_train_epoch(
        phases, batch_size=50, labelled_batch_size=1, output="sigmoid", schedule=build_schedule(config)
    )
    state, _ = fit(state, data, train_epoch=epoch, hyper=hyper, key=KEY, epochs=epochs)
    variables, encode = evaluation_variables(state), build_encode(networks, "sigmoid")
    named, judged = (
        np.asarray(encode(*variables, jnp.asarray(each)).logits) for each in (digits.train_images, digits.test_images)
    )
    found = report_clusters((named, digits.train_labels), (judged, digits.test_labels), 10)
    assert found.majority_error < 0.45
    assert found.used >= 10
    chex.assert_tree_all_finite(state.params)


def test_the_error_by_majority_among_themselves():
    clusters = np.asarray([0, 0, 0, 1, 1, 2])
    labels = jnp.asarray([5, 5, 1, 2, 2, 7])
    logits = 10 * jnp.eye(4)[clusters]
    assert float(within_majority(logits, labels, 8)) == pytest.approx(1 / 6)


# What is refused


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_clusters": 1}, "num_clusters is 1"),
        ({"weights": ClusteringWeights(mode=-1.0)}, r"weights\.mode is -1"),
        ({"weights": ClusteringWeights(confidence=2.0)}, r"weights\.confidence is 2"),
        ({"weights": ClusteringWeights(propagation=-1.0)}, r"weights\.propagation is -1"),
        ({"weights": ClusteringWeights(balance_slack=0.1)}, "balance_slack is 0.1, but weights.balance is 0"),
        ({"weights": ClusteringWeights(balance=1.0, balance_slack=5.0)}, "give less than their logarithm"),
        (
            {
                "weights": ClusteringWeights(consistency=1.0, adversarial_norm=1.0),
                "views": ViewConfig(noise_std=0.3, max_shift=0, probability=0.5),
            },
            "probability is 0.5 beside an adversarial_norm of 1",
        ),
        (
            {
                "weights": ClusteringWeights(mode_separation=1.0),
                "network": dataclasses.replace(NETWORK, output="tanh"),
            },
            "whose pixels are probabilities",
        ),
    ],
)
def test_bad_settings_of_clustering_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        validate_clustering(dataclasses.replace(PLAIN, **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_clusters": 1}, "num_clusters is 1"),
        ({"least_distance": -1.0}, "least_distance is -1"),
        ({"weights": DimReductionWeights(propagation_fade=2.0)}, r"weights\.propagation_fade is 2"),
    ],
)
def test_bad_settings_of_heads_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        validate_dim_reduction(dataclasses.replace(HEADS, **changes))


CONDITIONAL = [dataclasses.replace(config, conditional=True) for config in (PLAIN, HEADS)]


@pytest.mark.parametrize("config", CONDITIONAL)
def test_a_conditional_discriminator_sees_styles_with_the_encoders_labels(config):
    networks, phases, hyper, state = build(config)
    output, _ = networks.encode(state.params, state.batch_stats, POOL, None)
    judged = jnp.concatenate([output.mean, jax.nn.softmax(output.logits)], axis=1)
    _, found = value_of(phases, "generator", state, hyper)
    by_hand = losses.generator_loss(networks.discriminate_z(state.params, judged, None))
    assert found["z"] == pytest.approx(float(by_hand), rel=1e-5)


@pytest.mark.parametrize("config", CONDITIONAL)
def test_real_and_fake_pairs_of_a_conditional_discriminator_have_the_same_labels(config):
    networks, _, hyper, state = build(config)
    seen = {}

    def judge(params, codes, key):
        seen["codes"] = codes
        return jnp.zeros(len(codes))

    kind = clustering if isinstance(config, ClusteringConfig) else dim_reduction
    phases = kind.build_phases(networks._replace(discriminate_z=judge), config, num_classes=CLASSES)

    @jax.jit
    def shown():
        phases["discriminator_z"].loss(state.params, state.batch_stats, BATCH, hyper, KEY)
        return seen["codes"]

    real, fake = np.split(np.asarray(shown()), 2)
    np.testing.assert_array_equal(real[:, 2:], fake[:, 2:])
    assert np.abs(real[:, :2] - fake[:, :2]).min() > 0


def test_a_conditional_discriminator_does_not_train_the_label():
    config = dataclasses.replace(CONDITIONAL[0], weights=ClusteringWeights(generator_y=0.0))
    _, phases, hyper, state = build(config)

    @jax.jit
    def gradient(encoder):
        return jax.grad(
            lambda encoder: phases["generator"].loss(
                {**state.params, "encoder": encoder}, state.batch_stats, BATCH, hyper, KEY
            )[0]
        )(encoder)

    found = gradient(state.params["encoder"])
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(found["label"]))
    assert all(np.any(leaf) for leaf in jax.tree.leaves(found["style"]))


@pytest.mark.parametrize("conditional", [False, True])
def test_the_discrepancy_of_styles_is_a_term_of_the_generator(conditional):
    weights = ClusteringWeights(style_mmd=2.0)
    config = dataclasses.replace(PLAIN, conditional=conditional)
    _, phases, hyper, state = build(config)
    without, _ = value_of(phases, "generator", state, hyper)
    _, phases, hyper, state = build(dataclasses.replace(config, weights=weights))
    value, found = value_of(phases, "generator", state, hyper)
    assert value == pytest.approx(without + 2.0 * found["style_mmd"], rel=1e-4)


def test_generated_labels_train_the_decoder_alone():
    _, phases, hyper, state = build(PLAIN)
    without, _ = value_of(phases, "reconstruction", state, hyper)
    config = dataclasses.replace(PLAIN, weights=ClusteringWeights(generated_label=2.0, reconstruction=0.0))
    _, phases, hyper, state = build(config)
    value, found = value_of(phases, "reconstruction", state, hyper)
    assert found["error"] == pytest.approx(without, rel=1e-5)
    assert value == pytest.approx(2.0 * found["generated_label"], rel=1e-5)
    assert 0.5 * np.log(CLUSTERS) < found["generated_label"] < 2 * np.log(CLUSTERS)  # untrained: chance

    @jax.jit
    def gradient(params):
        loss = phases["reconstruction"].loss
        return jax.grad(lambda params: loss(params, state.batch_stats, BATCH, hyper, KEY)[0])(params)

    found = gradient(state.params)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(found["encoder"]))
    assert all(np.any(leaf) for leaf in jax.tree.leaves(found["decoder"]))
