"""Encoders and decoders of a user's own: trained, saved, loaded; modules that do not fit."""

import dataclasses
import json
import signal
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

import aae_jax
from aae_jax.cli import main as command
from aae_jax.errors import InputError
from aae_jax.models import find_model
from aae_jax.run.arguments import parse
from aae_jax.run.run import run
from tests.runs.conftest import interrupt_after

SPEC = find_model("semi_supervised").spec
OPTIONS = ["--dataset", "digits", "--labels", "100", "--preset", "smoke", "--epochs", "1"]


class OwnEncoder(nn.Module):
    """One layer with batch norm and dropout, then style and label."""

    classes: int = 10
    styles: int = 10
    widths: Any = (12,)

    @nn.compact
    def __call__(self, images: Any, extra: Any, *, train: bool) -> Any:
        """Encode images."""
        features = nn.Dense(self.widths[0])(images.reshape(len(images), -1))
        features = nn.relu(nn.BatchNorm(use_running_average=not train)(features))
        features = nn.Dropout(0.1, deterministic=not train)(features)
        return nn.Dense(self.styles)(features), nn.Dense(self.classes)(features), None


class StyleEncoder(nn.Module):
    """One layer, then a style."""

    @nn.compact
    def __call__(self, images: Any, extra: Any, *, train: bool) -> Any:
        """Encode images."""
        features = nn.relu(nn.Dense(12)(images.reshape(len(images), -1)))
        return nn.Dense(2)(features), features[:, :0], None


class OwnDecoder(nn.Module):
    """One layer with batch norm, then an image."""

    sides: tuple[int, ...] = (8, 8)

    @nn.compact
    def __call__(self, z: Any, y: Any, *, train: bool) -> Any:
        """Decode styles and labels."""
        features = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Dense(12)(jnp.concatenate([y, z], 1))))
        return nn.Dense(64)(features).reshape(-1, *self.sides)


class Broken(nn.Module):
    """Fails on whatever it gets."""

    @nn.compact
    def __call__(self, *inputs: Any, train: bool) -> Any:
        """Fail."""
        raise TypeError("no such image")


class Odd(nn.Module):
    """An encoder with one fault."""

    fault: str

    @nn.compact
    def __call__(self, images: Any, extra: Any, *, train: bool) -> Any:
        """Encode images, but for the fault."""
        features = images.reshape(len(images), -1)
        if self.fault == "cache":
            self.variable("cache", "seen", lambda: features)
        if self.fault == "stream" and train:
            self.make_rng("own")
        if self.fault == "late" and train:
            features = nn.Dense(3)(features)
        pair = [features[:, :10]] * 2 if self.fault == "nothing" else [nn.Dense(10)(features) for _ in range(2)]
        pair[0] = pair[0].astype(jnp.int32) if self.fault == "whole" else pair[0]
        return [*pair, None] if self.fault == "list" else (*pair, None)


MODULES = aae_jax.Modules(encoder=OwnEncoder(widths=[12]), decoder=OwnDecoder())
"""Flax cannot hash a module with a list."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the folder of a run with both modules."""
    folder = tmp_path_factory.mktemp("own") / "run"
    spec = dataclasses.replace(SPEC, modules=MODULES)
    assert run(spec, parse(spec, [*OPTIONS, "--baseline-share", "0", "--out-dir", str(folder)])) == 0
    return folder


def test_own_modules_are_trained_saved_and_loaded(trained, tmp_path):
    described = json.loads((trained / "model" / "config.json").read_text())
    assert described["modules"] == {"encoder": "OwnEncoder", "decoder": "OwnDecoder"}
    assert described["format_version"] == 6
    model = aae_jax.load(trained, modules=MODULES)
    data = aae_jax.load_dataset("digits")
    assert np.any(np.asarray(model.stats["decoder"]["BatchNorm_0"]["mean"]) != 0), "its moments are those of training"
    assert model.predict(data.test_images[:3]).shape == (3,)
    weights = model.networks, model.params, model.stats
    assert aae_jax.evaluate(*weights, data.test_images, data.test_labels, output="sigmoid")["error"] < 1
    z, y = np.zeros((2, 10)), np.eye(10)[:2]
    assert model.decode(z, y).shape == (2, 8, 8)
    aae_jax.save_model(model, tmp_path)
    again = aae_jax.load(tmp_path, modules=MODULES)
    np.testing.assert_array_equal(again.decode(z, y), model.decode(z, y))


