"""A verified copy of a data set in one npz file, so that the next run starts without unpacking the sources.

The cache is optional: whatever is wrong with it, the sources are read instead and nothing fails.
"""

import contextlib
import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import platformdirs
from numpy.lib import format as npy
from numpy.typing import NDArray

from aae_jax.data.dataset import Dataset, build_dataset
from aae_jax.data.readers.npz import read_arrays
from aae_jax.data.stored import blocks_of
from aae_jax.files import private_folder

__all__ = ["CachedDataset", "default_cache_dir", "fingerprint", "read_cache", "user_folder", "write_cache"]

NOTICES = "notices"
KEYS = (
    *("name", "source", "sha256", "fingerprint", "class_names"),
    *("train_images", "train_labels", "test_images", "test_labels"),
)


class CachedDataset(NamedTuple):
    """Pair a data set read from the cache with the `fingerprint` of the files it was made from."""

    dataset: Dataset
    fingerprint: str


def default_cache_dir() -> Path:
    """Return `$AAE_CACHE_DIR`, else `$XDG_CACHE_HOME/aae_jax`, else the system's place for caches; create nothing.

    That is `~/.cache/aae_jax` on Linux. A user without a home folder, as in a container, gets a folder below the
    system's temporary one.
    """
    if chosen := os.environ.get("AAE_CACHE_DIR"):
        return Path(os.path.expanduser(chosen))
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # on every system, as before there was platformdirs
        return Path(base) / "aae_jax"
    try:
        folder = platformdirs.user_cache_path("aae_jax", appauthor=False)
    except RuntimeError:  # nothing is known of the user
        folder = Path("~")
    if base or not folder.is_absolute():  # a relative $XDG_CACHE_HOME is void
        owner = os.geteuid() if hasattr(os, "geteuid") else "user"
        return Path(tempfile.gettempdir()) / f"aae_jax-{owner}"
    return folder


def user_folder(root: Path, *parts: str) -> Path | None:
    """Create a folder of the cache for this user alone, and return it; None where others could write to it.

    Whoever can write to the cache decides which data are read and which programs are run. So the root and every
    folder below it must belong to this user, or to root, and be writable by nobody else; those below the root must
    not be symbolic links.
    """
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = root
        if not private_folder(folder):
            return None
        for part in parts:
            folder = folder / part
            folder.mkdir(mode=0o700, exist_ok=True)
            if not stat.S_ISDIR(os.lstat(folder).st_mode) or not private_folder(folder):
                return None
    except OSError:
        return None
    return folder


def fingerprint(files: Iterable[Path]) -> str:
    """Return the name, size in bytes and modification time of each file, as one line of JSON.

    It shows cheaply that files are those the cache was built from; a file that was cut short, replaced or
    edited has another fingerprint.
    """
    stats = [(path.name, path.stat()) for path in files]
    return json.dumps([[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats])


def read_cache(path: Path, *, mapped: bool = False) -> CachedDataset | None:
    """Return the data set stored in `path`, or None if it is absent, foreign or damaged, or others could write it.

    With `mapped`, its training images stay in the file (see `stored`).
    """
    if not private_folder(path.parent):
        return None
    # Every fault of an optional file, from a missing one to a torn zip directory, has the same remedy.
    try:
        stored = read_arrays(path, KEYS, more=(NOTICES,), mapped=("train_images",) if mapped else ())
        dataset = build_dataset(
            name=str(stored["name"]),
            source=str(stored["source"]),
            train_images=stored["train_images"],
            train_labels=stored["train_labels"],
            test_images=stored["test_images"],
            test_labels=stored["test_labels"],
            num_classes=len(stored["class_names"]),
            class_names=[str(name) for name in stored["class_names"]],
            notices=[str(notice) for notice in stored.get(NOTICES, ())],
        )
        intact = dataset.sha256 == str(stored["sha256"])
        return CachedDataset(dataset, str(stored["fingerprint"])) if intact else None
    except Exception:
        return None


def write_cache(path: Path, dataset: Dataset, fingerprint: str) -> bool:
    """Write `dataset` to `path` in one step and return whether that worked.

    A reader sees the old file or the new one and never a part of it; a folder that cannot be written to is no
    error.
    """
    if user_folder(path.parent) is None:
        return False
    try:
        handle, temporary = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError:
        return False
    try:
        arrays = {
            **{name: np.asarray(getattr(dataset, name)) for name in ("name", "source", "sha256")},
            "fingerprint": np.asarray(fingerprint),
            **{name: getattr(dataset, name) for name in KEYS[-4:]},
            "class_names": np.asarray(dataset.class_names, str),
            NOTICES: np.asarray(dataset.notices, str),
        }
        with os.fdopen(handle, "wb") as stream:
            _write_npz(stream, arrays)
        os.replace(temporary, path)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    return True


def _write_npz(stream: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as `numpy.savez` does, mapped ones in parts of a bounded size."""
    # Uncompressed, because unpacking would cost more time than the cache saves, and the images could not be mapped.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array_header_1_0(member, npy.header_data_from_array_1_0(array))
                for block in blocks_of(array):
                    member.write(np.ascontiguousarray(block).view(np.uint8).data)
