"""Stopping and going on: the same bits as a run that nothing disturbed."""

import shutil
import signal

import pytest

from aae_jax.run import training
from tests.runs.conftest import interrupt_after
from tests.runs.running import contents, copied, evidence, rows, train_plain
from tests.runs.running import plain_status as status


@pytest.fixture
def half(stopped, tmp_path):
    return copied(stopped, tmp_path / "half")


def newest_of(folder):
    return max((folder / "checkpoints" / "last").iterdir(), key=lambda path: int(path.name))


def biggest_file(folder):
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def truncate(checkpoint):
    path = biggest_file(checkpoint)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(checkpoint):
    path = checkpoint / "tree.safetensors"
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 8] = bytes(byte ^ 0x55 for byte in raw[middle : middle + 8])
    path.write_bytes(raw)


def garble(checkpoint):
    path = checkpoint / "tree.safetensors"
    path.write_bytes(b"garbage" * 100)


def lose_notes(checkpoint):
    (checkpoint / "notes.json").unlink()


def test_a_stopped_run_is_saved_but_not_finished(stopped):
    assert {path.name for path in (stopped / "checkpoints" / "last").iterdir()} == {"0", "1"}
    assert len(rows(stopped)) == 2
    assert not (stopped / "summary.json").exists()
    assert not (stopped / "model").exists()


def test_a_resumed_run_ends_at_the_same_bits(half, plain, capsys):
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 2, signal.SIGTERM)  # in the last epoch: only the report is left to do
        assert status("--resume", half) == 128 + signal.SIGTERM
    assert status("--resume", half) == 0
    assert evidence(half) == evidence(plain)
    assert "continuing after epoch 2" in capsys.readouterr().out


def test_ctrl_c_stops_after_the_epoch_and_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    before = signal.getsignal(signal.SIGINT)
    interrupt_after(monkeypatch, 0, signal.SIGINT)
    assert train_plain(tmp_path / "run") == 128 + signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is before
    said = capsys.readouterr()
    assert f"--resume {tmp_path / 'run'}" in said.out
    assert "stopping after this epoch" in said.err
    assert [row["epoch"] for row in rows(tmp_path / "run")] == [0]
    assert {path.name for path in (tmp_path / "run" / "checkpoints" / "last").iterdir()} == {"0"}


SLOW = pytest.mark.slow  # tests/unit/train/test_checkpoint.py has these damages too


@pytest.mark.parametrize(
    "damage",
    [flip, *(pytest.param(damage, marks=SLOW) for damage in (truncate, garble, lose_notes))],
)
def test_a_damaged_checkpoint_is_stepped_over(damage, half, plain, capsys):
    damage(newest_of(half))
    assert status("--resume", half) == 0
    said = capsys.readouterr().out
    assert "Checkpoint 1 cannot be read" in said
    assert "continuing after epoch 1" in said
    assert evidence(half) == evidence(plain)


def test_without_a_whole_checkpoint_nothing_is_resumed_or_removed(half, capsys):
    for checkpoint in (half / "checkpoints" / "last").iterdir():
        lose_notes(checkpoint)
    before = contents(half)
    assert status("--resume", half) == 2
    assert "nothing to resume" in capsys.readouterr().err
    assert contents(half) == before


@pytest.mark.slow
def test_what_a_kill_leaves_half_written_is_dropped(half, plain):
    newest = newest_of(half)
    newest.rename(newest.with_name("1.unfinished"))
    with (half / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "update": 72, "seconds": 1.0}\n{"epoch": 3, "upd')
    assert status("--resume", half) == 0
    assert evidence(half) == evidence(plain)
    assert not list(half.rglob("*.unfinished"))


def test_a_run_killed_before_its_first_checkpoint_begins_anew(half, plain, capsys):
    shutil.rmtree(half / "checkpoints")
    assert status("--resume", half) == 0
    assert "No checkpoint was saved yet" in capsys.readouterr().out
    assert evidence(half) == evidence(plain)


def test_a_finished_run_is_left_alone(plain, tmp_path, monkeypatch, capsys):
    folder = copied(plain, tmp_path / "run")
    before = contents(folder)
    monkeypatch.setattr(training, "Trainer", None)
    assert status("--resume", folder) == 0
    assert "is finished" in capsys.readouterr().out
    assert contents(folder) == before


@pytest.mark.slow
def test_a_run_killed_after_its_last_epoch_needs_no_more_training(plain, tmp_path):
    folder = copied(plain, tmp_path / "run")
    (folder / "summary.json").unlink()
    (folder / "model" / "config.json").unlink()
    assert status("--resume", folder) == 0
    assert evidence(folder) == evidence(plain)


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        (["--epochs", "99"], "epochs"),
        (["--network.hidden", "8"], "network.hidden"),
        (["--preset", "denoising"], "preset"),
        (["--out-dir", "elsewhere"], "--out-dir"),
    ],
)
def test_a_run_goes_on_with_its_own_configuration(half, extra, named, capsys):
    before = contents(half)
    assert status("--resume", half, *extra) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert named in error
    assert contents(half) == before


@pytest.mark.parametrize("kind", ["missing", "empty", "model"])
def test_a_folder_without_a_run_cannot_be_resumed(kind, plain, tmp_path, capsys):
    folder = {"missing": tmp_path / "no", "empty": tmp_path / "empty", "model": plain / "model"}[kind]
    (tmp_path / "empty").mkdir()
    assert status("--resume", folder) == 2
    assert capsys.readouterr().err.startswith(f"error: {folder} is not the folder of a run")
    assert not (tmp_path / "no").exists()
