"""Training on an accelerator: equal to a CPU's but for rounding; precision, sweep, resume, saved model.

Each check is a function of the device. `pytest -m gpu` calls it with an accelerator and is skipped without one; the
slow tests call it with a CPU, and show that it fails where something is wrong.
"""

import csv
import dataclasses
import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import aae_jax
from aae_jax.networks import fastest_precision
from aae_jax.networks.precision import has_tf32
from aae_jax.run.run import main as run_model
from aae_jax.run.sweep import command as sweep
from aae_jax.train import checkpoint
from tests.slow.test_benchmarks import BENCHMARKS, module_of

SMALL = (
    *("--preset", "smoke", "--dataset", "digits", "--labels", "100", "--epochs", "3", "--checkpoint-seconds", "0"),
    *("--network.precision", "float32"),
)
LOSSES = ("reconstruction/loss", "discriminator_z/loss", "generator/loss", "classification/loss")
ERROR_BY_PRECISION = {"float32": (0.0, 1e-5), "tf32": (5e-5, 2e-3), "bfloat16": (5e-4, 2e-2)}
"""Least and most error of an encoder's logits, relative to a CPU's in float32.

TF32 has 10 bits of mantissa, bfloat16 has 7; what rounds less than that is not the precision that was asked for."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return where runs are kept for the next check, and keep this machine's cache and data out of them."""
    found = tmp_path_factory.mktemp("accelerator")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(found)
        patch.setenv("AAE_CACHE_DIR", str(found / "cache"))
        patch.delenv("AAE_DATA_DIR", raising=False)
        yield found


def train_semi_supervised(argv: list[str]) -> int:
    return run_model("semi_supervised", argv)


def run(device: jax.Device, folder: Path, *flags: object, command: Any = train_semi_supervised) -> Path:
    """Train on a device into a folder, unless a finished run is there, and return the folder."""
    if not (folder / "summary.json").is_file():
        with jax.default_device(device):
            assert command([*map(str, (*SMALL, *flags)), "--out-dir", str(folder)]) == 0
    return folder


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return found


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def losses(folder: Path) -> np.ndarray:
    """Return `[epochs, losses, seeds]` of a run, all of them finite."""
    found = np.asarray([[row[name] for name in LOSSES] for row in rows(folder)], np.float64)
    assert np.isfinite(found).all()
    return found


def check_training(device: jax.Device, reference: jax.Device, folder: Path, *, precision: str = "float32") -> None:
    """Twenty updates by gradient descent from the same weights end with the same weights."""
    inputs = module_of(BENCHMARKS / "gpu_inputs.py")
    with jax.default_device(reference):
        file = inputs.write_reference(folder, toy=True)
    with jax.default_device(device):
        found = inputs.compare_with_reference(file, inputs.reference_weights(precision, toy=True))
    assert found["first weights"] <= 1e-6
    assert found["largest movement"] > 0.01
    assert found["largest difference"] <= 1e-4


def logits(device: jax.Device, precision: str) -> np.ndarray:
    """Return what an encoder of fixed weights makes of fixed images on a device."""
    config = aae_jax.resolve(aae_jax.preset("plain"), (8, 8))
    network = dataclasses.replace(config.network, hidden=(256, 128), precision=precision)
    draw = np.random.default_rng(0)
    images = draw.random((50, 8, 8), dtype=np.float32)
    with jax.default_device(device):
        networks = aae_jax.build_mlp_networks(network, (8, 8), 10)
        params, stats = networks.init(jax.random.key(0))
        assert {leaf.device for leaf in jax.tree.leaves(params)} == {device}
        encoded = jax.jit(lambda params, stats, images: networks.encode(params, stats, images, None)[0].logits)
        return np.asarray(encoded(params, stats, images), np.float64)


def check_precision(
    device: jax.Device,
    reference: jax.Device,
    folder: Path,
    *,
    encode: Callable[[jax.Device, str], np.ndarray] = logits,
) -> None:
    """Products are rounded as much as was asked for, and training by each precision is finite."""
    expected = encode(reference, "float32")
    for precision in ("float32", "bfloat16", *(["tf32"] if has_tf32() else [])):
        error = np.linalg.norm(encode(device, precision) - expected) / np.linalg.norm(expected)
        least, most = ERROR_BY_PRECISION[precision]
        assert least <= error <= most, f"{precision}: {error:.2g}"
        losses(run(device, folder / precision, "--network.precision", precision, "--epochs", 1))
    chosen = run(device, folder / "auto", "--network.precision", "auto", "--epochs", 1)
    assert f"precision: {fastest_precision()}\n" in (chosen / "config.yaml").read_text(encoding="utf-8")


