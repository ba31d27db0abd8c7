"""Lists of the training images that are labelled, as files: indices in text, npy, or npz files."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.readers.npz import read_arrays, read_npy
from aae_jax.errors import InputError
from aae_jax.files import open_regular
from aae_jax.text import quoted

__all__ = ["LabelledList", "read_labelled_list"]

MAX_LIST_BYTES = 2**30


class LabelledList(NamedTuple):
    """Indices of training images, and the hash by which a changed list is recognised.

    Attributes:
        indices: int32 `[count]`, ascending.
        sha256: Hexadecimal SHA-256 of the indices, whatever form they were stored in.
    """

    indices: NDArray[np.int32]
    sha256: str


def read_labelled_list(path: str | os.PathLike[str], *, expected: str | None = None) -> LabelledList:
    """Read indices of training images, counted from 0 in the order of the training set.

    Args:
        path: A text file with an index per line (`#` begins a comment), an `.npy` file of whole numbers, or an `.npz`
            file with an array `index`, such as the `train_labeled.npz` of `aae-jax init-datasets`.
        expected: Hash that the list must have, from an earlier run; None: any.

    Raises:
        InputError: The file is missing or damaged, holds other things than distinct indices, or has changed.
    """
    file = Path(os.path.expanduser(path))
    if file.suffix.lower() == ".npz":
        indices = read_arrays(file, ("index",))["index"]
    elif file.suffix.lower() == ".npy":
        indices = read_npy(file)
    else:
        indices = _read_text(file)
    if indices.shape == (0,):
        raise InputError(f"The list of labelled images {file} is empty; give the indices of training images.")
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise InputError(
            f"The list of labelled images {file} has shape {indices.shape} and type {indices.dtype}; give the "
            "indices of training images, one per line."
        )
    ordered, counts = np.unique(indices, return_counts=True)
    if int(ordered[0]) < 0 or int(ordered[-1]) >= 2**31:
        bad = ordered[0] if ordered[0] < 0 else ordered[-1]
        raise InputError(f"The list of labelled images {file} holds {bad}; give indices from 0.")
    if counts.max() > 1:
        raise InputError(
            f"The list of labelled images {file} holds {ordered[counts.argmax()]} more than once; give each index "
            "once."
        )
    kept = ordered.astype(np.int32)
    sha256 = hashlib.sha256(kept.astype("<i4").tobytes()).hexdigest()
    if expected is not None and sha256 != expected:
        raise InputError(
            f"The list of labelled images {file} has changed since the run was configured (SHA-256 {sha256[:12]}…, "
            f"not {expected[:12]}…); restore it, or start a new run without labelled_list_sha256."
        )
    return LabelledList(kept, sha256)


def _read_text(file: Path) -> NDArray[np.int64]:
    try:
        with open_regular(file, MAX_LIST_BYTES) as stream:
            lines = stream.read().decode("utf-8-sig").splitlines()
    except FileNotFoundError as error:
        here = "" if file.is_absolute() else f" in {Path.cwd()}"
        raise InputError(f"The list of labelled images {file} does not exist{here}; check its name.") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}); give a readable list.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not a text file of indices; give one index per line.") from error
    words = [(number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
    for number, word in words:
        if word and not (word.isascii() and word.removeprefix("-").isdigit() and len(word) < 12):
            raise InputError(f"Line {number} of {file} is {quoted(word)}; give the index of a training image.")
    return np.asarray([int(word) for _, word in words if word], np.int64)
