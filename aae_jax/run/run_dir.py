"""Run folder: configuration, metrics and summary, written so that no partial file looks complete."""

import contextlib
import csv
import datetime
import io
import itertools
import json
import math
import os
import subprocess
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aae_jax.config.text import to_yaml
from aae_jax.errors import InputError, StorageError
from aae_jax.files import LOCK_FILE, FolderLock, append_line, read_bytes, refuse_links, sweep_unfinished, write_whole
from aae_jax.priors.custom import PRIOR_FILE
from aae_jax.records import read_record, valid_rows

__all__ = [
    "CONFIG_FILE",
    "RECORDS",
    "SIGNALLED",
    "SWEEP_FILE",
    "RunFolder",
    "create_run_folder",
    "open_run_folder",
    "source_commit",
    "to_json",
    "write_text",
]

CONFIG_FILE, METRICS_FILE, SUMMARY_FILE = "config.yaml", "metrics.jsonl", "summary.json"
ORIGIN_FILE, CSV_FILE = "origin.json", "metrics.csv"
SWEEP_FILE = "sweep.json"
RECORDS = frozenset({CONFIG_FILE, METRICS_FILE, SUMMARY_FILE, ORIGIN_FILE, CSV_FILE, SWEEP_FILE, PRIOR_FILE})
"""Names of the files in a run folder."""
CODE = (":/aae_jax", ":/experiments", ":/reproduce", ":/pyproject.toml")
"""Paths, from the top of the repository, whose content determines the result of a run."""
SIGNALLED = 128
"""Offset of the exit status of a run that was stopped by a signal: the signal's number is added."""


def to_json(value: Any) -> Any:
    """Return a JSON-ready copy: arrays become lists, non-finite numbers become null."""
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if hasattr(value, "tolist") and not isinstance(value, (str, bytes)):
        return to_json(np.asarray(value).tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_text(path: Path, text: str) -> None:
    """Write a file atomically, by renaming a finished one."""
    write_whole(path, text.encode())


class RunFolder:
    """Folder of one run, with `checkpoints/last`, `checkpoints/best`, `model/`, `figures/`."""

    def __init__(self, path: Path) -> None:
        """Store the path; the disk is not accessed."""
        self.path = path
        self._claim: FolderLock | None = None

    def claim(self) -> None:
        """Lock the folder against other runs until this process ends.

        Raises:
            InputError: Another run uses it, it cannot be written, or it contains a symbolic link.
        """
        try:
            refuse_links(self.path)
            self._claim = FolderLock(self.path)
            for path, _, _ in os.walk(self.path):
                sweep_unfinished(Path(path))
        except OSError as error:
            raise InputError(f"{self.path} cannot be written ({error.strerror}); give another folder.") from error

    def release(self) -> None:
        """Unlock the folder."""
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    @property
    def last(self) -> Path:
        """Folder of the checkpoints to resume from."""
        return self.path / "checkpoints" / "last"

    @property
    def best(self) -> Path:
        """Folder of the weights that did best on the validation images."""
        return self.path / "checkpoints" / "best"

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.path / "figures"

    @property
    def finished(self) -> bool:
        """Whether the run has finished."""
        return (self.path / SUMMARY_FILE).is_file()

    def model(self, seed: int, first_seed: int) -> Path:
        """Return the folder of a seed's saved model: `model` for the first seed, `model-s<seed>` for the others."""
        return self.path / ("model" if seed == first_seed else f"model-s{seed}")

    def write_origin(self, command: str, commit: str | None) -> None:
        """Record the command and the commit of the running code, at the start and at every resume."""
        path = self.path / ORIGIN_FILE
        here = {"command": command, "git_commit": commit}
        origin = self.read_origin() if path.exists() else {**here, "resumed": []}
        if path.exists():
            origin["resumed"].append(here)
        write_text(path, json.dumps(origin, indent=2) + "\n")

    def read_origin(self) -> dict[str, Any]:
        """Read the record of `write_origin`: `command`, `git_commit`, and a list of the same in `resumed`."""
        origin = read_record(self.path / ORIGIN_FILE)
        if not isinstance(origin.get("resumed"), list):
            raise InputError(
                f"{self.path / ORIGIN_FILE} does not hold a list of resumes; restore it, or start a new run."
            )
        return origin

    def write_config(self, config: Any) -> None:
        """Write the resolved configuration."""
        write_text(self.path / CONFIG_FILE, to_yaml(config))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write the summary, which marks the run as finished."""
        write_text(self.path / SUMMARY_FILE, json.dumps(to_json(summary), indent=2, allow_nan=False) + "\n")

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Append one line of metrics."""
        append_line(self.path / METRICS_FILE, json.dumps(to_json(row), allow_nan=False))

    def write_csv(self, seeds: tuple[int, ...]) -> None:
        """Write the rows so far as a CSV table: a column for each number, per seed where there are several."""
        rows = [
            dict(column for name, value in row.items() for column in _columns(name, value, seeds))
            for row in self.read_metrics()
        ]
        header = dict.fromkeys(name for row in rows[::-1] for name in row)  # earlier versions wrote fewer columns
        text = io.StringIO()
        table = csv.DictWriter(text, list(header), restval="", lineterminator="\n")
        table.writeheader()
        table.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
        write_text(self.path / CSV_FILE, text.getvalue())

    def read_metrics(self) -> list[dict[str, Any]]:
        """Read the rows written so far, up to the first invalid line: a kill may truncate the last one.

        Raises:
            InputError: The file cannot be read.
        """
        path = self.path / METRICS_FILE
        try:
            return valid_rows(read_bytes(path).splitlines())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); restore it, or start a new run.") from error

    def read_rows(self) -> list[dict[str, Any]]:
        """Read the rows written so far; a trained run has at least one.

        Raises:
            InputError: There are none.
        """
        rows = self.read_metrics()
        if not rows:
            raise InputError(f"{self.path} has lost its metrics.jsonl; start a new run.")
        return rows

    def cut_metrics(self, epoch: int) -> None:
        """Drop the rows after `epoch`, which a resumed run writes again."""
        rows = [row for row in self.read_metrics() if row["epoch"] <= epoch]
        write_text(self.path / METRICS_FILE, "".join(json.dumps(row) + "\n" for row in rows))


