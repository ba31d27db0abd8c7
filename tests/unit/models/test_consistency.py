"""The consistency term of the generator phase: its two targets, and the adversarial second view."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax import augment as views
from aae_jax import config, losses
from aae_jax.models import preset
from aae_jax.models.semi_supervised import phases as semi_supervised
from aae_jax.models.shared import consistency
from aae_jax.models.shared.terms import DRAW_ADVERSARIES
from aae_jax.networks import Networks, build_mlp_networks
from aae_jax.train.hyper import Numbers, traced
from aae_jax.train.phases import LossFn
from aae_jax.types import Batch
from tests.conftest import quick_init, uniform

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(2)
CLEAN = {"consistency_target": "clean", "adversarial_norm": 0.0}


class Generator(NamedTuple):
    """The generator phase of an untrained model, with what its loss takes."""

    networks: Networks
    params: Any
    stats: Any
    batch: Batch
    hyper: Numbers
    loss: LossFn

    def consistency(self, **changed: Any) -> Any:
        """Return the term, with some of params, stats, batch or hyper replaced."""
        given = {name: changed.get(name, getattr(self, name)) for name in ("params", "stats", "batch", "hyper")}
        return self.loss(*given.values(), KEY)[1][1]["consistency"]


@functools.cache
def generator(**weights: Any) -> Generator:
    """Return the phase with these weights, where every image counts unless they say otherwise."""
    base = preset("smoke")
    weights = {"consistency": 1.0, "confidence": 0.0, **weights}
    chosen = dataclasses.replace(base, weights=dataclasses.replace(base.weights, **weights))
    chosen = config.resolve(chosen, (8, 8))
    networks = quick_init(build_mlp_networks(chosen.network, (8, 8), 10, conditional=chosen.conditional))
    params, stats = networks.init(jax.random.key(0))
    images = uniform(1, 20, 8, 8)
    hyper = traced(chosen, 10)
    loss = jax.jit(semi_supervised.build_phases(networks, chosen, num_classes=10)["generator"].loss)
    return Generator(networks, params, stats, Batch(images, images, jnp.zeros(20, jnp.int32)), hyper, loss)


def test_the_clean_target_is_what_evaluation_says_of_the_image_and_takes_no_gradient():
    phase = generator(**CLEAN, sharpness=2.0)
    target = phase.networks.encode(phase.params, phase.stats, phase.batch.images, None)[0].logits
    still = phase.hyper.replace({"views.noise_std": jnp.zeros(())})
    key_view, key_encode = jax.random.split(jax.random.fold_in(KEY, DRAW_ADVERSARIES))
    view = views.draw_view(key_view, phase.batch.images, noise_std=0.0, max_shift=0, output="sigmoid")

    def expected(params: Any) -> Any:
        seen = phase.networks.encode(params, phase.stats, view.seen, key_encode)[0].logits
        return losses.consistency_loss(target, seen, 2.0)

    def actual(params: Any) -> Any:
        return phase.consistency(params=params, hyper=still)

    found, wanted = (jax.jit(jax.value_and_grad(term))(phase.params) for term in (actual, expected))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, wanted)


def test_the_clean_target_reads_the_running_statistics_and_the_view_does_not():
    other = jax.tree.map(lambda leaf: leaf + 0.5, generator(**CLEAN).stats)
    for weights, felt in ((CLEAN, True), ({"consistency_target": "view", "adversarial_norm": 0.0}, False)):
        phase = generator(**weights)
        assert (float(phase.consistency()) != float(phase.consistency(stats=other))) == felt


def products(phase: Generator) -> int:
    """Count the matrix products of the phase's loss and gradient."""

    def gradient(params: Any) -> Any:
        return jax.grad(lambda p: phase.loss(p, phase.stats, phase.batch, phase.hyper, KEY)[0])(params)

    return jax.jit(gradient).lower(phase.params).as_text().count("dot_general")


def test_the_clean_target_costs_one_forward_pass_and_a_second_view_more():
    layers = len(preset("smoke").network.hidden)
    without = products(generator(**CLEAN | {"consistency": 0.0}))
    clean = products(generator(**CLEAN))
    assert clean - without == layers + 1  # the hidden layers and the label's head
    second_view = products(generator(consistency_target="view", adversarial_norm=0.0))
    adversarial = products(generator(consistency_target="clean", adversarial_norm=1.0))
    assert clean < second_view < adversarial


@pytest.mark.parametrize("target", ["view", "clean"])
def test_images_whose_target_is_unsure_count_as_nothing(target):
    every = generator(consistency_target=target, adversarial_norm=0.0)
    terms = [
        float(every.consistency(hyper=every.hyper.replace({"weights.confidence": jnp.float32(share)})))
        for share in (0.0, 0.2, 0.25, 0.3, 1.0)
    ]
    assert terms == sorted(terms, reverse=True)
    assert terms[0] > terms[-1] == 0.0
    assert any(0.0 < term < terms[0] for term in terms)


@pytest.mark.parametrize("target", ["view", "clean"])
def test_the_adversarial_step_raises_the_cross_entropy(target):
    phase = generator(adversarial_norm=1.0, consistency_target=target)
    terms = [
        float(phase.consistency(hyper=phase.hyper.replace({"weights.adversarial_norm": jnp.float32(norm)})))
        for norm in (1e-3, 0.2, 1.0)
    ]
    assert terms[0] < terms[1] < terms[2]


@pytest.mark.parametrize("size", [1.0, 1e-19, 1e-25, 1e-30])
def test_adversarial_directions_have_norm_one_however_small_the_gradient(size):
    directions = size * jax.random.normal(jax.random.key(3), (5, 8, 8))
    unit = jax.jit(consistency._unit)(directions.at[0].set(0.0))
    np.testing.assert_allclose(jnp.sqrt(jnp.sum(unit**2, axis=(1, 2))), [0, 1, 1, 1, 1], rtol=1e-5)
