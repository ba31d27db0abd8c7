"""Checkpoints to resume from: one safetensors file a save, atomic, the two latest kept, damaged ones stepped over."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from aae_jax.errors import InputError, StorageError

__all__ = ["Restored", "any_saved", "restore_latest", "save"]

KEPT = 2
TREE = "tree.safetensors"
NOTES = "notes.json"
CHECKSUMS = "checksums.json"


class Restored(NamedTuple):
    """What a checkpoint held: its number, the tree of arrays, and the notes saved beside it."""

    number: int
    tree: Any
    notes: Mapping[str, Any]


def save(folder: Path, number: int, tree: Any, notes: Mapping[str, Any], *, keep: int = KEPT) -> None:
    """Write `tree` (a pytree of arrays) and `notes` (JSON) as checkpoint `number` of `folder`, at once or not at all.

    The files are written to a temporary folder that is renamed at the end, so a kill in the middle of a
    save leaves the ones before it whole. All but the `keep` latest up to this
    one are then removed.

    Raises:
        StorageError: It could not be written, for whatever reason.
    """
    target, unfinished = folder / str(number), folder / f"{number}.unfinished"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(folder)
        _write(unfinished, tree, notes)
    except Exception as error:  # safetensors has its own kind for what the system says
        shutil.rmtree(unfinished, ignore_errors=True)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise StorageError(f"Checkpoint {number} could not be written into {folder} ({reason})") from error
    if target.exists():
        shutil.rmtree(target)
    unfinished.rename(target)
    kept = [other for other in _numbers(folder) if other <= number][-keep:]
    for other in set(_numbers(folder)) - set(kept):  # a higher number is of a run that was gone back on
        shutil.rmtree(folder / str(other))


def _write(unfinished: Path, tree: Any, notes: Mapping[str, Any]) -> None:
    unfinished.mkdir()
    save_file({name: np.asarray(leaf, order="C") for name, leaf in _named(tree)}, unfinished / TREE)
    (unfinished / NOTES).write_text(json.dumps(dict(notes)), encoding="utf-8")
    (unfinished / CHECKSUMS).write_text(json.dumps(_checksums(unfinished)), encoding="utf-8")
    for path in unfinished.iterdir():  # to the disk before the rename makes it a checkpoint
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def any_saved(folder: Path) -> bool:
    """Return whether `save` ever finished in `folder`, be what it wrote damaged since or not."""
    return folder.is_dir() and bool(_numbers(folder))


def restore_latest(folder: Path, like: Any, notify: Callable[[str], None]) -> Restored:
    """Return the newest checkpoint that can be read; damaged newer ones are named by `notify` and removed.

    Nothing is removed when none can be read: perhaps `like` is what does not fit.

    Args:
        folder: Where `save` wrote.
        like: A pytree with the shapes, dtypes and node types to restore, e.g. of `jax.eval_shape`.
        notify: Takes one line of text.

    Raises:
        InputError: There is none that can be read.
    """
    damaged: list[Path] = []
    for number in reversed(_numbers(folder) if folder.is_dir() else []):
        try:
            restored = _restore(folder / str(number), number, like)
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            notify(f"Checkpoint {number} cannot be read and is dropped ({reason[0][:120]}); trying the one before.")
            damaged.append(folder / str(number))
            continue
        for path in damaged:
            shutil.rmtree(path)
        return restored
    raise InputError(f"{folder} holds no checkpoint that can be read, so there is nothing to resume; start anew.")


def _restore(path: Path, number: int, like: Any) -> Restored:
    _verify(path)
    notes = json.loads((path / NOTES).read_text(encoding="utf-8"))
    return Restored(number, _read(path / TREE, like), notes)


def _read(path: Path, like: Any) -> Any:
    """Return the tree in a file, on the default device, with the node types of `like`; it must fit exactly."""
    expected = dict(_named(like))
    with safe_open(path, framework="numpy") as stored:
        if set(stored.keys()) != set(expected):
            raise ValueError(f"it holds {len(stored.keys())} arrays, not the {len(expected)} of this run")
        tensors = {name: stored.get_tensor(name) for name in expected}
    for name, tensor in tensors.items():
        if (tensor.shape, tensor.dtype) != (expected[name].shape, expected[name].dtype):
            raise ValueError(f"{name} is {tensor.dtype}{list(tensor.shape)}, not as in this run")
    return jax.tree_util.tree_map_with_path(lambda path, _: jnp.asarray(tensors[jax.tree_util.keystr(path)]), like)


def _named(tree: Any) -> list[tuple[str, Any]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves]


def _checksums(path: Path) -> dict[str, str]:
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != CHECKSUMS)
    return {file.relative_to(path).as_posix(): _sha256(file) for file in files}


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _verify(path: Path) -> None:
    """Compare every file with its checksum: flipped bits would be read as if they were weights."""
    expected, found = json.loads((path / CHECKSUMS).read_text(encoding="utf-8")), _checksums(path)
    for name in sorted(set(expected) | set(found)):
        if expected.get(name) != found.get(name):
            state = "missing" if name not in found else "unknown" if name not in expected else "damaged"
            raise ValueError(f"{name} is {state}")


def _numbers(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit() and path.is_dir())


def _remove_unfinished(folder: Path) -> None:
    for path in folder.iterdir():
        if not path.name.isdigit() and path.is_dir():
            shutil.rmtree(path)