def test_a_model_of_own_modules_is_loaded_with_them_alone(trained, capsys):
    with pytest.raises(InputError, match="'OwnEncoder' for its encoder, a module of a user's own; give it in Python"):
        aae_jax.load(trained)
    with pytest.raises(InputError, match="'OwnDecoder' for its decoder"):
        aae_jax.load(trained, modules=MODULES._replace(decoder=None))
    with pytest.raises(InputError, match="is missing or unknown"):
        aae_jax.load(trained, modules=MODULES._replace(encoder=nn.Sequential([OwnEncoder()])))
    assert command(["evaluate", str(trained)]) == 2
    assert "a module of a user's own" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "modules"),
    [
        ("autoencoder", aae_jax.Modules(encoder=StyleEncoder())),
        pytest.param("semi_supervised", MODULES, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_is_resumed_with_the_same_modules(model, modules, tmp_path, capsys):
    plain, folder = find_model(model).spec, tmp_path / "run"
    spec = dataclasses.replace(plain, modules=modules)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 0, signal.SIGTERM)
        options = OPTIONS if model == "semi_supervised" else [*OPTIONS[:2], *OPTIONS[4:]]
        options = [*options, "--epochs", "2", "--checkpoint-seconds", "0", "--out-dir", str(folder)]
        assert run(spec, parse(spec, options)) == 128 + signal.SIGTERM
    named = ", ".join(modules.named().values())
    assert f"continue with (from Python, with its modules {named})" in capsys.readouterr().out
    with pytest.raises(InputError, match="resume it from Python with the same modules"):
        run(plain, parse(plain, ["--resume", str(folder)]))
    assert run(spec, parse(spec, ["--resume", str(folder)])) == 0


def test_modules_are_refused_where_none_were_trained(tmp_path):
    spec = find_model("autoencoder").spec
    assert run(spec, parse(spec, [*OPTIONS[:2], *OPTIONS[4:], "--out-dir", str(tmp_path / "run")])) == 0
    with pytest.raises(InputError, match="has no encoder of a user's own, but modules has OwnEncoder; leave"):
        aae_jax.load(tmp_path / "run", modules=aae_jax.Modules(encoder=OwnEncoder()))


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ({"encoder": OwnEncoder(classes=9)}, r"OwnEncoder returns \(\(1, 10\), \(1, 9\), None\), not "),
        ({"encoder": OwnEncoder(styles=9)}, r"not \(\(1, 10\), \(1, 10\), None\); see aae_jax\.Modules"),
        ({"decoder": OwnDecoder(sides=(4, 16))}, r"OwnDecoder returns \(1, 4, 16\), not \(1, 8, 8\)"),
        ({"encoder": OwnEncoder}, "modules.encoder is OwnEncoder; give an instance"),
        ({"encoder": Odd("nothing")}, "The encoder Odd has no parameters"),
        ({"encoder": Odd("cache")}, "The encoder Odd has the variables cache; it may have params and batch_stats"),
        ({"encoder": Odd("stream")}, "The encoder Odd cannot be applied to images and noise with train=True"),
        ({"encoder": Odd("late")}, "The encoder Odd cannot be applied to images and noise with train=True"),
        ({"encoder": Odd("whole")}, r"The encoder Odd returns \('int32 \(1, 10\)', \(1, 10\), None\), not"),
        ({"encoder": Odd("list")}, "The encoder Odd returns list, not"),
        ({"decoder": Broken()}, r"The decoder Broken cannot be applied to styles and labels.*no such image"),
        ({"encoder": OwnDecoder()}, r"The encoder OwnDecoder cannot be applied to images and noise"),
    ],
)
def test_modules_that_do_not_fit_are_named_before_training(modules, message, tmp_path):
    spec = dataclasses.replace(SPEC, modules=aae_jax.Modules(**modules))
    with pytest.raises(InputError, match=message):
        run(spec, parse(spec, [*OPTIONS, "--out-dir", str(tmp_path / "run")]))
