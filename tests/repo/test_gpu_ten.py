"""The ten minutes on a GPU: whole numbers, nothing measured twice, prepared inputs used, a wrong number refused."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from aae_jax.data import Quiet, load_digits
from aae_jax.errors import InputError
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def ten() -> Any:
    """The four modules, which import each other as scripts do."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import gpu_inputs
        import gpu_programs
        import gpu_record
        import gpu_ten
    finally:
        sys.path.remove(str(BENCHMARKS))
    return SimpleNamespace(main=gpu_ten, inputs=gpu_inputs, programs=gpu_programs, record=gpu_record)


def random_targets(members: int = 2, points: int = 30, classes: int = 10) -> np.ndarray:
    draw = np.random.default_rng(0)
    weights = draw.random((members, points, 1)).astype(np.float32)
    weights[0, 0] = 0.0
    return np.eye(classes, dtype=np.float32)[draw.integers(0, classes, (members, points))] * weights


def test_targets_come_back_to_the_last_bit_and_for_their_own_data_alone(ten: Any, tmp_path: Path) -> None:
    digits, config, targets = load_digits(), SemiSupervisedConfig(labels=100), random_targets()
    members = [(config, 0), (config, 1)]
    file = tmp_path / "targets.npz"
    file.write_bytes(ten.inputs.pack(targets, ten.inputs.source_of(digits, members, 2)))
    find = ten.inputs.stored_targets(file)
    found = find(digits, members, 2, Quiet())
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, targets)
    other_data = dataclasses.replace(digits, sha256="0" * 64)
    other_labels = [(dataclasses.replace(config, labels=200), seed) for seed in (0, 1)]
    for arguments, differing in (
        ((other_data, members, 2), "data_sha256"),
        ((digits, members, 1), "max_shift"),
        ((digits, members[:1], 2), "members"),
        ((digits, other_labels, 2), "members"),
    ):
        with pytest.raises(InputError, match=f"labels of another {differing}; run benchmarks/gpu_prepare.sh"):
            find(*arguments, Quiet())


def test_targets_of_several_classes_are_not_packed(ten: Any) -> None:
    with pytest.raises(ValueError, match="not one class"):
        ten.inputs.pack(np.full((1, 3, 2), 0.5, np.float32), {})


def test_numbers_are_kept_and_those_of_another_device_refused(ten: Any, tmp_path: Path) -> None:
    record = ten.main.Record(tmp_path / "work", tmp_path)
    record.measure("good", lambda: 1.5)
    record.measure("bad", lambda: 1 / 0)
    record = ten.main.Record(tmp_path / "work", tmp_path)
    record.measure("good", lambda: 2.5)
    assert record.values["failed"] == {"bad": "ZeroDivisionError: division by zero"}
    record.measure("bad", lambda: 3.5)
    found = json.loads((tmp_path / "ten.json").read_text())
    assert found == json.loads((tmp_path / "work" / "ten.json").read_text())
    assert (found["good"], found["bad"], found["failed"]) == (1.5, 3.5, {})
    (tmp_path / "work" / "ten.json").write_text(json.dumps({**found, "device": "another card"}))
    with pytest.raises(InputError, match="numbers of another card, and this is"):
        ten.main.Record(tmp_path / "work", None)


def test_weights_unlike_a_cpus_are_no_silent_number(ten: Any, tmp_path: Path, monkeypatch: Any) -> None:
    weights = {f"['{part}']['w']": np.full(3, value, np.float32) for part, value in (("before", 1), ("after", 2))}
    np.savez(tmp_path / "reference.npz", **{f"w{name}": leaf for name, leaf in weights.items()})
    found = ten.inputs.compare_with_reference(tmp_path / "reference.npz", weights)
    assert found == {"first weights": 0.0, "largest difference": 0.0, "largest movement": 1.0}
    off = {**weights, "['after']['w']": np.float32([2, 2.01, 2])}
    monkeypatch.setattr(ten.main, "reference_weights", lambda precision, *, toy: off)
    record = ten.main.Record(tmp_path / "work", None)
    with pytest.raises(ArithmeticError, match=r"weights differ from a CPU's by 0.01, above 0.0001"):
        ten.main.check_weights(record, tmp_path)
    assert record.values["against a CPU, float32"]["largest difference"] == pytest.approx(0.01, rel=1e-4)
    with pytest.raises(InputError, match="other networks"):
        ten.inputs.compare_with_reference(tmp_path / "reference.npz", {})


