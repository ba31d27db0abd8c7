"""Reader of npz files by users: images of any shape or plain vectors, with or without labels and a test set."""

import math
import os
import struct
import tokenize
import zipfile
import zlib
from io import BufferedReader
from pathlib import Path
from typing import Any

from numpy.lib import format as npy
from numpy.typing import NDArray

from aae_jax.data.arrays import content_of
from aae_jax.data.dataset import Dataset, build_dataset
from aae_jax.data.readers.idx import MAX_DEFLATED
from aae_jax.data.stored import MAX_READ_BYTES, map_array
from aae_jax.errors import InputError
from aae_jax.files import open_regular

__all__ = ["load_npz", "read_arrays", "read_npy"]

KEYS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("x", "y", "x_test", "y_test"),
    ("x_train", "y_train", "x_test"),
    ("x", "y", "x_test"),
    ("x", "y"),
    ("x_train", "x_test"),
    ("x", "x_test"),
    ("x",),
)
"""Sets of arrays in a file, of which the first complete one is read; labels may be missing."""
LABEL_KEYS = ("y", "y_train", "y_test")
NAMES_KEY = "class_names"
LOCAL_HEADER = struct.Struct("<4s5H3L2H")
"""Header of a member of a zip file, which its name and extra fields follow."""
ENCRYPTED = 1
"""Bit of a zip member's flags."""
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, TypeError, OverflowError, KeyError),
    *(NotImplementedError, RuntimeError, SyntaxError, tokenize.TokenError),
)
"""Exceptions that zipfile and NumPy raise for damaged files."""


def load_npz(path: str | os.PathLike[str], *, split_seed: int = 0, mapped: bool = False) -> Dataset:
    """Load `x_train, y_train, x_test, y_test`, or `x, y, x_test, y_test`, or `x, y`, from an npz file.

    This is `--dataset npz:FILE`. The labels `y` are optional: those of the test images, or all of them.

    Images `[n, height, width]` or `[n, height, width, channels]` are integers from 0 to 255 or floats from 0 to 1.
    Rows `[n, features]` are bytes, treated like images, or any finite numbers, scaled to [0, 1] per feature by the
    range of the training rows. Labels are integers or texts; the classes are those that occur. Negative numbers, NaN
    and empty texts mean no label; test images without one are moved to the training images. An array `class_names`
    of texts names the labels 0, 1, ….

    Args:
        path: Path of the file.
        split_seed: Seed of a test set of a quarter of each class, or of data without labels, if the file has none.
        mapped: Leave the training images in the file, if they are bytes or float32 numbers from 0 to 1 and
            uncompressed (see `Dataset.train_images`); larger ones than 1 GiB must be.

    Raises:
        InputError: The file is missing, damaged, has pickled objects, or unsuitable arrays.
    """
    file = Path(os.path.expanduser(path))
    arrays = read_arrays(file, *KEYS, more=(*LABEL_KEYS, NAMES_KEY), mapped=("x", "x_train") if mapped else ())
    given = arrays.pop(NAMES_KEY, None)
    x = "x_train" if "x_train" in arrays else "x"
    y = "y_train" if x == "x_train" else "y"
    stray = [key for key in LABEL_KEYS if key in arrays and key not in (y, "y_test")]
    if "y_test" in arrays and y not in arrays:
        stray.append("y_test")
    if stray:
        raise InputError(f"{file} holds {', '.join(arrays)}, but no images or no {y} for {stray[0]}; give both.")
    name = f"npz:{file.name}"
    content = content_of(
        arrays[x],
        arrays.get(y),
        arrays.get("x_test"),
        arrays.get("y_test"),
        called=(x, y, "x_test", "y_test"),
        where=f" in {file}",
        name=name,
        split_seed=split_seed,
        class_names=given,
    )
    return build_dataset(**content.described(), name=name, source=f"{file}")


