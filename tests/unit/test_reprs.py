"""Public objects printed in a line: shapes instead of numbers, configurations as the call that makes them."""

import dataclasses
import importlib
import inspect
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aae_jax
from aae_jax.data import load_digits
from aae_jax.models import MODELS
from aae_jax.text import count_numbers, described
from tests.conftest import random_data, toy_hyper, toy_networks, toy_phases

MAX_LENGTH = 1000
CLASSES = {name: getattr(aae_jax, name) for name in aae_jax.__all__ if inspect.isclass(getattr(aae_jax, name))}
WITHOUT_OBJECTS = {"InputError", "TrainingFailed"}


def build_model(**fields):
    kept = {"num_classes": 10, "experiment": "semi_supervised", **fields}
    network = aae_jax.NetworkConfig(hidden=(30, 20), latent_dim=8)
    empty = aae_jax.Model(
        network=network,
        image_shape=(28, 28),
        prior=aae_jax.PriorConfig(std=2.0),
        params={},
        stats={},
        data={"name": "mnist", "sha256": "0" * 64},
        **kept,
    )
    params, stats = empty.networks.init(jax.random.key(0))
    return dataclasses.replace(empty, params=params, stats=stats)


def objects():
    """Return one object of each public class, with as many numbers as they have in use."""
    model, dataset = build_model(), load_digits()
    images = jnp.zeros((1000, 28, 28))
    phases = toy_phases()
    state = aae_jax.init_state(toy_networks(), phases, jax.random.key(0), averaging=True)
    made = [
        model,
        dataset,
        model.networks,
        model.encode(np.zeros((1000, 28, 28), np.uint8)),
        aae_jax.Modules(),
        aae_jax.Run(
            models=(model,),
            best_models=(model,),
            history=({"epoch": 0},) * 100,
            summary={"seeds": [0], "updates": 100, "more": list(range(1000))},
            config=aae_jax.preset("default"),
            folder=None,
        ),
        aae_jax.Stop("enough"),
        aae_jax.EarlyStopping(),
        aae_jax.LogTo(SimpleNamespace(settings=print, metrics=print)),
        aae_jax.Codes(10, 10, {"discriminator_z": 8, "discriminator_y": 10}),
        state,
        phases["rebuild"],
        toy_hyper(),
        random_data(pool=5000),
        aae_jax.Batch(images, images[:100], jnp.zeros(100, jnp.int32)),
        *(CLASSES[name]() for name in CLASSES if name.endswith("Config")),
    ]
    return {type(one).__name__: one for one in made}


OBJECTS = objects()


def test_every_public_class_is_looked_at():
    assert set(OBJECTS) == set(CLASSES) - WITHOUT_OBJECTS


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_what_is_printed_is_short(name):
    text = repr(OBJECTS[name])
    assert text.startswith(f"{name}(")
    assert len(text) <= MAX_LENGTH
    assert "\n" not in text
    assert " object at 0x" not in text
    assert "<function" not in text


def test_a_model_prints_what_it_is():
    text = repr(build_model())
    count = count_numbers(build_model().params)
    assert count == (784 * 30 + 30) + (30 * 20 + 20) + 20 * (8 + 10) + 8 + 10 + (18 * 30 + 30) + (30 * 20 + 20) + (
        20 * 784 + 784
    )
    assert text == (
        "Model(experiment='semi_supervised', image_shape=(28, 28), pixels='bytes', num_classes=10, latent_dim=8, "
        f"hidden=(30, 20), prior='gaussian', data='mnist', {count:,} parameters)"
    )
    named = repr(build_model(class_names=tuple("abcdefghij")))
    assert "class_names=('a', 'b', " in named
    assert "num_classes" not in named
    many = build_model(num_classes=900, class_names=tuple(f"class number {i}" for i in range(900)))
    assert len(repr(many)) < MAX_LENGTH
    assert "decoded_label=5" in repr(build_model(num_classes=0, decoded_label=5))


def test_arrays_are_printed_by_type_and_shape():
    assert described(np.zeros((3, 4), np.uint8)) == "uint8[3,4]"
    assert described(jnp.float32(0.5)) == "0.5"
    assert (
        described({"a": {"b": np.zeros((2, 3)), "c": [np.zeros(4)]}, "rate": 0.1}) == "{'a': 10 numbers, 'rate': 0.1}"
    )
    assert described(None) == "None"
    assert len(described("x" * 10_000)) <= 200
    assert described({i: np.zeros(2) for i in range(10_000)}).count("float64[2]") < 20
    traced = []
    jax.jit(lambda x: traced.append(described(x)) or x)(jnp.float32(1))
    assert traced == ["float32"]


CONFIGS = {
    name: found
    for module in ("config", *(f"models.{entry.name}.config" for entry in MODELS))
    for name, found in vars(importlib.import_module(f"aae_jax.{module}")).items()
}
"""Every class of a configuration by its name."""
ALL = [
    pytest.param(found, id=f"{experiment} {name}")
    for experiment, presets in ((entry.name, entry.presets) for entry in MODELS)
    for name, (found, _) in presets.items()
]


@pytest.mark.parametrize("config", ALL)
def test_a_configuration_prints_the_call_that_makes_it(config):
    text = repr(config)
    assert eval(text, CONFIGS.copy()) == config
    assert len(text) <= MAX_LENGTH


def test_only_what_is_not_the_default_is_printed():
    assert repr(aae_jax.SemiSupervisedConfig()) == "SemiSupervisedConfig()"
    changed = aae_jax.SemiSupervisedConfig(epochs=3, network=aae_jax.NetworkConfig(hidden=(7,)))
    assert repr(changed) == "SemiSupervisedConfig(epochs=3, network=NetworkConfig(hidden=(7,)))"
