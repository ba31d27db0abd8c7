"""Images that stay in a file or in the host's memory until an update needs them."""

import contextlib
import ctypes
import math
import mmap
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from aae_jax.errors import InputError

__all__ = [
    "MAX_READ_BYTES",
    "StoredImages",
    "blocks_of",
    "extremes",
    "is_mapped",
    "map_array",
    "read_rows",
    "release",
    "require_in_memory",
    "rows_of",
    "trim_heap",
]

BLOCK_BYTES = 2**23
"""Size of the part of a mapped file that is in memory at once."""
PART_BYTES = 2**20
"""Size of a part of streamed images that is computed with: as float32 numbers, and squared, it is larger."""
ROWS = 128
"""Number of scattered rows read before their pages are released."""
MAX_READ_BYTES = 2**30
"""Size of the largest images that are read into memory although streaming was requested."""


def trim_heap() -> None:
    """Return freed memory to the operating system, which glibc keeps otherwise; elsewhere do nothing."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def map_array(file: IO[bytes], dtype: DTypeLike, shape: tuple[int, ...], offset: int) -> NDArray[Any]:
    """Return a read-only array of the bytes of an open file from `offset` on, which are read when they are indexed.

    The file may be closed afterwards, but must not change as long as the array is used.

    Raises:
        ValueError: The file is shorter, or the array is empty.
    """
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if math.prod(shape) == 0 or offset + math.prod(shape) * np.dtype(dtype).itemsize > len(mapped):
        raise ValueError(f"it does not hold an array of shape {shape} at byte {offset}")
    return np.ndarray(shape, dtype, buffer=mapped, offset=offset)


def _mapping_of(array: NDArray[Any]) -> mmap.mmap | None:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def is_mapped(array: NDArray[Any]) -> bool:
    """Return whether an array is a view of a mapped file."""
    return _mapping_of(array) is not None


def release(array: NDArray[Any]) -> None:
    """Return the pages of a mapped file to the system, which would otherwise count as memory of this process."""
    mapped = _mapping_of(array)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        mapped.madvise(mmap.MADV_DONTNEED)


def blocks_of(images: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield consecutive parts of an array along its first axis; only one of a mapped array is in memory at a time."""
    if not is_mapped(images):
        yield images
        return
    step = max(1, BLOCK_BYTES // max(1, images[0].nbytes))
    for first in range(0, len(images), step):
        yield images[first : first + step]
        release(images)


def extremes(images: NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest value of images that are not empty; NaN if there is one."""
    ends = [(block.min(), block.max()) for block in blocks_of(images)]
    low, high = zip(*ends, strict=True)
    return float(np.min(low)), float(np.max(high))


def read_rows(images: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of some images in memory, `[rows, *image]`, in the order of the rows."""
    if not is_mapped(images) or not len(rows):
        picked: NDArray[Any] = images[rows]
        return picked
    found = np.empty((len(rows), *images.shape[1:]), images.dtype)
    # By bytes, because `take` would copy the whole of an array whose numbers are not aligned in the file.
    stored, copied = (array.reshape(len(array), -1).view(np.uint8) for array in (images, found))
    for first in range(0, len(rows), ROWS):
        part = rows[first : first + ROWS]
        if len(part) and not 0 <= part.min() <= part.max() < len(images):
            raise IndexError(f"rows from {part.min()} to {part.max()} of {len(images)} images")
        np.take(stored, part, axis=0, out=copied[first : first + ROWS], mode="clip")
        release(images)
    return found


def require_in_memory(images: NDArray[Any], why: str) -> None:
    """Refuse to copy large images of a mapped file into memory.

    Args:
        images: The images.
        why: Reason for the copy and what to do instead, as the rest of the sentence.

    Raises:
        InputError: They are in a mapped file, and take more than 1 GiB.
    """
    if is_mapped(images) and images.nbytes > MAX_READ_BYTES:
        raise InputError(f"{images.nbytes / 1e9:,.1f} GB of images cannot be streamed: {why}")


class StoredImages:
    """Rows of an array of images in a file or in the host's memory, read when they are asked for.

    It has the shape and type of the array that it stands for, but is never converted to one as a whole.

    Attributes:
        images: `[count, *image]`, all images.
        rows: int32 `[len(self)]`, those that belong to this object, in its order.
    """

    def __init__(self, images: NDArray[Any], rows: NDArray[np.int32]) -> None:
        """Refer to some rows of `images`; nothing is read."""
        self.images, self.rows = images, rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that this object stands for."""
        return (len(self.rows), *self.images.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return self.images.dtype

    @property
    def image_bytes(self) -> int:
        """Size of one image in bytes."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def source(self) -> str:
        """Place of the images, in words."""
        return "its file" if is_mapped(self.images) else "memory"

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.rows)

    def __getitem__(self, index: slice | NDArray[Any]) -> NDArray[Any]:
        """Return a copy of some images in memory."""
        return read_rows(self.images, self.rows[index])

    def __array__(self, *arguments: Any, **options: Any) -> NDArray[Any]:
        """Refuse to read all images.

        Raises:
            TypeError: Always.
        """
        raise TypeError("streamed images may not fit into memory; index some of them, or read them in blocks")

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all images in order, in parts of a bounded size."""
        step = max(1, PART_BYTES // self.image_bytes)
        for first in range(0, len(self), step):
            yield self[first : first + step]


def rows_of(images: Any, index: slice | NDArray[Any]) -> NDArray[Any]:
    """Return some images in the host's memory, of an array on any device or of `StoredImages`."""
    rows: NDArray[Any] = images[index] if isinstance(images, StoredImages) else np.asarray(images)[index]
    return rows
