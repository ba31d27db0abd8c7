"""Flags and output files of the commands on saved models."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import tyro

from aae_jax.errors import InputError, StorageError
from aae_jax.files import is_same_file, write_whole
from aae_jax.run import run_dir as run_folder
from aae_jax.run.flags import parse_flags
from aae_jax.saved import format as saved_model
from aae_jax.saved.model import Model
from aae_jax.saved.storage import load
from aae_jax.train import checkpoint
from aae_jax.train.compile import require_device

__all__ = ["ModelPath", "load_model", "parse", "refuse_overwriting", "source_of", "write"]

RUN_CONFIG, MODEL_CONFIG = run_folder.CONFIG_FILE, saved_model.CONFIG_FILE
RECORDS = frozenset({MODEL_CONFIG, saved_model.WEIGHTS_FILE, *run_folder.RECORDS, *checkpoint.FILES})
"""Names of the files of runs and saved models."""
Flags = TypeVar("Flags")
ModelPath = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]


def parse(kind: type[Flags], argv: Sequence[str], name: str, description: str | None) -> Flags:
    """Parse the flags of `aae-jax <name>`.

    Raises:
        InputError: The flags are invalid.
    """
    return parse_flags(kind, argv, prog=f"aae-jax {name}", description=description or "", default=None)


def load_model(path: str) -> Model:
    """Load the saved model of a command.

    Raises:
        InputError: There is no model, or no device to run it on.
    """
    require_device()
    return load(path)


def refuse_overwriting(out: str | None, *sources: str | None) -> None:
    """Refuse an output file that is one of the command's sources, or inside a source folder.

    Args:
        out: Output file, or None.
        sources: Files and folders that are read: the folder of a model or run, images, the file of a data set.

    Raises:
        InputError: The file would be overwritten; the message names the source.
    """
    if out is None or not os.path.lexists(out):
        return
    for source in sources:
        if source is not None and any(is_same_file(Path(out), path) for path in _files_of(Path(source))):
            raise InputError(f"--out {out} would overwrite a file read from {source}; give another name.")


def source_of(dataset: str | None) -> str | None:
    """Return the file or folder in the name of a data set, as in `npz:FILE`, or None."""
    kind, _, rest = (dataset or "").partition(":")
    return os.path.expanduser(rest) if kind in ("npz", "idx", "folder", "zip") and rest else None


def _files_of(source: Path) -> Iterator[Path]:
    """Yield a source and all files in it if it is a folder; of a run or saved model, only the files of its format."""
    yield source
    is_run = any((source / name).is_file() for name in (RUN_CONFIG, MODEL_CONFIG))
    for folder, _, names in os.walk(source):
        for name in names:
            if not is_run or name in RECORDS:
                yield Path(folder) / name


def write(out: str, content: bytes) -> None:
    """Write an output file atomically; a device or named pipe, such as `/dev/stdout`, is written directly.

    Raises:
        InputError: The file cannot be written.
        StorageError: Only a part could be written.
    """
    path = Path(out)
    if path.name in ("", "..") or path.is_dir():
        raise InputError(f"--out is {out}, which is a folder; give the name of a file.")
    try:
        if _is_special(path):
            _write_into(path, content)
        else:
            write_whole(path, content)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror or error}); give --out another name.") from error


def _is_special(path: Path) -> bool:
    """Return whether a path refers to anything but a regular file, which must not be replaced."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _write_into(path: Path, content: bytes) -> None:
    with path.open("wb", buffering=0) as stream:
        left = memoryview(content)
        while left:
            try:
                left = left[stream.write(left) or 0 :]
            except BrokenPipeError as error:
                raise StorageError(f"{path} accepted {len(content) - len(left)} of {len(content)} bytes") from error
