"""Streamed runs: the bits of runs in memory, also after a stop or a kill within an epoch; what cannot be streamed."""

import json
import signal

import numpy as np
import pytest

from aae_jax.run.checkpoints import Checkpoints
from aae_jax.run.sweep.command import main as run_sweep
from tests.runs.running import (
    PLAIN,
    SMALL,
    drawing,
    evidence,
    plain_status,
    status,
    summary,
    train,
    train_plain,
)

STREAM = ("--stream", "--stream-updates", "10")
"""Chunks of 10, 10 and 4 of the 24 updates of an epoch of the digits."""


class KilledError(BaseException):
    """What stands for a kill: nothing catches it."""


def after_saves(patch, count, action):
    """Call `action` after a number of checkpoints within epochs."""
    original, calls = Checkpoints.save_within, []

    def save_within(*given):
        original(*given)
        calls.append(given)
        if len(calls) == count:
            action()

    patch.setattr(Checkpoints, "save_within", save_within)


def kill():
    raise KilledError


def terminate():
    signal.raise_signal(signal.SIGTERM)


def notes_of(folder):
    newest = max((folder / "checkpoints" / "last").iterdir(), key=lambda path: int(path.name))
    return json.loads((newest / "notes.json").read_text())


def test_a_streamed_run_has_the_bits_of_one_in_memory(plain, tmp_path, capsys):
    assert train_plain(tmp_path / "run", *STREAM) == 0
    assert evidence(tmp_path / "run") == evidence(plain)
    assert "stream   pool images are read from memory, part by part" in capsys.readouterr().out
    config = (tmp_path / "run" / "config.yaml").read_text()
    assert "stream: true" in config
    assert "stream_updates: 10" in config


@pytest.mark.slow
def test_labels_and_the_baseline_are_the_same(finished, tmp_path):
    assert train(tmp_path / "run", *STREAM) == 0
    assert evidence(tmp_path / "run") == evidence(finished)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_killed_within_an_epoch_it_ends_at_the_same_bits(plain, tmp_path, capsys, count):
    folder, within = tmp_path / "run", [10, 20][(count - 1) % 2]
    with pytest.MonkeyPatch.context() as patch:
        after_saves(patch, count, kill)
        with pytest.raises(KilledError):
            train_plain(folder, *STREAM)
    assert (notes_of(folder)["epoch"], notes_of(folder)["updates"]) == ((count - 1) // 2 - 1, within)
    assert plain_status("--resume", folder) == 0
    assert evidence(folder) == evidence(plain)
    said = capsys.readouterr().out
    assert (f"continuing after {within} updates\n" if count < 3 else "continuing after epoch 1 and") in said


def test_a_signal_stops_within_an_epoch(plain, tmp_path, capsys):
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        after_saves(patch, 3, terminate)
        assert train_plain(folder, *STREAM) == 128 + signal.SIGTERM
    assert notes_of(folder)["updates"] == 20
    assert f"--resume {folder}" in capsys.readouterr().out
    assert plain_status("--resume", folder, "--checkpoint-seconds", "3") == 2
    assert plain_status("--resume", folder) == 0
    assert evidence(folder) == evidence(plain)


@pytest.fixture
def file(tmp_path):
    """An npz file of 300 noisy images of three classes and 60 to test."""
    generator = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 300), ("test", 60)):
        labels = np.arange(count) % 3
        images = generator.integers(0, 120, (count, 8, 8))
        images[:, 2:5, 2:5] += 60 * labels[:, None, None]
        arrays |= {f"x_{part}": images.astype(np.uint8), f"y_{part}": labels}
    np.savez(tmp_path / "data.npz", **arrays)
    return f"npz:{tmp_path / 'data.npz'}"


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("autoencoder", ("--num-seeds", "2")),
        pytest.param(
            *("unsupervised", ("--network.kind", "conv", "--network.channels", "4", "4")), marks=pytest.mark.slow
        ),
        pytest.param("semi_supervised", ("--labels", "30", "--num-seeds", "2"), marks=pytest.mark.slow),
    ],
)
def test_images_are_read_from_their_file(file, tmp_path, capsys, model, more):
    flags = ("--preset", "smoke", "--dataset", file, "--epochs", "2", "--batch-size", "30", *more)
    for name, stream in (("memory", ()), ("stream", STREAM)):
        assert status(*flags, *stream, "--out-dir", tmp_path / name, model=model) == 0
    assert "read from its file" in capsys.readouterr().out
    assert evidence(tmp_path / "stream") == evidence(tmp_path / "memory")
    assert summary(tmp_path / "stream")["data"] == summary(tmp_path / "memory")["data"]


@pytest.mark.slow
def test_measures_and_figures_read_parts(file, tmp_path, capsys):
    found = []
    for name, stream in (("memory", ()), ("stream", STREAM)):
        flags = ("--preset", "smoke", "--dataset", file, "--epochs", "1", "--judge-updates", "20")
        with drawing():
            assert status(*flags, *stream, "--out-dir", tmp_path / name, model="unsupervised") == 0
        found.append(
            (summary(tmp_path / name)["generation"], {p.name for p in (tmp_path / name / "figures").iterdir()})
        )
    assert "could not be" not in capsys.readouterr().out
    assert found[0] == found[1]


def test_a_graph_of_all_images_cannot_be_streamed(tmp_path, capsys):
    assert train(tmp_path / "run", "--weights.propagation", "1", *STREAM) == 2
    assert "weights.propagation is 1, which needs a graph of all training images" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_sweep_cannot_be_streamed(tmp_path, capsys):
    flags = (*SMALL, "--stream", "--vary", "views.noise_std=0.1,0.3", "--out-dir", str(tmp_path / "sweep"))
    assert run_sweep(list(flags)) == 2
    assert "A sweep trains many settings on images in memory" in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()


def test_updates_of_a_chunk_are_for_streams(tmp_path, capsys):
    assert plain_status(*PLAIN, "--stream-updates", "5", "--out-dir", tmp_path / "run") == 2
    assert "stream_updates is 5, but stream is off; give --stream" in capsys.readouterr().err


def test_a_checkpoint_within_an_epoch_needs_its_position(tmp_path, capsys):
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        after_saves(patch, 1, kill)
        with pytest.raises(KilledError):
            train_plain(folder, *STREAM)
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("stream: true", "stream: false").replace("stream_updates: 10", ""))
    assert plain_status("--resume", folder) == 2
    assert "holds no readable checkpoint" in capsys.readouterr().err
