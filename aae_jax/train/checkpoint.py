"""Checkpoints for resuming: one folder each, written atomically; the two latest are kept, damaged ones skipped."""

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from aae_jax.errors import InputError, StorageError
from aae_jax.files import open_regular, read_bytes, require_regular
from aae_jax.text import printable

__all__ = ["FILES", "Restored", "any_saved", "restore_latest", "save"]

KEPT = 2
TREE = "tree.safetensors"
NOTES = "notes.json"
CHECKSUMS = "checksums.json"
FILES = frozenset({TREE, NOTES, CHECKSUMS})
"""Files of a checkpoint; no other files are ever removed."""
MAX_NOTES_BYTES = 2**24
NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
UNFINISHED, REPLACED = "unfinished", "replaced"
INTERRUPTED = re.compile(rf"(\d+)\.(?:([0-9a-f]{{16}})\.)?({UNFINISHED}|{REPLACED})")
"""Folders left by an interrupted save: the one it was writing, or the one it was about to replace."""


class Restored(NamedTuple):
    """Contents of a checkpoint: its number, the pytree of arrays, and the notes saved with it."""

    number: int
    tree: Any
    notes: Mapping[str, Any]


def save(folder: Path, number: int, tree: Any, notes: Mapping[str, Any], *, keep: int = KEPT) -> None:
    """Write `tree` (a pytree of arrays) and `notes` (JSON) atomically as checkpoint `number` of `folder`.

    The files are written to a temporary folder that is renamed at the end: if the process is killed, either this
    checkpoint or the one that it replaces is intact. All but the `keep` latest checkpoints up to this one are then
    removed. Only files written by a save are removed; symbolic links are never followed.

    Raises:
        StorageError: The checkpoint could not be written, for any reason.
    """
    token = secrets.token_hex(8)
    unfinished = folder / f"{number}.{token}.{UNFINISHED}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.is_symlink():
            raise OSError("it is a symbolic link")
        _recover(folder)
        unfinished.mkdir()
        _write(unfinished, tree, notes)
        _publish(unfinished, folder / str(number), folder / f"{number}.{token}.{REPLACED}")
    except Exception as error:  # safetensors wraps OSError in its own class
        with contextlib.suppress(OSError):
            _remove(unfinished)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise StorageError(f"Checkpoint {number} could not be written into {folder} ({reason})") from error
    kept = [other for other in _numbers(folder) if other <= number][-keep:]
    for other in set(_numbers(folder)) - set(kept):  # a higher number is from a run resumed at an earlier one
        _discard(folder, other)


def _write(unfinished: Path, tree: Any, notes: Mapping[str, Any]) -> None:
    save_file({name: np.asarray(leaf, order="C") for name, leaf in _named(tree)}, unfinished / TREE)
    (unfinished / NOTES).write_text(json.dumps(dict(notes)), encoding="utf-8")
    (unfinished / CHECKSUMS).write_text(json.dumps(_checksums(unfinished)), encoding="utf-8")
    for path in (*unfinished.iterdir(), unfinished):  # flush before the rename makes it a checkpoint
        _sync(path)


def _sync(path: Path) -> None:
    """Flush a file to disk, through a handle opened for writing, or a folder, if the system supports it."""
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR | getattr(os, "O_BINARY", 0))
    except PermissionError:
        if is_folder:  # Windows cannot open folders
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError:
        if not is_folder:  # some file systems cannot flush a folder
            raise
    finally:
        os.close(descriptor)


def _publish(unfinished: Path, target: Path, replaced: Path) -> None:
    """Rename a finished checkpoint to `target`; an existing one is set aside meanwhile (see `_recover`)."""
    if os.path.lexists(target):
        if not _is_ours(target):
            raise OSError(f"{target} is not a checkpoint that was saved here; move it away")
        target.rename(replaced)
    unfinished.rename(target)
    _sync(target.parent)
    if os.path.lexists(replaced):
        _remove(replaced)


def _recover(folder: Path) -> None:
    """Restore a checkpoint set aside by an interrupted save, and remove unfinished ones."""
    for path in list(folder.iterdir()):
        match = INTERRUPTED.fullmatch(path.name)
        if not match or not _is_folder(path):
            continue
        target = folder / match[1]
        if match[3] == REPLACED and not os.path.lexists(target) and _is_ours(path):
            path.rename(target)
        else:
            _remove(path)


