"""Runs of tiny networks on the digits, and what two runs have to have in common."""

import contextlib
import json
import shutil
from pathlib import Path

from aae_jax.run.run import main as run_model

ROOT = Path(__file__).resolve().parents[2]
LABELS, EPOCHS = 100, 3
PLAIN = (
    *("--preset", "smoke", "--dataset", "digits", "--epochs", str(EPOCHS), "--checkpoint-seconds", "0"),
    *("--averaging.decay", "0.9", "--network.precision", "float32"),
)
"""An autoencoder, for tests of what every run does: it compiles in a third of the time."""
SMALL = (*PLAIN, "--labels", str(LABELS))
"""The semi-supervised model, for tests of what it does."""


_drawing = False


@contextlib.contextmanager
def drawing():
    """Draw the figures of runs that end in the block; others leave them out: they take longer than training."""
    global _drawing
    before, _drawing = _drawing, True
    try:
        yield
    finally:
        _drawing = before


def is_drawing():
    return _drawing


def status(*argv, model="semi_supervised"):
    """Return the command's exit status, that of a parser which exits by itself included."""
    try:
        return run_model(model, [str(argument) for argument in argv])
    except SystemExit as stopped:
        return stopped.code


def train(out_dir, *extra):
    return status(*SMALL, "--out-dir", out_dir, *extra)


def plain_status(*argv):
    return status(*argv, model="autoencoder")


def train_plain(out_dir, *extra):
    return plain_status(*PLAIN, "--out-dir", out_dir, *extra)


def rows(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def evidence(folder):
    """Return all that must not depend on interruptions."""
    results = ("updates", "test", "validation", "best_by_validation", "baseline", "failed_seeds")
    found = summary(folder)
    return {
        "model": (folder / "model" / "model.safetensors").read_bytes(),
        "config": (folder / "model" / "config.json").read_bytes(),
        "rows": rows(folder),
        "summary": {name: found.get(name) for name in results},
    }


def contents(folder):
    """Return every file's bytes by its path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def copied(folder, target):
    shutil.copytree(folder, target)
    return target
