"""Anybody's arrays in an npz file: images of any shape or plain vectors, with or without a test set of their own."""

import math
import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from aae_jax.data.dataset import Dataset, build_dataset
from aae_jax.data.idx import MOST_DEFLATED
from aae_jax.data.scaling import check_rows, fit_scaling
from aae_jax.data.seeds import draw_test
from aae_jax.errors import InputError
from aae_jax.files import open_regular

__all__ = ["load_npz", "read_arrays"]

SPLIT_KEYS = ("x_train", "y_train", "x_test", "y_test")
SHORT_SPLIT_KEYS = ("x", "y", "x_test", "y_test")
WHOLE_KEYS = ("x", "y")
NAMES_KEY = "class_names"
MOST_CHANNELS = 4
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, TypeError, OverflowError, KeyError),
    *(NotImplementedError, RuntimeError, SyntaxError, tokenize.TokenError),
)
"""What zipfile and NumPy raise over bytes that are not what they should be."""


UNLABELLED = (
    "give a class, not negative, to each: images without one cannot be used yet, and --labels hides labels itself."
)


class _Parts(NamedTuple):
    train_images: NDArray[Any]
    train_labels: NDArray[Any]
    test_images: NDArray[Any]
    test_labels: NDArray[Any]


def load_npz(path: str | os.PathLike[str], *, split_seed: int = 0) -> Dataset:
    """Load `x_train, y_train, x_test, y_test`, or `x, y, x_test, y_test`, or `x, y`, from an npz file.

    That is what `--dataset npz:FILE` reads.

    Images `[n, height, width]` or `[n, height, width, channels]` are whole numbers from 0 to 255 or floats from 0
    to 1. Rows `[n, features]` are bytes, taken as images are, or any finite numbers, brought to [0, 1] feature by
    feature by the range of the training rows. Labels are whole numbers, not negative, or texts; the classes are
    those that occur. An array `class_names` of texts calls the whole numbers 0, 1, … by their names.

    Args:
        path: The file.
        split_seed: Draws a quarter of each class as test images where the file has `x, y` only.

    Raises:
        InputError: The file is missing, damaged, holds pickled objects, or arrays that cannot be used.
    """
    file = Path(os.path.expanduser(path))
    arrays = read_arrays(file, SPLIT_KEYS, SHORT_SPLIT_KEYS, WHOLE_KEYS, more=(NAMES_KEY,))
    given = arrays.pop(NAMES_KEY, None)
    if set(arrays) == set(WHOLE_KEYS):
        labels, class_names = _as_labels(arrays["y"], f"y in {file}")
        _check_lengths(arrays["x"], labels, f"x and y in {file}")
        is_test = draw_test(labels, split_seed)
        images = arrays["x"]
        parts = _Parts(images[~is_test], labels[~is_test], images[is_test], labels[is_test])
    else:
        (x, y, x_test, y_test), (train_images, train, test_images, test) = arrays, arrays.values()
        if train.ndim == 0 or train.shape[1:] != test.shape[1:] or train.dtype.kind != test.dtype.kind:
            raise InputError(f"{y} and {y_test} in {file} are of different kinds; bring both to one form.")
        labels, class_names = _as_labels(np.concatenate([train, test]), f"{y} and {y_test} in {file}")
        parts = _Parts(train_images, labels[: len(train)], test_images, labels[len(train) :])
        _check_lengths(parts.train_images, parts.train_labels, f"{x} and {y} in {file}")
        _check_lengths(parts.test_images, parts.test_labels, f"{x_test} and {y_test} in {file}")
    if len(class_names) < 2:
        raise InputError(f"All labels in {file} are {class_names[0]!r}; give images of two classes at least.")
    return _build(parts, class_names if given is None else _named(class_names, given, file), file)


def _named(class_names: tuple[str, ...], given: NDArray[Any], file: Path) -> tuple[str, ...]:
    """Return the names that the file gives to the whole numbers from 0."""
    if given.ndim != 1 or given.dtype.kind != "U" or list(class_names) != [str(i) for i in range(len(given))]:
        raise InputError(
            f"{NAMES_KEY} in {file} has shape {given.shape} and type {given.dtype} for the labels "
            f"{', '.join(class_names[:5])}; give one text for each label 0, 1, …, of which each occurs."
        )
    return tuple(str(name) for name in given)


