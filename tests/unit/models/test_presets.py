"""Every preset trains; what each of the earlier implementations has that ours has not; their YAML file."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from aae_jax import NetworkConfig, build_mlp_networks, build_phases, build_schedule, init_state, resolve, traced
from aae_jax.compat.yaml_settings import from_seed_yaml, is_seed_yaml
from aae_jax.errors import InputError
from aae_jax.models import MODELS, find_model, preset
from aae_jax.models.semi_supervised.config import validate
from aae_jax.models.semi_supervised.presets import PRESETS
from aae_jax.run.callbacks import active_means
from aae_jax.train.phases import build_train_step
from aae_jax.types import Batch
from tests.conftest import quick_init, uniform
from tests.unit.models.toy_presets import DATASET, narrow

SHAPE, CLASSES = (4, 4), 3


def small(config):
    network = dataclasses.replace(config.network, hidden=(8, 8), discriminator_hidden=(6,), precision="float32")
    return resolve(dataclasses.replace(config, network=network, epochs=config.epochs or 4), SHAPE)


def batch():
    return Batch(
        uniform(5, 6, *SHAPE),
        uniform(6, 3, *SHAPE),
        jnp.arange(3, dtype=jnp.int32),
        jax.nn.one_hot(jnp.arange(6) % CLASSES, CLASSES),
    )


def trained(config, steps=3, only=None):
    """Return the state before, the state after a few updates of all phases or some, and the metrics of each."""
    networks = quick_init(build_mlp_networks(config.network, SHAPE, CLASSES, conditional=config.conditional))
    phases = build_phases(networks, config, num_classes=CLASSES)
    phases = {name: phase for name, phase in phases.items() if only is None or name in only}
    state = init_state(networks, phases, jax.random.key(0))
    step = jax.jit(build_train_step(phases, traced(config, steps), build_schedule(config)))
    before, metrics = state, []
    for i in range(steps):
        state, found = step(state, batch(), jax.random.key(i))
        metrics.append(found)
    return before, state, metrics, phases


@pytest.mark.parametrize("entry", MODELS, ids=lambda entry: entry.name)
def test_reconstruction_can_leave_the_encoder_alone_in_every_model(entry):
    config = narrow(entry.presets["smoke"][0], "float32")
    config = dataclasses.replace(config, optimizers=dataclasses.replace(config.optimizers, encoder_share=0.0))
    networks = quick_init(entry.spec.build_networks(config, DATASET.image_shape, DATASET.num_classes))
    phase = entry.spec.build_phases(networks, config, num_classes=DATASET.num_classes)["reconstruction"]
    params = {name: networks.init(jax.random.key(0))[0][name] for name in phase.trained}
    gradients = jax.tree.map(jnp.ones_like, params)
    rate = {"learning_rate": jnp.float32(0.1)}
    updates, _ = phase.optimizer.update(gradients, phase.optimizer.init(params), params, **rate)
    assert all(np.all(np.asarray(update) == 0) for update in jax.tree.leaves(updates["encoder"]))
    assert all(np.all(np.asarray(update) != 0) for update in jax.tree.leaves(updates["decoder"]))


@pytest.mark.parametrize(
    ("model", "conditional"),
    [("unsupervised", None), ("supervised", True), ("semi_supervised", False), ("semi_supervised", True)],
)
def test_only_styles_of_clean_images_are_the_same_under_noise(model, conditional):
    entry = find_model(model)
    config = narrow(entry.presets["smoke"][0], "float32")
    if conditional is not None:
        config = dataclasses.replace(config, conditional=conditional)
    networks = quick_init(entry.spec.build_networks(config, DATASET.image_shape, DATASET.num_classes))
    params, stats = networks.init(jax.random.key(0))
    images, labels = uniform(5, 6, *DATASET.image_shape), jnp.arange(6, dtype=jnp.int32)

    def measured(style_of, noise):
        views = dataclasses.replace(config.views, noise_std=noise, style_of=style_of)
        chosen = dataclasses.replace(config, views=views)
        phases = entry.spec.build_phases(networks, chosen, num_classes=DATASET.num_classes)
        given = (params, stats, Batch(images, images, labels), traced(chosen, 1), jax.random.key(1))
        return float(phases["discriminator_z"].loss(*given)[0]), float(phases["generator"].loss(*given)[1][1]["z"])

    assert measured("clean", 0.0) == measured("clean", 3.0)
    assert measured("view", 0.0)[0] != measured("view", 3.0)[0]
    assert measured("view", 0.0)[1] != measured("view", 3.0)[1]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_traced(name):
    config = small(preset(name))
    validate(config)
    networks = build_mlp_networks(config.network, SHAPE, CLASSES, conditional=config.conditional)
    phases = build_phases(networks, config, num_classes=CLASSES)
    state = jax.eval_shape(lambda key: init_state(networks, phases, key), jax.random.key(0))
    step = build_train_step(phases, traced(config, 3), build_schedule(config))
    after, metrics = jax.eval_shape(step, state, batch(), jax.random.key(0))
    chex.assert_trees_all_equal_shapes_and_dtypes(state, after)
    assert {f"{phase}/loss" for phase in phases} <= set(metrics)


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n == "default" else pytest.mark.slow) for n in PRESETS])
def test_every_preset_trains(name, quick_compile):
    config = small(preset(name))
    validate(config)
    _, state, metrics, phases = trained(config)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(state.params))
    assert {f"{phase}/loss" for phase in phases} <= set(metrics[0])


def test_the_papers_numbers():
    config = preset("paper")
    rates = {name: getattr(config.optimizers, name) for name in ("reconstruction", "discriminator", "generator")}
    rates["classification"] = config.optimizers.classification
    assert {name: (o.kind, o.learning_rate, o.momentum) for name, o in rates.items()} == {
        "reconstruction": ("sgd", 0.01, 0.9),
        "discriminator": ("sgd", 0.1, 0.1),
        "generator": ("sgd", 0.1, 0.1),
        "classification": ("sgd", 0.1, 0.9),
    }
    schedule = build_schedule(config)
    steps = 5000 * 500
    at = [schedule(jnp.asarray(epoch * 500), jnp.asarray(float(steps))) for epoch in (0, 49, 50, 999, 1000, 4999)]
    np.testing.assert_allclose(at, [1, 1, 0.1, 0.1, 0.01, 0.01], rtol=1e-5)


def test_the_schedule_and_its_drops_go_together():
    optimizers = dataclasses.replace(preset("paper").optimizers, drops=())
    with pytest.raises(InputError, match=r"give drops with the schedule steps"):
        validate(dataclasses.replace(preset("paper"), optimizers=optimizers))
    optimizers = dataclasses.replace(preset("default").optimizers, drops=(0.5,))
    with pytest.raises(InputError, match=r"give drops with the schedule steps"):
        validate(dataclasses.replace(preset("default"), optimizers=optimizers))
    optimizers = dataclasses.replace(preset("paper").optimizers, drops=(1.5,))
    with pytest.raises(InputError, match=r"drops\[0\] is 1.5"):
        validate(dataclasses.replace(preset("paper"), optimizers=optimizers))


def test_classification_at_every_third_update(quick_compile):
    config = small(dataclasses.replace(preset("plain"), classification_every=3))
    _, _, metrics, phases = trained(config, steps=3, only={"reconstruction", "generator", "classification"})
    losses = jnp.stack([found["classification/loss"] for found in metrics])
    np.testing.assert_array_equal(losses[1:], 0)
    assert losses[0] > 0
    stacked = {name: jnp.stack([found[name] for found in metrics])[None] for name in metrics[0]}
    means = active_means(stacked, phases, first_step=0)
    np.testing.assert_allclose(means["classification/loss"], losses[:1])
    np.testing.assert_allclose(means["generator/loss"], np.mean(stacked["generator/loss"], axis=1), rtol=1e-6)
    shorter = {name: value[:, 1:] for name, value in stacked.items()}
    assert np.isnan(active_means(shorter, phases, first_step=1)["classification/loss"]).all()


def networks_of(**changes):
    config = NetworkConfig(hidden=(8,), discriminator_hidden=(6,), latent_dim=2, **changes)
    return build_mlp_networks(config, SHAPE, CLASSES)


def test_the_leaky_discriminators_slope():
    plain, leaky = networks_of(), networks_of(discriminator_activation="leaky_relu")
    params, _ = plain.init(jax.random.key(0))
    z = jnp.asarray([[0.7, -0.3]])
    flat = {
        "/".join(str(p.key) for p in path): leaf
        for path, leaf in jax.tree_util.tree_flatten_with_path(params["discriminator_z"])[0]
    }
    kernels = [leaf for name, leaf in flat.items() if name.endswith("kernel")]
    first = next(k for k in kernels if k.shape == (2, 6))
    last = next(k for k in kernels if k.shape == (6, 1))
    hidden = z @ first
    np.testing.assert_allclose(
        leaky.discriminate_z(params, z, None), (jnp.where(hidden > 0, hidden, 0.2 * hidden) @ last)[:, 0], rtol=1e-5
    )
    np.testing.assert_allclose(plain.discriminate_z(params, z, None), (jax.nn.relu(hidden) @ last)[:, 0], rtol=1e-5)


def test_discriminators_drop_units_in_training_alone():
    networks = networks_of(discriminator_dropout=0.5)
    params, _ = networks.init(jax.random.key(0))
    z = jnp.ones((64, 2))
    np.testing.assert_array_equal(
        networks.discriminate_z(params, z, None), networks_of().discriminate_z(params, z, None)
    )
    assert len(np.unique(networks.discriminate_z(params, z, jax.random.key(1)))) > 1


def test_normalised_heads():
    networks = networks_of(batch_norm_heads=True)
    params, stats = networks.init(jax.random.key(0))
    images = uniform(1, 500, *SHAPE)
    output, moved = networks.encode(params, stats, images, jax.random.key(2))
    for head in (output.mean, output.logits):
        np.testing.assert_allclose(head.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(head.std(axis=0), 1, atol=1e-2)
    assert jax.tree.structure(moved) == jax.tree.structure(stats)
    one, _ = networks.encode(params, moved, images[:1], None)
    many, _ = networks.encode(params, moved, images, None)
    np.testing.assert_allclose(one.logits, many.logits[:1], rtol=1e-4, atol=1e-5)


def test_noise_in_the_reconstruction_alone(quick_compile):
    """With noise in one phase only, its size changes that phase's loss and no other's."""

    def losses(noise_in, noise_std):
        base = small(preset("plain"))
        views = dataclasses.replace(base.views, noise_std=noise_std, noise_in=noise_in)
        seen = {"reconstruction", "discriminator_z", "classification"}
        return trained(dataclasses.replace(base, views=views), steps=1, only=seen)[2][0]

    quiet, noisy = losses("reconstruction", 0.0), losses("reconstruction", 5.0)
    assert quiet["reconstruction/loss"] != noisy["reconstruction/loss"]
    # The encoder has moved in the reconstruction phase; the discriminators' fakes come from it, so the
    # comparison is of what the phase itself adds: the same noise, in all phases, against none.
    everywhere = losses("all", 5.0)
    assert everywhere["reconstruction/loss"] == noisy["reconstruction/loss"]
    assert everywhere["discriminator_z/loss"] != noisy["discriminator_z/loss"]
    assert everywhere["classification/loss"] != noisy["classification/loss"]


FILE = """
unsupervised:
  learning_rates: {auto_encoder_lr: 0.0008, generator_lr: 0.002}
  model: {hidden_size: 3000, encoder_dropout: 0.2}
