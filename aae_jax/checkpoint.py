"""Checkpoints to resume from: one Orbax tree a save, atomic, the two latest kept, damaged ones stepped over."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp

from aae_jax.errors import InputError

__all__ = ["Restored", "any_saved", "restore_latest", "save"]

KEPT = 2
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
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(folder)
    target, unfinished = folder / str(number), folder / f"{number}.unfinished"
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(unfinished.resolve() / "tree", tree)
    (unfinished / NOTES).write_text(json.dumps(dict(notes)), encoding="utf-8")
    (unfinished / CHECKSUMS).write_text(json.dumps(_checksums(unfinished)), encoding="utf-8")
    if target.exists():
        shutil.rmtree(target)
    unfinished.rename(target)
    kept = [other for other in _numbers(folder) if other <= number][-keep:]
    for other in set(_numbers(folder)) - set(kept):  # a higher number is of a run that was gone back on
        shutil.rmtree(folder / str(other))


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
    with ocp.StandardCheckpointer() as checkpointer:
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        tree = checkpointer.restore(path.resolve() / "tree", abstract)
    return Restored(number, tree, notes)


def _checksums(path: Path) -> dict[str, str]:
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != CHECKSUMS)
    return {file.relative_to(path).as_posix(): _sha256(file) for file in files}


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _verify(path: Path) -> None:
    """Compare every file with its checksum: Orbax itself would read flipped bits as if they were weights."""
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