def _build(parts: _Parts, class_names: tuple[str, ...], file: Path) -> Dataset:
    train = _as_images(parts.train_images, f"The training images in {file}")
    test = _as_images(parts.test_images, f"The test images in {file}")
    scaling = None
    if train.ndim == 2 and train.dtype != np.uint8:
        if test.ndim != 2 or train.shape[1] != test.shape[1] or len(train) == 0:
            raise InputError(
                f"Training and test rows in {file} have shapes {train.shape} and {test.shape}; give both one form."
            )
        scaling = fit_scaling(train, f"The training rows in {file}")
        train = scaling.apply(train, f"The training rows in {file}")
        test = scaling.apply(test, f"The test rows in {file}")
    return build_dataset(
        name=f"npz:{file.name}",
        source=f"{file}",
        train_images=train,
        train_labels=parts.train_labels,
        test_images=test,
        test_labels=parts.test_labels,
        num_classes=len(class_names),
        class_names=class_names,
        scaling=scaling,
    )


def _check_lengths(images: NDArray[Any], labels: NDArray[Any], what: str) -> None:
    if images.ndim == 0 or len(images) != len(labels):
        raise InputError(f"{what} have shapes {images.shape} and {labels.shape}; give one label per image.")


def _as_images(images: NDArray[Any], what: str) -> NDArray[Any]:
    """Return bytes, or float32 images, whose range is checked with the data set, or rows of numbers as they are."""
    if images.ndim == 4 and images.shape[1] <= MOST_CHANNELS < min(images.shape[2:]):
        raise InputError(
            f"{what} have shape {images.shape}, channels before height and width; "
            "transpose them to [images, height, width, channels]."
        )
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.dtype.kind == "b":
        return images.astype(np.uint8) * np.uint8(255)
    if images.dtype.kind not in "iuf":
        raise InputError(f"{what} have type {images.dtype}; give numbers.")
    if images.dtype == np.uint8:
        return images
    if images.ndim == 2:
        return images  # not narrowed before they are scaled: time stamps would become equal
    if images.ndim > 2 and images.dtype.kind in "iu":
        low, high = int(images.min(initial=0)), int(images.max(initial=0))
        if low < 0 or high > 255:
            raise InputError(f"{what} run from {low} to {high}; give whole numbers from 0 to 255.")
        return images.astype(np.uint8)
    check_rows(images, what)
    return images.astype(np.float32)


def _as_labels(labels: NDArray[Any], what: str) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return classes counted from 0, and their names."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.size == 0:
        raise InputError(f"{what} have shape {labels.shape}; give one class per image, not one-hot rows.")
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise InputError(f"{what} hold NaN; {UNLABELLED}")
    if labels.dtype.kind not in "iuU":
        raise InputError(f"{what} have type {labels.dtype}; give whole numbers or texts.")
    if labels.dtype.kind != "U" and labels.min() < 0:
        raise InputError(f"{what} hold the label {labels.min()}; {UNLABELLED}")
    if labels.dtype.kind == "U" and (np.char.strip(labels) == "").any():
        raise InputError(f"{what} hold an empty text; {UNLABELLED}")
    values, classes = np.unique(labels, return_inverse=True)
    return classes.astype(np.int32), tuple(str(value) for value in values)


def read_arrays(file: Path, *choices: tuple[str, ...], more: tuple[str, ...] = ()) -> dict[str, NDArray[Any]]:
    """Return the arrays of the first of several sets of keys that an npz file has all of, and those of `more` it has.

    Nothing is unpickled, and no more memory is taken than the file can fill.

    Raises:
        InputError: The file is missing or damaged, or has none of the sets.
    """
    try:
        with open_regular(file) as stored, zipfile.ZipFile(stored) as archive:
            names = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            for keys in choices:
                if all(key in names for key in keys):
                    wanted = (*keys, *(key for key in more if key in names))
                    return {key: _read_array(archive, names[key], file) for key in wanted}
    except FileNotFoundError as error:
        here = "" if file.is_absolute() else f" in {Path.cwd()}"
        raise InputError(f"The file {file} does not exist{here}; check its name and folder.") from error
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}); give a readable npz file.") from error
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{file} is no whole npz file ({reason}); save it again.") from error
    found = ", ".join(sorted(names)[:8]) or "nothing"
    known = ", or ".join(", ".join(keys) for keys in choices)
    raise InputError(f"{file} holds {found}; give the arrays {known}.")


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: Path) -> NDArray[Any]:
    """Return one array; its header is believed only as far as the file can keep its word."""
    with archive.open(info) as stream:
        version = npy.read_magic(stream)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read_header is None:
            raise ValueError(f"{info.filename} is of npy version {version}")
        shape, _, dtype = read_header(stream)
    if dtype.hasobject:
        raise InputError(f"{info.filename} in {file} holds Python objects; save numbers, or texts by .astype(str).")
    most = min(info.file_size, MOST_DEFLATED * (info.compress_size + 1))
    if min(shape, default=0) < 0 or dtype.itemsize == 0 or math.prod(shape) * dtype.itemsize > most:
        raise ValueError(f"{info.filename} speaks of {shape} {dtype}, more than it holds")
    with archive.open(info) as stream:
        array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
        return array
