"""What machines, disks, clocks and terminals do to a run."""

import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax import cli, figures, losses, priors
from aae_jax.errors import StorageError
from aae_jax.files import LOCK_FILE, FolderLock, write_whole
from aae_jax.run import run_dir as run_folder
from aae_jax.run.console import Console
from aae_jax.run.sweep import command as sweep
from aae_jax.train import checkpoint
from tests.runs.conftest import interrupt_after
from tests.runs.running import (
    EPOCHS,
    PLAIN,
    ROOT,
    SMALL,
    contents,
    copied,
    evidence,
    plain_status,
    status,
    train,
    train_plain,
)


def one_sentence(capsys):
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1, said
    return said


CLAIM = """
import pathlib, sys
from aae_jax.files import FolderLock

claim = FolderLock(pathlib.Path(sys.argv[1]))
print("claimed", flush=True)
input()
"""


@pytest.fixture
def claimed_by_another(tmp_path):
    """Return a function that has another process claim a folder until the test ends."""
    processes = []

    def claim(folder):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", CLAIM, str(folder)]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout.readline()
        return process

    yield claim
    for process in processes:
        process.communicate(b"\n")


def test_two_runs_on_one_folder(tmp_path, stopped, claimed_by_another, capsys):
    new = tmp_path / "new"
    new.mkdir()
    claimed_by_another(new)
    assert train_plain(new) == 2
    assert "Another run is writing in" in one_sentence(capsys)
    assert [entry.name for entry in new.iterdir()] == [LOCK_FILE]
    half = copied(stopped, tmp_path / "half")
    before = contents(half)
    owner = claimed_by_another(half)
    assert plain_status("--resume", half) == 2
    assert "Another run is writing in" in one_sentence(capsys)
    assert contents(half) == {**before, LOCK_FILE: b""}
    owner.kill()  # a claim goes with its process
    owner.wait()
    FolderLock(half).release()
    assert contents(half) == before


def test_a_claim_that_was_released_while_another_waited(tmp_path, monkeypatch):
    """The owner removes the lock file between the other's opening and locking it."""
    from aae_jax import files

    real, locks = files._lock, []

    def lock(descriptor):
        if len(locks) == 1:  # the folder is locked, and the file open
            (tmp_path / LOCK_FILE).unlink()
        locks.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(files, "_lock", lock)
    claim = FolderLock(tmp_path, wait=1)
    assert len(locks) == 4
    assert (tmp_path / LOCK_FILE).exists()
    claim.release()
    assert not (tmp_path / LOCK_FILE).exists()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that nobody can write")
def test_a_folder_that_cannot_be_written(capsys):
    assert train_plain("/proc/self/run") == 2
    assert "/proc/self/run cannot be written" in one_sentence(capsys)


def save_npz(path, seed):
    generator = np.random.default_rng(seed)
    labels = np.arange(400) % 4
    images = (40 * labels[:, None, None] + generator.integers(0, 60, (400, 6, 6))).astype(np.uint8)
    np.savez(path, x=images, y=labels)


@pytest.mark.slow
def test_data_that_change_between_start_and_resume(tmp_path, capsys):
    folder, data = tmp_path / "run", tmp_path / "my data.npz"
    save_npz(data, seed=0)
    flags = (
        "--preset",
        "smoke",
        "--dataset",
        f"npz:{data}",
        "--labels",
        "40",
        "--epochs",
        "3",
        "--checkpoint-seconds",
        "0",
    )
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 0, signal.SIGTERM)
        assert status(*flags, "--out-dir", folder) == 128 + signal.SIGTERM
    before = contents(folder)
    save_npz(data, seed=1)
    capsys.readouterr()
    assert status("--resume", folder) == 2
    assert "The data have changed since the run started" in one_sentence(capsys)
    assert contents(folder) == before
    save_npz(data, seed=0)
    assert status("--resume", folder) == 0


