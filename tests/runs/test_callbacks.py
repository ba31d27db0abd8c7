"""A user's own callbacks: what they see, in which order, and how they end a run."""

import json
from pathlib import Path

import numpy as np
import pytest

from aae_jax.data import Quiet
from aae_jax.models.autoencoder.experiment import SPEC
from aae_jax.models.shared.plan import main_plan
from aae_jax.run.arguments import parse
from aae_jax.run.callbacks import Stop
from aae_jax.run.console import Console
from aae_jax.run.run import run
from aae_jax.run.run_dir import RunFolder
from aae_jax.run.setup import build_setup
from aae_jax.run.trainer import Trainer
from tests.runs.running import EPOCHS, PLAIN, rows


class Recorder:
    """Notes what it sees; asks to stop after an epoch."""

    def __init__(self, stop_after=None, signum=None):
        self.seen, self.stop_after, self.signum = [], stop_after, signum

    def after_epoch(self, epoch):
        self.seen.append((epoch.number, epoch.update, epoch.last, epoch.row is not None, int(epoch.state.step[0])))
        return Stop("the test wants it", self.signum) if epoch.number == self.stop_after else None


def test_a_callback_sees_every_epoch_once_it_is_validated(plain, tmp_path):
    recorder = Recorder()
    request = parse(SPEC, [*PLAIN, "--out-dir", str(tmp_path / "run"), "--evaluate-every", "2"])
    assert run(SPEC, request, [recorder]) == 0
    updates = rows(plain)[0]["update"]
    assert recorder.seen == [
        (number, (number + 1) * updates, number + 1 == EPOCHS, number in (1, EPOCHS - 1), (number + 1) * updates)
        for number in range(EPOCHS)
    ]


def test_a_run_that_a_callback_ends_is_reported_as_far_as_it_came(plain, tmp_path, capsys):
    folder = tmp_path / "run"
    request = parse(SPEC, [*PLAIN, "--out-dir", str(folder), "--evaluate-every", "3"])
    first, second = Recorder(stop_after=0), Recorder()
    assert run(SPEC, request, [first, second]) == 0
    said = capsys.readouterr().out
    assert "! Training ends after epoch 1: the test wants it." in said
    assert "test images (24 updates)" in said
    assert len(first.seen) == len(second.seen) == 1, "every callback sees the epoch after which a run ends"
    summary = json.loads((folder / "summary.json").read_text())
    (row,) = rows(folder)
    assert summary["updates"] == row["update"] == rows(plain)[0]["update"]
    assert row == rows(plain)[0], "the epoch was validated although it was not due"
    assert summary["validation"]["reconstruction_error"]["per_seed"] == row["validation_reconstruction_error"]
    assert (folder / "checkpoints" / "last" / "0").is_dir()


def test_callbacks_are_any_objects_with_the_method():
    setup = build_setup(SPEC, parse(SPEC, [*PLAIN]).config, Quiet())
    build = getattr(Trainer.__init__, "__wrapped__", Trainer.__init__)  # without the run-time checks of types
    with pytest.raises(TypeError, match=r"type ndarray has no method after_epoch\(epoch\)"):
        build(Trainer.__new__(Trainer), setup, main_plan(setup), RunFolder(Path()), Console(), [np.zeros(3)])
