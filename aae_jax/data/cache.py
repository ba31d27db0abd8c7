"""A verified copy of a data set in one npz file, so that the next run starts without unpacking the sources.

The cache is optional: whatever is wrong with it, the sources are read instead and nothing fails.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aae_jax.data.dataset import Dataset, build_dataset
from aae_jax.data.npz import read_arrays

__all__ = ["CachedDataset", "default_cache_dir", "fingerprint", "read_cache", "write_cache"]

KEYS = (
    *("name", "source", "sha256", "fingerprint", "class_names"),
    *("train_images", "train_labels", "test_images", "test_labels"),
)


class CachedDataset(NamedTuple):
    """Pair a data set read from the cache with the `fingerprint` of the files it was made from."""

    dataset: Dataset
    fingerprint: str


def default_cache_dir() -> Path:
    """Return `$AAE_CACHE_DIR`, else `$XDG_CACHE_HOME/aae_jax`, else `~/.cache/aae_jax`; create nothing."""
    if chosen := os.environ.get("AAE_CACHE_DIR"):
        return Path(os.path.expanduser(chosen))
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "aae_jax"


def fingerprint(files: Iterable[Path]) -> str:
    """Return the name, size in bytes and modification time of each file, as one line of JSON.

    It tells cheaply that files are those the cache was made from; a file that was cut short, replaced or
    edited has another fingerprint.
    """
    stats = [(path.name, path.stat()) for path in files]
    return json.dumps([[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats])


def read_cache(path: Path) -> CachedDataset | None:
    """Return the data set stored in `path`, or None if it is absent, foreign or damaged."""
    # Every fault of an optional file, from a missing one to a torn zip directory, has the same remedy.
    try:
        stored = read_arrays(path, KEYS)
        dataset = build_dataset(
            name=str(stored["name"]),
            source=str(stored["source"]),
            train_images=stored["train_images"],
            train_labels=stored["train_labels"],
            test_images=stored["test_images"],
            test_labels=stored["test_labels"],
            num_classes=len(stored["class_names"]),
            class_names=[str(name) for name in stored["class_names"]],
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError:
        return False
    try:
        # Uncompressed, because unpacking would cost more time than the cache saves.
        with os.fdopen(handle, "wb") as stream:
            np.savez(
                stream,
                name=np.asarray(dataset.name),
                source=np.asarray(dataset.source),
                sha256=np.asarray(dataset.sha256),
                fingerprint=np.asarray(fingerprint),
                train_images=dataset.train_images,
                train_labels=dataset.train_labels,
                test_images=dataset.test_images,
                test_labels=dataset.test_labels,
                class_names=np.asarray(dataset.class_names),
            )
        os.replace(temporary, path)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    return True