def _columns(name: str, value: Any, seeds: tuple[int, ...]) -> list[tuple[str, Any]]:
    """Return the names and values of a metric's columns: one, or one per seed."""
    if not isinstance(value, list):
        return [(name, value)]
    if len(value) != len(seeds):
        raise InputError(
            f"{METRICS_FILE} has rows of {len(value)} seeds, but the run has {len(seeds)}; restore it, or start "
            "a new run."
        )
    if len(seeds) == 1:
        return [(name, value[0])]
    return [(f"{name}/s{seed}", item) for seed, item in zip(seeds, value, strict=True)]


@contextlib.contextmanager
def open_run_folder(
    out_dir: Path | None, resume: Path | None, experiment: str, seed: int
) -> Generator["RunFolder", None, None]:
    """Create a run folder, or open the one to `resume`, and lock it while the block runs.

    Raises:
        InputError: The folder cannot be created or locked.
        StorageError: A write in the block failed.
    """
    if resume is None:
        folder = create_run_folder(out_dir, experiment, seed)
    else:
        folder = RunFolder(resume)
        folder.claim()
    try:
        yield folder
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(str(error)) from error
    finally:
        folder.release()


def create_run_folder(out_dir: Path | None, experiment: str, seed: int) -> RunFolder:
    """Create and lock a new run folder: `out_dir`, or `runs/<experiment>/<time>-s<seed>`.

    Raises:
        InputError: The folder is not empty, or cannot be created.
    """
    try:
        path = _new_default_folder(experiment, seed) if out_dir is None else _new_given_folder(out_dir)
    except OSError as error:
        where = "The folder runs" if out_dir is None else str(out_dir)
        raise InputError(f"{where} cannot be written ({error.strerror}); give --out-dir another folder.") from error
    folder = RunFolder(path)
    folder.claim()
    if any(entry.name != LOCK_FILE for entry in path.iterdir()):  # another run used it between check and lock
        folder.release()
        raise InputError(f"{path} is not empty; give --out-dir a new folder.")
    return folder


def _new_default_folder(experiment: str, seed: int) -> Path:
    name = datetime.datetime.now().strftime("%Y%m%d-%H%M%S") + f"-s{seed}"
    for number in itertools.count(1):
        path = Path("runs") / experiment / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:  # another run of this seed started in the same second
            continue
        return path
    raise AssertionError("itertools.count ends never")


def _new_given_folder(path: Path) -> Path:
    if path.exists() and (not path.is_dir() or any(entry.name != LOCK_FILE for entry in path.iterdir())):
        raise InputError(
            f"{path} is not empty; give --out-dir a new folder, or continue that run with --resume {path}."
        )
    path.mkdir(parents=True, exist_ok=True)
    if not os.access(path, os.W_OK):
        raise InputError(f"{path} cannot be written; give --out-dir another folder.")
    return path


def source_commit() -> str | None:
    """Return the commit of the checkout that this package runs from, with `-dirty` if its code has changed.

    Pages and results do not count: recording a row of a table changes them before the next. None outside a checkout.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        commit = _git("describe", "--always", "--abbrev=12", "--exclude=*")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *CODE)
        return f"{commit}-dirty" if changed else commit or None
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
