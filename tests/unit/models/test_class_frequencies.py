"""Class frequencies in the losses: what the adversary is shown, how logits are fitted, what the graph spreads."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from aae_jax import losses, priors
from aae_jax.config import NetworkConfig
from aae_jax.config.text import from_mapping, to_yaml
from aae_jax.errors import InputError
from aae_jax.graph.neighbours import Neighbours
from aae_jax.graph.propagation import propagate_labels, similarity_graph
from aae_jax.models.dim_reduction.config import DimReductionConfig, validate_dim_reduction
from aae_jax.models.semi_supervised import phases as semi_supervised
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig, validate
from aae_jax.networks import build_mlp_networks
from aae_jax.train.hyper import traced
from aae_jax.types import Batch, ClassShares
from tests.conftest import changed, quick_init, uniform

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(3)
CONFIG = SemiSupervisedConfig(
    network=NetworkConfig(hidden=(8, 8), discriminator_hidden=(8,), latent_dim=2, batch_norm=True)
)
CONFIG = dataclasses.replace(CONFIG, views=dataclasses.replace(CONFIG.views, noise_std=0.0))
SHARES = ClassShares(jnp.asarray([0.1, 0.9]), jnp.asarray([0.5, 0.5]))
BATCH = Batch(
    uniform(1, 400, 4, 4),
    uniform(2, 6, 4, 4),
    jnp.asarray([0, 1, 0, 1, 0, 1]),
)


NETWORKS = quick_init(build_mlp_networks(CONFIG.network, (4, 4), 2))


def phase_of(name, *, baseline=False):
    if baseline:
        return semi_supervised.build_baseline_phases(NETWORKS, CONFIG)[name]
    return semi_supervised.build_phases(NETWORKS, CONFIG, num_classes=2)[name]


@functools.cache
def compiled_loss(name, baseline):
    return jax.jit(phase_of(name, baseline=baseline).loss)


def loss_of(name, batch, *, baseline=False):
    params, stats = NETWORKS.init(jax.random.key(0))
    return compiled_loss(name, baseline)(params, stats, batch, traced(CONFIG, 10), KEY)


def test_classes_are_drawn_with_their_frequencies():
    drawn = priors.draw_classes(KEY, jnp.asarray([0.7, 0.1, 0.2]), 20_000)
    assert drawn.shape == (20_000, 3)
    assert drawn.dtype == jnp.float32
    np.testing.assert_array_equal(drawn.sum(axis=1), 1)
    np.testing.assert_allclose(drawn.mean(axis=0), [0.7, 0.1, 0.2], atol=0.015)


def test_the_shift_makes_the_softmax_a_posterior_of_the_pool():
    """Labels of equal classes that say nothing of the image are fitted best by the pool's frequencies."""
    labels, shift = jnp.asarray([0, 1]), jnp.log(SHARES.labelled) - jnp.log(SHARES.pool)
    own = jnp.log(jnp.broadcast_to(SHARES.pool, (2, 2)))
    value, gradient = jax.value_and_grad(losses.classification_loss)(own, labels, shift)
    assert float(value) == pytest.approx(np.log(2), rel=1e-6)
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-6)
    equal = losses.classification_loss(own, labels)
    assert float(equal) == pytest.approx(-np.log([0.1, 0.9]).mean(), rel=1e-5)


def test_the_adversary_is_shown_labels_as_frequent_as_the_pools(monkeypatch):
    shown = []
    draw = priors.draw_classes
    monkeypatch.setattr(priors, "draw_classes", lambda *args: shown.append(draw(*args)) or shown[-1])
    (params, stats), hyper = NETWORKS.init(jax.random.key(0)), traced(CONFIG, 10)

    @jax.jit
    def labels_shown(batch):
        shown.clear()
        phase_of("discriminator_y").loss(params, stats, batch, hyper, KEY)
        return tuple(shown)

    assert not labels_shown(BATCH)
    (labels,) = labels_shown(BATCH._replace(class_shares=SHARES))
    np.testing.assert_allclose(labels.mean(axis=0), SHARES.pool, atol=0.05)


def test_labelled_images_are_normalised_by_the_running_moments():
    """So that an image's loss does not go by the classes in its batch; the baseline's moments are of its batches."""
    shared = BATCH._replace(class_shares=SHARES)
    whole, (stats, _) = loss_of("classification", shared)
    each = [
        loss_of("classification", shared._replace(labelled_images=shared.labelled_images[i : i + 1], labels=label))[0]
        for i, label in enumerate(shared.labels[:, None])
    ]
    assert float(whole) == pytest.approx(float(np.mean(each)), rel=1e-5)
    before = NETWORKS.init(jax.random.key(0))[1]
    assert changed(stats, before) == set()
    _, (moved, _) = loss_of("classification", shared, baseline=True)
    assert changed(moved, before) == {"encoder"}


def test_the_weight_of_the_labels_adversary_goes_by_the_rarest_class():
    plain, (_, metrics) = loss_of("generator", BATCH)
    even = ClassShares(jnp.asarray([0.5, 0.5]), jnp.asarray([0.5, 0.5]))
    same, _ = loss_of("generator", BATCH._replace(class_shares=even))
    less, _ = loss_of("generator", BATCH._replace(class_shares=SHARES))
    assert float(same) == pytest.approx(float(plain), rel=1e-6)
    assert float(plain - less) == pytest.approx(0.8 * float(metrics["y"]), rel=1e-4)


def test_propagated_labels_are_as_frequent_as_classes_are_taken_to_be():
    """Two labelled points at the ends of a line of equal steps share it equally, or as they are told."""
    count = 21
    places = np.arange(count)
    near = np.stack([np.clip(places - 1, 0, None), np.clip(places + 1, None, count - 1)], axis=1)
    near[0], near[-1] = [1, 2], [count - 2, count - 3]
    graph = similarity_graph(Neighbours(near.astype(np.int32), np.ones((count, 2), np.float32)))

    def first(shares):
        found = propagate_labels(graph, np.asarray([0, count - 1]), np.asarray([0, 1]), 2, shares)
        return int((found.argmax(axis=1) == 0).sum())

    assert first(None) == first(np.asarray([0.5, 0.5]))
    assert first(np.asarray([0.3, 0.7])) < first(None) < first(np.asarray([0.7, 0.3]))


@pytest.mark.parametrize("prior", ["auto", "uniform", "validation", [0.25, 0.75]])
def test_a_configuration_keeps_the_class_prior(prior):
    config = from_mapping(SemiSupervisedConfig, {"class_prior": prior})
    validate(config)
    assert config.class_prior == (tuple(prior) if isinstance(prior, list) else prior)
    assert from_mapping(SemiSupervisedConfig, yaml.safe_load(to_yaml(config))) == config


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ([0.5, 0.6], "sums to 1.1"),
        ([0.0, 1.0], r"class_prior\[0\] is 0.0"),
        ([float("nan"), 1.0], r"class_prior\[0\] is nan"),
        ([], "sums to 0"),
        ("even", "class_prior is 'even'"),
        (0.3, "class_prior is 0.3"),
    ],
)
def test_what_is_no_class_prior_is_refused(prior, words):
    with pytest.raises(InputError, match=words):
        validate(from_mapping(SemiSupervisedConfig, {"class_prior": prior}))


def test_clusters_have_no_class_prior():
    validate_dim_reduction(DimReductionConfig(num_clusters=4, class_prior="auto"))
    with pytest.raises(InputError, match="class_prior is 'validation', but 4 clusters"):
        validate_dim_reduction(DimReductionConfig(num_clusters=4, class_prior="validation"))