def _discard(folder: Path, number: int) -> None:
    """Remove a checkpoint; it is renamed first, so that a partly removed one is never taken for a checkpoint."""
    path = folder / str(number)
    if _is_ours(path):
        doomed = folder / f"{number}.{secrets.token_hex(8)}.{UNFINISHED}"
        path.rename(doomed)
        _remove(doomed)


def _remove(path: Path) -> None:
    """Remove the files of a checkpoint, then its folder; any other files are kept."""
    if not _is_folder(path):
        return
    for name in FILES:
        file = path / name
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISREG(os.lstat(file).st_mode):
                file.unlink()
    with contextlib.suppress(OSError):  # not empty
        path.rmdir()


def _is_ours(path: Path) -> bool:
    """Return whether a folder contains only regular files with the names that a save writes."""
    if not _is_folder(path):
        return False
    with os.scandir(path) as entries:
        return all(entry.name in FILES and entry.is_file(follow_symlinks=False) for entry in entries)


def _is_folder(path: Path) -> bool:
    """Return whether a path is a folder, not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def any_saved(folder: Path) -> bool:
    """Return whether `save` ever finished in `folder`, even if the checkpoints have been damaged since."""
    if not _is_folder(folder):
        return False
    set_aside = (INTERRUPTED.fullmatch(path.name) for path in folder.iterdir())
    return bool(_numbers(folder)) or any(match is not None and match[3] == REPLACED for match in set_aside)


def restore_latest(folder: Path, like: Any, notify: Callable[[str], None]) -> Restored:
    """Return the newest readable checkpoint; damaged newer ones are reported through `notify` and removed.

    If none is readable, nothing is removed: the mismatch may be in `like`.

    Args:
        folder: Folder in which `save` wrote checkpoints.
        like: A pytree with the shapes, dtypes and node types to restore, e.g. from `jax.eval_shape`.
        notify: Receives one line of text.

    Raises:
        InputError: No checkpoint is readable.
    """
    damaged: list[int] = []
    if _is_folder(folder):
        with contextlib.suppress(OSError):  # a read-only folder
            _recover(folder)
    for number in reversed(_numbers(folder)):
        try:
            restored = _restore(folder / str(number), number, like)
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            text = printable(reason[0][:120])
            notify(f"Checkpoint {number} cannot be read and is dropped ({text}); trying the previous one.")
            damaged.append(number)
            continue
        for other in damaged:
            _discard(folder, other)
        return restored
    raise InputError(f"{folder} holds no readable checkpoint, so there is nothing to resume; start a new run.")


def _restore(path: Path, number: int, like: Any) -> Restored:
    _verify(path)
    notes = json.loads(read_bytes(path / NOTES, MAX_NOTES_BYTES))
    if not isinstance(notes, dict):
        raise ValueError(f"{NOTES} does not hold a JSON object")
    return Restored(number, _read(path / TREE, like), notes)


def _read(path: Path, like: Any) -> Any:
    """Return the tree in a file, on the default device, with the node types of `like`; it must match exactly."""
    expected = dict(_named(like))
    require_regular(path)
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
    return {file.name: _sha256(file) for file in sorted(path.iterdir()) if file.name != CHECKSUMS}


def _sha256(file: Path) -> str:
    with open_regular(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _verify(path: Path) -> None:
    """Compare every file with its checksum: flipped bits would otherwise be read as weights."""
    unknown = sorted(entry.name for entry in path.iterdir() if entry.name not in FILES)
    if unknown:
        raise ValueError(f"{unknown[0]} is unknown")
    expected, actual = json.loads(read_bytes(path / CHECKSUMS, MAX_NOTES_BYTES)), _checksums(path)
    for name in sorted(set(expected) | set(actual)):
        if expected.get(name) != actual.get(name):
            state = "missing" if name not in actual else "unknown" if name not in expected else "damaged"
            raise ValueError(f"{name} is {state}")


def _numbers(folder: Path) -> list[int]:
    """Return the numbers of the checkpoints in a folder, ascending; none if the folder is missing or a link."""
    if not _is_folder(folder):
        return []
    return sorted(int(path.name) for path in folder.iterdir() if NUMBER.fullmatch(path.name) and _is_folder(path))