PHASE_LOSSES = {
    "reconstruction": "half_squared_error",
    "discriminator_z": "discriminator_loss",
    "generator": "generator_loss",
    "classification": "classification_loss",
}


@pytest.mark.slow
@pytest.mark.parametrize("phase", [*PHASE_LOSSES, "discriminator_y"])
def test_nan_in_a_phase_is_named(phase, tmp_path, monkeypatch, capsys):
    if phase in PHASE_LOSSES:
        monkeypatch.setattr(losses, PHASE_LOSSES[phase], lambda *_: jnp.asarray(jnp.nan))
    else:  # it shares its loss with the other discriminator, but not its prior
        monkeypatch.setattr(priors, "build_categorical", lambda k: lambda key, n: jnp.full((n, k), jnp.nan))
    folder = tmp_path / "run"
    assert train(folder) == 1
    said = capsys.readouterr().out
    assert f"Seed 0 failed: phase {phase} is not finite at update 1" in said
    assert "All seeds failed. Try a lower" in said
    assert not (folder / "summary.json").exists()
    assert not (folder / "model").exists()


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert contents(tmp_path) == {"file": b"old"}


def test_a_checkpoint_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    tree = {"weights": jnp.zeros(3)}
    checkpoint.save(tmp_path, 1, tree, {})

    def full(*_):
        raise ValueError("RESOURCE_EXHAUSTED:\n  no space")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(
        StorageError, match=r"Checkpoint 2 could not be written into .* \(RESOURCE_EXHAUSTED: no space\)"
    ):
        checkpoint.save(tmp_path, 2, tree, {})
    assert checkpoint.restore_latest(tmp_path, tree, print).number == 1


