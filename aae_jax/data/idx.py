"""MNIST in its original IDX files (LeCun et al. 1998), gzipped or not, checked against known hashes."""

import dataclasses
import gzip
import hashlib
import math
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.cache import default_cache_dir, fingerprint, read_cache, write_cache
from aae_jax.data.dataset import Dataset, build_dataset
from aae_jax.errors import InputError

__all__ = ["HOW_TO_GET_MNIST", "MnistMissingError", "load_mnist", "read_idx"]

HOW_TO_GET_MNIST = (
    "To use MNIST, put its four IDX files (train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
    "t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz) in a folder and pass `--data-dir FOLDER` "
    "or set AAE_DATA_DIR."
)

GZIP_MAGIC = b"\x1f\x8b"
UINT8_MAGIC = b"\x00\x00\x08"
FOLDERS = (".", "mnist", "MNIST/raw")


class IdxFile(NamedTuple):
    """Name one IDX file of MNIST, its rank, and the SHA-256 of its uncompressed bytes, header included."""

    name: str
    rank: int
    sha256: str


MNIST_FILES = (
    IdxFile("train-images-idx3-ubyte", 3, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    IdxFile("train-labels-idx1-ubyte", 1, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    IdxFile("t10k-images-idx3-ubyte", 3, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    IdxFile("t10k-labels-idx1-ubyte", 1, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
)


class MnistMissingError(InputError):
    """Say that MNIST is not at hand, as opposed to being there and damaged."""


def read_idx(path: str | os.PathLike[str], *, rank: int | None = None) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes, gzipped or not (told by its content, not by its name).

    Args:
        path: The file.
        rank: The number of dimensions it must have, or None for any.

    Returns:
        A read-only uint8 array of the shape that the file's header gives.

    Raises:
        InputError: The file is missing, unreadable, cut short, too long, no IDX file of unsigned bytes, or of
            another rank.
    """
    return _parse_idx(_read_bytes(Path(path)), Path(path), rank)


def load_mnist(
    data_dir: str | os.PathLike[str] | None = None, *, cache_dir: str | os.PathLike[str] | None = None
) -> Dataset:
    """Load MNIST from the IDX files in a folder, or from the cache that an earlier load has left.

    The files may be gzipped or not, and may lie in the folder itself, in its `mnist/`, or in its `MNIST/raw/`
    (where torchvision puts them). With a folder, the cache is used only while the files are those it was made
    from.

    Args:
        data_dir: The folder, or None to use the cache alone.
        cache_dir: The folder of the cache, or None for `default_cache_dir()`.

    Returns:
        60,000 training and 10,000 test images of 28 x 28 pixels in 10 classes.

    Raises:
        MnistMissingError: The folder lacks a file, or there is neither folder nor cache.
        InputError: A file is damaged or holds something other than MNIST.
    """
    cache = Path(default_cache_dir() if cache_dir is None else cache_dir) / "mnist.npz"
    cached = read_cache(cache)
    if data_dir is None:
        if cached is None:
            raise MnistMissingError(f"No data folder is given and no MNIST is cached. {HOW_TO_GET_MNIST}")
        return cached.dataset
    files = _find_files(Path(os.path.expanduser(data_dir)))
    source = f"IDX files in {files[0].parent}"
    made_from = fingerprint(files)
    if cached is not None and cached.fingerprint == made_from:
        return dataclasses.replace(cached.dataset, source=source)
    dataset = _read_mnist(files, source)
    write_cache(cache, dataset, made_from)
    return dataset


def _find_files(data_dir: Path) -> list[Path]:
    """Return the paths of the four files, in the order of `MNIST_FILES`, all from one folder."""
    if not os.path.isdir(data_dir):
        raise MnistMissingError(f"The data folder {data_dir} does not exist. {HOW_TO_GET_MNIST}")
    found_by_folder = [[_find_file(data_dir / folder, file.name) for file in MNIST_FILES] for folder in FOLDERS]
    fullest = max(found_by_folder, key=lambda found: sum(path is not None for path in found))
    missing = [file.name for file, path in zip(MNIST_FILES, fullest, strict=True) if path is None]
    if missing:
        raise MnistMissingError(
            f"The data folder {data_dir} holds no MNIST: {', '.join(missing)} (with or without .gz) "
            f"{'is' if len(missing) == 1 else 'are'} missing. {HOW_TO_GET_MNIST}"
        )
    return [path for path in fullest if path is not None]


def _find_file(folder: Path, name: str) -> Path | None:
    dotted = name.replace("-idx", ".idx")
    candidates = (folder / spelling for spelling in (name, f"{name}.gz", dotted, f"{dotted}.gz"))
    return next((path for path in candidates if os.path.isfile(path)), None)


def _read_mnist(files: list[Path], source: str) -> Dataset:
    train_images, train_labels, test_images, test_labels = (
        _read_verified(path, expected) for path, expected in zip(files, MNIST_FILES, strict=True)
    )
    return build_dataset(
        name="mnist",
        source=source,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        num_classes=10,
    )


def _read_verified(path: Path, expected: IdxFile) -> NDArray[np.uint8]:
    # Parsed before it is hashed, so that a file cut short is called that and not merely different.
    raw = _read_bytes(path)
    array = _parse_idx(raw, path, expected.rank)
    found = hashlib.sha256(raw).hexdigest()
    if found != expected.sha256:
        raise InputError(
            f"{path} is not MNIST's {expected.name}: its uncompressed SHA-256 is {found}, not "
            f"{expected.sha256}; replace it with the original file, or move it out of the data folder."
        )
    return array


def _read_bytes(path: Path) -> bytes:
    try:
        stored = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"The file {path} does not exist; check its name and folder.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check that it is a readable file.") from error
    if not stored.startswith(GZIP_MAGIC):
        return stored
    try:
        return gzip.decompress(stored)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is a damaged or truncated gzip file ({error}); fetch it again.") from error


def _parse_idx(raw: bytes, path: Path, rank: int | None) -> NDArray[np.uint8]:
    if len(raw) < 4:
        raise InputError(f"{path} is truncated: it has {len(raw)} bytes and no IDX header; fetch it again.")
    if raw[:3] != UINT8_MAGIC:
        raise InputError(
            f"{path} is no IDX file of unsigned bytes: it starts with {raw[:4].hex()}, not with 000008; "
            f"give the original file."
        )
    found_rank = raw[3]
    if found_rank == 0 or (rank is not None and found_rank != rank):
        raise InputError(
            f"{path} holds an array of rank {found_rank}, not {rank or 'at least 1'}; check that images and "
            f"labels are not swapped."
        )
    start = 4 + 4 * found_rank
    shape = tuple(int.from_bytes(raw[at : at + 4], "big") for at in range(4, start, 4))
    size = start + math.prod(shape)
    if len(raw) < size:
        raise InputError(f"{path} is truncated: it has {len(raw)} of at least {size} bytes; fetch it again.")
    if len(raw) > size:
        raise InputError(f"{path} has {len(raw) - size} bytes after its {size}; give the original file.")
    return np.frombuffer(raw, dtype=np.uint8, offset=start).reshape(shape)
