"""The numbers and the run of `gpu_ten.py`: kept in a folder, brought back through $OUT, and unpacked again."""

import json
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from aae_jax.errors import InputError
from aae_jax.files import write_whole

__all__ = ["BEGUN", "RUNNING", "Record", "bring_back", "unpack"]

BEGUN = time.perf_counter()
PART_BYTES = 15 * 2**20
RUNNING = "run"
"""Folder of the row's run."""


class Record:
    """The numbers so far: `ten.json` in a folder and in $OUT, written whole after each."""

    def __init__(self, folder: Path, out: Path | None) -> None:
        """Go on with the numbers in `folder`.

        Raises:
            InputError: They are another device's.
        """
        self.folder, self.out = folder, out
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "ten.json"
        self.values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        device = jax.devices()[0].device_kind
        if self.values.setdefault("device", device) != device:
            raise InputError(
                f"{file} has numbers of {self.values['device']}, and this is {device}; give another --folder."
            )

    def note(self, name: str, value: Any) -> None:
        """Keep a number, in place of an earlier failure."""
        self.values.get("failed", {}).pop(name, None)
        self.values[name] = value
        self._write()
        print(f"{time.perf_counter() - BEGUN:6.1f} s  {name}: {str(value)[:300]}", flush=True)

    def fail(self, name: str, error: BaseException) -> None:
        """Keep why a number is not there; it is tried again next time."""
        self.values.setdefault("failed", {})[name] = f"{type(error).__name__}: {error}"[:500]
        self._write()
        print(f"{time.perf_counter() - BEGUN:6.1f} s  FAILED {name}: {str(error)[:300]}", flush=True)

    def has(self, name: str) -> bool:
        """Return whether a number is there."""
        return name in self.values

    def measure(self, name: str, compute: Callable[[], Any]) -> None:
        """Keep what `compute` returns, unless it is there, or why it failed."""
        if self.has(name):
            return
        try:
            self.note(name, compute())
        except Exception as error:
            self.fail(name, error)

    def _write(self) -> None:
        content = (json.dumps(self.values, indent=1) + "\n").encode()
        for folder in (self.folder, self.out):
            if folder is not None:
                write_whole(folder / "ten.json", content)


def bring_back(record: Record, most: float) -> None:
    """Put the run's folder into $OUT as parts of an archive, only its own files where all exceed `most` bytes."""
    run = record.folder / RUNNING
    if record.out is None or not run.is_dir():
        return
    files = [path for path in sorted(run.rglob("*")) if path.is_file() and "figures" not in path.parts]
    size = sum(path.stat().st_size for path in files)
    if size > most:
        record.note("not brought back", f"checkpoints and models, {size / 1e6:.0f} MB of at most {most / 1e6:.0f} MB")
        files = [path for path in files if path.parent == run]
    archive = record.folder / "run.tar"
    with tarfile.open(archive, "w") as tar:
        for path in files:
            tar.add(path, path.relative_to(record.folder))
    content = archive.read_bytes()
    archive.unlink()
    for number, first in enumerate(range(0, len(content), PART_BYTES)):
        write_whole(record.out / f"run-{number:02}.part", content[first : first + PART_BYTES])


def unpack(source: Path, folder: Path) -> None:
    """Put what came back through $OUT where the next call goes on with it.

    Raises:
        InputError: There is nothing of it.
    """
    numbers = source / "ten.json"
    if not numbers.is_file():
        raise InputError(f"{numbers} is missing; give the folder that $OUT came back in.")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "ten.json", numbers.read_bytes())
    parts = sorted(source.glob("run-*.part"))
    if parts:
        archive = folder / "run.tar"
        write_whole(archive, b"".join(part.read_bytes() for part in parts))
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        archive.unlink()
    print(numbers.read_text(encoding="utf-8"))