@pytest.mark.parametrize(
    "error",
    [StorageError("Checkpoint 1 could not be written"), OSError(28, "No space left on device", "file")],
    ids=str,
)
def test_what_cannot_be_written_ends_with_status_1(error, tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr(run_folder.RunFolder, "append_metrics", fail)
    assert train_plain(tmp_path / "run") == 1
    assert str(error) in one_sentence(capsys)
    assert not (tmp_path / "run" / LOCK_FILE).exists()


class Terminal(io.StringIO):
    """Text that believes it is shown."""

    def isatty(self):
        return True


def test_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    console = Console()
    for i in range(3):
        console.rewritten(f"epoch {i} " + "x" * 200)
    console.rewritten("short")
    console.say("done")
    written = screen.getvalue()
    lines = re.split(r"\r\033\[K|\n", written)
    assert max(map(len, lines)) < 40
    assert lines[-3:] == ["short", "done", ""]
    assert "\033" not in written.replace("\r\033[K", "")


def test_a_stream_that_cannot_show_the_signs(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", errors="strict"))
    Console().say("2.31 ± 0.12 % … done")
    assert raw.getvalue() == b"2.31 ? 0.12 % ? done\n"


def test_no_clock_that_can_be_set_is_asked_for_durations():
    """`time.time` may go back; `time.perf_counter` does not. Dates name folders and stand in summaries."""
    for path in (ROOT / "aae_jax").rglob("*.py"):
        assert not re.search(r"\btime\.time\(", path.read_text()), path


def test_a_clock_set_back_gives_another_folder(tmp_path, monkeypatch):
    class Stopped(run_folder.datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2020, 1, 1)

    monkeypatch.setattr(run_folder.datetime, "datetime", Stopped)
    folders = [run_folder.create_run_folder(None, "semi_supervised", 0) for _ in range(3)]
    assert len({folder.path for folder in folders}) == 3
    for folder in folders:
        folder.release()


def test_importing_needs_no_display_and_little_else():
    code = (
        "import sys, aae_jax\n"
        "heavy = {'matplotlib.pyplot', 'tensorflow_datasets', 'tensorflow', 'sklearn', 'requests', 'PIL.Image'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")}
    environment["PYTHONPATH"] = str(ROOT)
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "AAE_CACHE_DIR": str(folder / "cache"),
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


COMMAND = """
import sys
from aae_jax.run.run import main as run_model

print("here", flush=True)
sys.exit(run_model("semi_supervised"))
"""


def start(argv, environment, code=COMMAND, **options):
    command = [sys.executable, "-c", code, *map(str, argv)]
    return subprocess.run(command, env=environment, capture_output=True, check=False, **options)


@pytest.mark.slow
def test_a_hostile_environment(environment, tmp_path):
    """No home, no UTF-8, no colours, no display, a dumb terminal, and names with spaces and umlauts."""
    here = tmp_path / "Ordner mit Größe"
    here.mkdir()
    save_npz(here / "eigene Däten.npz", seed=0)
    hostile = {
        **{k: v for k, v in environment.items() if k not in ("DISPLAY", "AAE_CACHE_DIR", "LANG")},
        **{"HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
        **{"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "40"},
    }
    flags = (
        "--preset",
        "smoke",
        "--dataset",
        "npz:eigene Däten.npz",
        "--labels",
        "40",
        "--out-dir",
        "Läufe/erster Lauf",
    )
    result = start(flags, hostile, cwd=here)
    assert result.returncode == 0, result.stderr
    assert (here / "Läufe" / "erster Lauf" / "summary.json").exists()
    assert b"\033" not in result.stdout


LIMITED = """
import resource, sys
from aae_jax import files
from aae_jax.models.semi_supervised import experiment as semi_supervised
from aae_jax.run import event_log, report, run_dir as run_folder
from aae_jax.run.run import main as run_model
from aae_jax.train import checkpoint

def limit(owner, name):
    original = getattr(owner, name)
    def limited(*arguments, **keywords):
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
        return original(*arguments, **keywords)
    setattr(owner, name, limited)

places = {
    "saving": (checkpoint, "save"),
    "logging": (run_folder.RunFolder, "append_metrics"),
    "events": (event_log.EventLog, "scalars"),
    "the model": (report, "save_models"),
    "drawing": (report, "_save_figures"),
}
limit(*places[sys.argv.pop(1)])
sys.exit(run_model("semi_supervised"))
"""


@pytest.fixture(scope="module")
def undisturbed(environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    assert start([*SMALL, "--out-dir", folder], environment).returncode == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("place", ["saving", "logging", "events", "the model", "drawing"])
def test_a_full_disk(place, environment, undisturbed, tmp_path):
    pytest.importorskip("resource")
    folder = tmp_path / "run"
    shown = ["--tensorboard"] if place == "events" else []
    result = start([place, *SMALL, *shown, "--out-dir", folder], environment, code=LIMITED, timeout=120)
    said = result.stderr.decode()
    assert result.returncode == 1, said
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "what was saved before is intact" in said
    assert not (folder / "summary.json").exists()
    assert not (folder / "model" / "config.json").exists() or place == "drawing"
    resumed = start(["--resume", folder], environment)
    assert resumed.returncode == 0, resumed.stderr
    assert evidence(folder) == evidence(undisturbed)


LONG = 20


@pytest.mark.slow
def test_killed_at_twenty_random_moments(environment, tmp_path):
    """Four runs of twenty epochs, each killed five times at random and gone on with."""
    flags = (*SMALL, "--epochs", str(LONG))
    whole = tmp_path / "whole"
    assert start([*flags, "--out-dir", whole], environment).returncode == 0
    moments, kills = random.Random(0), 0
    for number in range(4):
        folder = tmp_path / f"run{number}"
        argv = [*flags, "--out-dir", folder]
        for _ in range(5):
            process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, *map(str, argv)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert process.stdout.readline() == b"here\n"
            time.sleep(moments.uniform(0.5, 8))
            process.kill()
            process.communicate()
            kills += process.returncode == -signal.SIGKILL
            if (folder / "config.yaml").exists():
                argv = ["--resume", folder]
        assert start(argv, environment).returncode == 0
        assert evidence(folder) == evidence(whole)
    assert kills >= 18  # a run may end before its last moment comes


def unfinished(whole, target):
    """Return a copy of a run whose training is over, but whose report was never finished."""
    folder = copied(whole, target)
    (folder / "summary.json").unlink()
    return folder


def broken(*_, **__):
    raise ValueError("Expected end of text, found '$'")


@pytest.mark.usefixtures("figures_drawn")
def test_a_figure_that_cannot_be_drawn_never_costs_the_summary(plain, tmp_path, monkeypatch, capsys):
    folder = unfinished(plain, tmp_path / "run")
    (folder / "figures" / "code_scatter.png").unlink()
    monkeypatch.setattr("aae_jax.figures.code_scatter", broken)
    assert plain_status("--resume", folder) == 0
    said = capsys.readouterr().out
    assert said.count("\n! ") == 1
    assert "! The figure code_scatter could not be drawn (ValueError: Expected end of text, found '$').\n" in said
    assert said.index("! The figure") < said.index("digits test images")
    assert evidence(folder) == evidence(plain)
    drawn = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    expected = {path.name: path.read_bytes() for path in (plain / "figures").iterdir()}
    assert expected.keys() - drawn.keys() == {"code_scatter.png"}
    assert all(expected[name] == content for name, content in drawn.items())


@pytest.mark.usefixtures("figures_drawn")
def test_matplotlib_that_cannot_be_imported_stops_neither_training_nor_report(plain, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "aae_jax.figures.of_models.codes", None)
    assert train_plain(tmp_path / "run", "--figures-every", "1") == 0
    said = capsys.readouterr().out
    assert said.count("! No figure could be drawn (ModuleNotFoundError: ") == EPOCHS + 1
    assert {k: v for k, v in evidence(tmp_path / "run").items() if k != "config"} == {
        k: v for k, v in evidence(plain).items() if k != "config"
    }
    assert not (tmp_path / "run" / "figures").exists()


@pytest.mark.usefixtures("figures_drawn")
def test_a_notice_that_cannot_be_printed_comes_after_the_summary(plain, tmp_path, monkeypatch):
    folder = unfinished(plain, tmp_path / "run")

    def no_reader(self, text):
        assert (folder / "summary.json").exists()
        raise BrokenPipeError

    monkeypatch.setitem(sys.modules, "aae_jax.figures.of_models.codes", None)
    monkeypatch.setattr(Console, "notice", no_reader)
    assert plain_status("--resume", folder) == 1
    assert evidence(folder) == evidence(plain)


@pytest.mark.usefixtures("figures_drawn")
def test_a_model_of_codes_reports_without_a_figure(tmp_path, monkeypatch, capsys):
    def draw(*_):
        return {
            "walks": broken,
            "learning_curves": lambda: figures.learning_curves([1], {"reconstruction/loss": [1]}),
        }

    monkeypatch.setattr("aae_jax.figures.of_models.codes.draw_code_figures", draw)
    assert train_plain(tmp_path / "run", "--epochs", "1") == 0
    assert (tmp_path / "run" / "summary.json").exists()
    assert "! The figure walks could not be drawn" in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "run" / "figures").iterdir()}
    assert names == {"learning_curves.png", "learning_curves.svg"}


def test_a_sweep_is_summed_up_without_its_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("aae_jax.figures.sweep_figure", broken)
    argv = [*PLAIN, "--epochs", "1", "--vary", "weights.reconstruction=0.5", "--out-dir", str(tmp_path / "run")]
    assert sweep.main(["autoencoder", *argv]) == 0
    assert "! The figure sweep could not be drawn" in capsys.readouterr().out
    assert (tmp_path / "run" / "summary.json").exists()
    assert (tmp_path / "run" / "table.csv").exists()


def test_visualize_draws_the_others_and_ends_with_status_1(finished, tmp_path, monkeypatch, capsys):
    drawn = {"first": broken, "latent_features_tsne": lambda: figures.label_frequencies([1, 2])}
    monkeypatch.setattr("aae_jax.commands.visualize.draw_model", lambda *_: drawn)
    argv = [str(finished / "model"), "--dataset", "digits", "--out-dir", str(tmp_path / "drawn")]
    assert cli.main(["visualize", *argv]) == 1
    said = one_sentence(capsys)
    assert said == "error: The figure first could not be drawn (ValueError: Expected end of text, found '$').\n"
    names = {path.name for path in (tmp_path / "drawn").iterdir()}
    assert names == {"latent_features_tsne.png", "latent_features_tnse.png"}


@pytest.fixture
def priced(finished, tmp_path):
    """A saved model whose classes are named with dollar signs and worse."""
    folder = copied(finished / "model", tmp_path / "priced")
    names = ["10% of $ to 20% of $", "$", "\\$", "$\\frac{1$", "a\nb", "\x1b[31m", "\u202e", "😀", "_", "x" * 10_000]
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "class_names": names}))
    return folder


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_samples_of_classes_with_any_names_are_drawn(priced, ending, tmp_path, capsys):
    out = tmp_path / f"made.{ending}"
    assert cli.main(["generate", str(priced), "--count", "1", "--out", str(out)]) == 0
    assert out.stat().st_size > 1000
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_all_figures_of_a_model_with_any_names_are_drawn(priced, tmp_path, capsys):
    argv = [str(priced), "--dataset", "digits", "--images", "60", "--out-dir", str(tmp_path / "drawn")]
    assert cli.main(["visualize", *argv]) == 0
    assert capsys.readouterr().err == ""