semi_supervised:
  learning_rates:
    auto_encoder_lr: 0.0007
    generator_lr: 2e-3
    discriminator_lr: 0.0003
    classifier_lr: 0.004
  model:
    hidden_size: 50
    encoder_dropout: 0
"""


def test_the_yaml_file_of_shaharazulay():
    values = yaml.safe_load(FILE)
    assert is_seed_yaml(values)
    assert not is_seed_yaml({"epochs": 3})
    assert not is_seed_yaml({})
    config, notes = from_seed_yaml(values, preset("shaharazulay"))
    rates = {n: getattr(config.optimizers, n).learning_rate for n in ("reconstruction", "generator", "discriminator")}
    assert rates == {"reconstruction": 0.0007, "generator": 0.002, "discriminator": 0.0003}
    assert config.optimizers.classification.learning_rate == 0.004
    assert config.network.hidden == config.network.discriminator_hidden == (50, 50)
    assert config.network.batch_norm_heads
    assert notes == ["The block unsupervised belongs to clustering and is left out."]
    values["semi_supervised"]["model"]["encoder_dropout"] = 0.2
    assert len(from_seed_yaml(values, preset("shaharazulay"))[1]) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unsupervised: {}", "no block semi_supervised"),
        ("semi_supervised: 3", "semi_supervised is 3; give a mapping"),
        ("semi_supervised: {model: {hiden_size: 3}}", "did you mean 'hidden_size'"),
        ("semi_supervised: {training: {}}", "no key 'semi_supervised.training'"),
        ("semi_supervised: {model: {hidden_size: many}}", "hidden_size is 'many'; give a whole number"),
        ("semi_supervised: {learning_rates: {generator_lr: [1]}}", "give a number"),
    ],
)
def test_what_is_wrong_with_it_is_said(text, words):
    with pytest.raises(InputError, match=words):
        from_seed_yaml(yaml.safe_load(text), preset("shaharazulay"))