def read_arrays(
    file: Path, *choices: tuple[str, ...], more: tuple[str, ...] = (), mapped: tuple[str, ...] = ()
) -> dict[str, NDArray[Any]]:
    """Read the first complete set of keys among `choices` from an npz file, and those keys of `more` that exist.

    Nothing is unpickled, and no more memory is allocated than the file can fill. The arrays that `mapped` names stay
    in the file, if it is uncompressed, and are read where they are indexed.

    Raises:
        InputError: The file is missing or damaged, has none of the sets, or a compressed array that `mapped` names
            has more than 1 GiB.
    """
    try:
        with open_regular(file) as stored, zipfile.ZipFile(stored) as archive:
            names = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            for keys in choices:
                if all(key in names for key in keys):
                    wanted = (*keys, *(key for key in more if key in names))
                    return {
                        key: _read_array(archive, names[key], file, stored if key in mapped else None)
                        for key in wanted
                    }
    except FileNotFoundError as error:
        here = "" if file.is_absolute() else f" in {Path.cwd()}"
        raise InputError(f"The file {file} does not exist{here}; check its name and folder.") from error
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}); give a readable npz file.") from error
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{file} is not a complete npz file ({reason}); save it again.") from error
    contents = ", ".join(sorted(names)[:8]) or "nothing"
    known = ", or ".join(", ".join(keys) for keys in choices)
    raise InputError(f"{file} holds {contents}; give the arrays {known}.")


def _read_array(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: Path, stored: BufferedReader | None
) -> NDArray[Any]:
    """Read one array, or map it if the open file is given; its header is checked against the file's size first."""
    with archive.open(info) as stream:
        version = npy.read_magic(stream)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read_header is None:
            raise ValueError(f"{info.filename} is of npy version {version}")
        shape, by_column, dtype = read_header(stream)
        size = int(math.prod(shape)) * dtype.itemsize
        header_bytes = stream.tell()
    if dtype.hasobject:
        raise InputError(f"{info.filename} in {file} holds Python objects; save numbers, or strings by .astype(str).")
    most = min(info.file_size, MAX_DEFLATED * (info.compress_size + 1))
    if min(shape, default=0) < 0 or dtype.itemsize == 0 or size > most:
        raise ValueError(f"{info.filename} declares {shape} {dtype}, more than it holds")
    if stored is not None and size:
        if info.compress_type == zipfile.ZIP_STORED and not by_column and not info.flag_bits & ENCRYPTED:
            return map_array(stored, dtype, shape, _first_byte(stored, info) + header_bytes)
        if size > MAX_READ_BYTES:
            raise InputError(
                f"{info.filename} in {file} is compressed, or ordered by column, and too large to read into memory; "
                "save it by numpy.savez."
            )
    with archive.open(info) as stream:
        array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
        return array


def _first_byte(stored: BufferedReader, info: zipfile.ZipInfo) -> int:
    """Return the position of the first byte of an uncompressed member of a zip file."""
    position = stored.tell()
    stored.seek(info.header_offset)
    start = stored.read(LOCAL_HEADER.size)
    stored.seek(position)
    name_length, extra_length = LOCAL_HEADER.unpack(start)[-2:]
    return info.header_offset + LOCAL_HEADER.size + int(name_length) + int(extra_length)


def read_npy(file: Path) -> NDArray[Any]:
    """Read an npy file of numbers; nothing is unpickled, and no more memory is allocated than the file can fill.

    Raises:
        InputError: The file is missing or damaged, or holds objects.
    """
    try:
        with open_regular(file) as stream:
            version = npy.read_magic(stream)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(stream)
            held = os.fstat(stream.fileno()).st_size
            if dtype.hasobject or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > held:
                raise ValueError(f"its header describes {shape} {dtype}")
            stream.seek(0)
            array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
            return array
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}); name a readable file.") from error
    except DAMAGE as error:
        raise InputError(f"{file} is not a complete npy file of numbers ({error}); save it again.") from error