def test_samples_that_cannot_be_drawn_are_one_sentence(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("aae_jax.figures.style_class_grid", broken)
    assert cli.main(["generate", str(finished), "--count", "1", "--out", str(tmp_path / "made.png")]) == 2
    assert "give fewer images, or --out an .npz file" in one_sentence(capsys)
    assert not (tmp_path / "made.png").exists()


NOTEBOOK = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
PROGRAM = "import sys; from aae_jax.cli import main; sys.exit(main(sys.argv[1:]))"


def test_commands_on_models_work_in_a_notebook(plain, environment, tmp_path):
    np.save(tmp_path / "some.npy", np.zeros((2, 8, 8), np.uint8))
    out = tmp_path / "made.png"
    argv = ["reconstruct", plain / "model", tmp_path / "some.npy", "--out", out]
    result = start(argv, {**environment, **NOTEBOOK}, PROGRAM)
    assert result.returncode == 0, result.stderr
    assert out.stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("command", ["predict", "generate", "visualize", "interpolate", "doctor", "evaluate"])
def test_every_command_works_in_a_notebook(command, finished, environment, tmp_path):
    np.save(tmp_path / "some.npy", np.arange(128, dtype=np.uint8).reshape(2, 8, 8) * 2)
    further = {
        "predict": [tmp_path / "some.npy"],
        "interpolate": [tmp_path / "some.npy"],
        "visualize": ["--dataset", "digits", "--images", "60"],
        "evaluate": ["--dataset", "digits"],
    }
    argv = [command, finished, *further.get(command, [])]
    result = start(argv, {**environment, **NOTEBOOK}, PROGRAM, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("first", [["train", "semi-supervised"], None])
def test_a_run_started_in_a_notebook_is_finished(first, environment, tmp_path):
    argv = [*(first or ()), *SMALL, "--out-dir", tmp_path / "run"]
    result = start(argv, {**environment, **NOTEBOOK}, COMMAND if first is None else PROGRAM)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "summary.json").exists()
    assert (tmp_path / "run" / "figures" / "learning_curves.png").exists()
    assert b"could not be drawn" not in result.stdout
