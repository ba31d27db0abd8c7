"""SIGKILL at several moments, in processes of their own and fully optimised; the same bits in the end."""

import os
import signal
import subprocess
import sys

import pytest

from tests.runs.running import EPOCHS, ROOT, SMALL, evidence, rows

pytestmark = pytest.mark.slow

DRIVER = """
import os, pathlib, signal, sys
from aae_jax.models.semi_supervised import experiment as semi_supervised
from aae_jax.run import report, run_dir as run_folder
from aae_jax.run.run import main as run_model
from aae_jax.train import checkpoint

moment, number = sys.argv[1], int(sys.argv[2])
calls = 0

def at(owner, name, when):
    original = getattr(owner, name)
    def replaced(*arguments, **keywords):
        global calls
        calls += 1
        result = original(*arguments, **keywords) if when == "after" else None
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **keywords) if when == "before" else result
    setattr(owner, name, replaced)

points = {
    "before a row": (run_folder.RunFolder, "append_metrics", "before"),
    "after a row": (run_folder.RunFolder, "append_metrics", "after"),
    "in the tree": (checkpoint, "save_file", "after"),
    "before the rename": (pathlib.Path, "rename", "before"),
    "after the rename": (pathlib.Path, "rename", "after"),
    "baseline": (semi_supervised, "_train_baseline", "before"),
    "models": (report, "save_models", "after"),
}
if moment in points:
    at(*points[moment])
sys.exit(run_model("semi_supervised", sys.argv[3:]))
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Return a starter of the command in a process that may be told to kill itself."""
    folder = tmp_path_factory.mktemp("processes")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "AAE_CACHE_DIR": str(folder / "cache"),
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }

    def start(*argv, moment="never", number=1, code=DRIVER):
        command = [sys.executable, "-c", code, moment, str(number), *map(str, argv)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    return start


@pytest.fixture(scope="module")
def undisturbed(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    result = start(*SMALL, "--out-dir", folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("before a row", EPOCHS),
        ("after a row", 2),
        ("in the tree", 3),  # the second epoch's best weights
        ("in the tree", 4),  # the second epoch's state
        ("before the rename", 3),
        ("before the rename", 4),
        ("before the rename", 2 * EPOCHS),
        ("after the rename", 4),
        ("baseline", 1),
        ("models", 1),
    ],
)
def test_killed_and_resumed_it_ends_at_the_same_bits(moment, number, start, undisturbed, tmp_path):
    folder = tmp_path / "run"
    assert start(*SMALL, "--out-dir", folder, moment=moment, number=number).returncode == -signal.SIGKILL
    assert not (folder / "summary.json").exists()
    result = start("--resume", folder)
    assert result.returncode == 0, result.stderr
    assert "continuing after epoch" in result.stdout
    assert evidence(folder) == evidence(undisturbed)
    assert not list(folder.rglob("*.unfinished"))


def test_killed_twice_it_ends_at_the_same_bits(start, undisturbed, tmp_path):
    folder = tmp_path / "run"
    for argv, number in (((*SMALL, "--out-dir", folder), 4), (("--resume", folder), 1)):
        assert start(*argv, moment="before the rename", number=number).returncode == -signal.SIGKILL
    assert start("--resume", folder).returncode == 0
    assert evidence(folder) == evidence(undisturbed)


@pytest.mark.parametrize(("moment", "number"), [("in the tree", 1), ("before the rename", 1)])
def test_killed_before_its_first_checkpoint_it_begins_anew(moment, number, start, undisturbed, tmp_path):
    folder = tmp_path / "run"
    assert start(*SMALL, "--out-dir", folder, moment=moment, number=number).returncode == -signal.SIGKILL
    assert len(rows(folder)) == 1
    result = start("--resume", folder)
    assert result.returncode == 0, result.stderr
    assert "the run starts over" in result.stdout
    assert evidence(folder) == evidence(undisturbed)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_asked_to_stop_does(signum, start, undisturbed, tmp_path):
    folder = tmp_path / "run"
    code = f"import os\nos_kill = os.kill\nos.kill = lambda pid, _: os_kill(pid, {int(signum)})\n{DRIVER}"
    command = start(*SMALL, "--out-dir", folder, moment="after a row", number=2, code=code)
    assert command.returncode == 128 + signum
    assert f"--resume {folder}" in command.stdout
    assert start("--resume", folder).returncode == 0
    assert evidence(folder) == evidence(undisturbed)