def test_the_rows_length_is_planned_by_the_measured_update(ten: Any, tmp_path: Path) -> None:
    record = ten.main.Record(tmp_path, None)
    with pytest.raises(InputError, match="was not measured"):
        ten.main.planned_epochs(record, 300.0)
    record.note(ten.programs.SHIFTS, {"us an update": 2500.0})
    assert ten.main.planned_epochs(record, 360.0) == 200, "0.85 · 300 s hold 204 epochs of 500 updates of 2.5 ms"
    assert ten.main.planned_epochs(record, 210.0) == 102
    assert ten.main.planned_epochs(record, 10.0) == 1


def test_a_deadline_asks_to_stop_and_puts_the_handler_back(ten: Any) -> None:
    heard: list[int] = []
    before = signal.getsignal(signal.SIGTERM)
    with ten.main.Deadline(0.1):
        signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
        until = time.monotonic() + 10
        while not heard and time.monotonic() < until:
            time.sleep(0.02)
    assert heard == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(("most", "complete"), [(1e6, True), (100.0, False)])
def test_a_run_comes_back_and_is_unpacked(
    ten: Any, tmp_path: Path, monkeypatch: Any, most: float, complete: bool
) -> None:
    monkeypatch.setattr(ten.record, "PART_BYTES", 4000)
    out = tmp_path / "out"
    out.mkdir()
    record = ten.main.Record(tmp_path / "work", out)
    record.note("good", 1)
    run = tmp_path / "work" / "run"
    (run / "checkpoints" / "last").mkdir(parents=True)
    (run / "config.yaml").write_text("seed: 0\n")
    (run / "checkpoints" / "last" / "state").write_bytes(bytes(20_000))
    ten.main.bring_back(record, most)
    assert all(path.stat().st_size <= 4000 for path in out.glob("*.part"))
    assert ("not brought back" in record.values) != complete
    ten.main.unpack(out, tmp_path / "next")
    again = tmp_path / "next" / "run"
    assert (again / "config.yaml").read_text() == "seed: 0\n"
    assert (again / "checkpoints" / "last" / "state").is_file() == complete
    assert json.loads((tmp_path / "next" / "ten.json").read_text())["good"] == 1
    assert not (tmp_path / "next" / "run.tar").exists()
    with pytest.raises(InputError, match=r"ten.json is missing; give the folder"):
        ten.main.unpack(tmp_path / "nowhere", tmp_path / "next")


def call(script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), str(BENCHMARKS)])
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / script), "--toy", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "AAE_OFFLINE": "1", "PYTHONPATH": paths, **environment},
        check=False,
    )


@pytest.mark.slow
def test_everything_runs_at_toy_size_and_goes_on_from_what_came_back(ten: Any, tmp_path: Path) -> None:
    """Numbers first, the row after they were unpacked elsewhere, and nothing a third time."""
    inputs, out, cache = tmp_path / "inputs", tmp_path / "out", {"AAE_CACHE_DIR": str(tmp_path / "cache")}
    out.mkdir()
    flags = ("--inputs", inputs, "--seconds")
    missing = call("gpu_ten.py", "--folder", tmp_path / "none", *flags, 5, **cache)
    assert missing.returncode == 2
    assert "run benchmarks/gpu_prepare.sh first" in missing.stderr
    prepared = call("gpu_inputs.py", "--folder", inputs, **cache)
    assert prepared.returncode == 0, prepared.stderr
    first = call("gpu_ten.py", "--folder", tmp_path / "first", "--no-train", *flags, 600, OUT=str(out), **cache)
    assert first.returncode == 0, first.stderr
    measured = json.loads((out / "ten.json").read_text())
    for name in ten.programs.PLANS:
        assert measured[name]["us an update"] > 0
        assert len(measured[name]["all"]) == 5
    for name in ten.main.REPEATED:
        assert measured[f"{name}: same bits twice"] is True
    assert measured["against a CPU, float32"]["largest difference"] <= 1e-6
    assert measured["against a CPU, float32"]["largest movement"] > 0.01
    assert "test error" not in measured

    second = call("gpu_ten.py", "--unpack", out, "--folder", tmp_path / "second", *flags, 600, OUT=str(out), **cache)
    assert second.returncode == 0, second.stderr
    finished = json.loads((out / "ten.json").read_text())
    assert {name: finished[name] for name in ten.programs.PLANS} == {
        name: measured[name] for name in ten.programs.PLANS
    }
    assert "linking" not in second.stdout, "the row's labels were carried along"
    assert "compiled the row" in second.stdout
    assert "compiled plain" not in second.stdout
    assert len(finished["test error"]["per_seed"]) == 2
    assert finished["training"][0]["status"] == 0

    third = call("gpu_ten.py", "--unpack", out, "--folder", tmp_path / "third", *flags, 600, **cache)
    assert third.returncode == 0, third.stderr
    assert "compiled" not in third.stdout
    assert (tmp_path / "third" / "run" / "summary.json").is_file()