def check_sweep(device: jax.Device, reference: jax.Device, folder: Path, *, alone: float = 0.5) -> None:
    """A setting in a sweep's program trains as it does in a run of its own."""
    del reference
    swept = run(device, folder / "sweep", "--vary", "views.noise_std=0.1,0.5", command=sweep.main)
    table = list(csv.DictReader((swept / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert {float(row["views.noise_std"]) for row in table} == {0.1, 0.5}
    assert all(0 <= float(row["validation_error"]) < 0.95 for row in table)
    own = run(device, folder / f"noise-{alone}", "--views.noise_std", alone, "--no-test")
    together = losses(swept / "chunks" / "000")[..., 1:]
    np.testing.assert_allclose(together, losses(own), rtol=2e-2)


def check_resume(device: jax.Device, reference: jax.Device, folder: Path) -> None:
    """A run that lost its last epoch ends as it did before: to the last bit on a CPU, but for rounding elsewhere."""
    del reference
    whole = run(device, folder / "whole", "--num-seeds", 2)
    assert summary(whole)["device"] == f"{device.device_kind} ({device.platform})"
    cut = folder / "cut"
    shutil.rmtree(cut, ignore_errors=True)
    shutil.copytree(whole, cut)
    shutil.rmtree(cut / "model")
    (cut / "summary.json").unlink()
    saved = sorted((cut / "checkpoints" / "last").iterdir(), key=lambda path: int(path.name))
    assert [path.name for path in saved] == ["1", "2"]
    shutil.rmtree(saved[-1])
    with jax.default_device(device):
        assert run_model("semi_supervised", ["--resume", str(cut)]) == 0
    rounding = 0.0 if device.platform == "cpu" else 1e-3
    np.testing.assert_allclose(losses(cut), losses(whole), rtol=rounding)
    errors = [summary(path)["validation"]["error"]["mean"] for path in (cut, whole)]
    assert errors[0] == pytest.approx(errors[1], abs=10 * rounding)


def check_saved_model(
    device: jax.Device, reference: jax.Device, folder: Path, *, load: Callable[[Path], Any] = aae_jax.load
) -> None:
    """A saved model has the error that its run reported, and the same probabilities on either device."""
    whole = run(device, folder / "whole", "--num-seeds", 2)
    digits = aae_jax.load_dataset("digits")
    probabilities = {}
    for where in (device, reference):
        with jax.default_device(where):
            model = load(whole)
            probabilities[where] = np.asarray(model.predict_proba(digits.test_images))
            predicted = np.asarray(model.predict(digits.test_images))
        np.testing.assert_array_equal(predicted, probabilities[where].argmax(axis=1))
        error = np.mean(predicted != digits.test_labels)
        reported = summary(whole)["test"]["error"]["per_seed"][0]
        assert error == pytest.approx(reported, abs=1.5 / len(predicted)), "one image may be a tie"
    with jax.default_device(reference):
        expected = np.asarray(aae_jax.load(whole).predict_proba(digits.test_images))
    np.testing.assert_allclose(probabilities[device], expected, atol=1e-4)


CHECKS = {
    "training": check_training,
    "precision": check_precision,
    "sweep": check_sweep,
    "resume": check_resume,
    "saved model": check_saved_model,
}


@pytest.mark.gpu
@pytest.mark.parametrize("name", CHECKS)
def test_an_accelerator_does_what_a_cpu_does(name: str, folder: Path) -> None:
    device = jax.devices()[0]
    if device.platform == "cpu":
        pytest.skip("there is no accelerator: JAX's default device is a CPU")
    CHECKS[name](device, jax.devices("cpu")[0], folder)


@pytest.fixture
def cpu() -> jax.Device:
    """Return this machine's CPU; with an accelerator the checks of a CPU are not what they are written for."""
    if jax.default_backend() != "cpu":
        pytest.skip("JAX's default device is an accelerator, which `pytest -m gpu` checks")
    return jax.devices("cpu")[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_the_check_passes_on_a_cpu(name: str, folder: Path, cpu: jax.Device) -> None:
    CHECKS[name](cpu, cpu, folder)


def wrong_model(path: Path) -> Any:
    model = aae_jax.load(path)
    return dataclasses.replace(model, params=jax.tree.map(lambda leaf: 1.05 * leaf, model.params))


WRONG = {
    "training": functools.partial(check_training, precision="bfloat16"),
    "precision": functools.partial(check_precision, encode=lambda device, _: logits(device, "float32")),
    "sweep": functools.partial(check_sweep, alone=0.1),
    "saved model": functools.partial(check_saved_model, load=wrong_model),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_the_check_fails_where_something_is_wrong(name: str, folder: Path, cpu: jax.Device) -> None:
    with pytest.raises(AssertionError):
        WRONG[name](cpu, cpu, folder)


@pytest.mark.slow
def test_a_checkpoint_of_other_weights_fails_the_check(
    folder: Path, cpu: jax.Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore = checkpoint.restore_latest

    def changed(*arguments: Any) -> checkpoint.Restored:
        restored = restore(*arguments)
        state, *others = restored.tree
        state = state._replace(params=jax.tree.map(lambda leaf: 1.01 * leaf, state.params))
        return restored._replace(tree=(state, *others))

    monkeypatch.setattr(checkpoint, "restore_latest", changed)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_resume(cpu, cpu, folder)
