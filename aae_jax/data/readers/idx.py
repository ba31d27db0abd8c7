"""Reader of IDX files of unsigned bytes (LeCun et al. 1998), gzipped or not, that does not trust their headers."""

import contextlib
import gzip
import io
import math
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.stored import MAX_READ_BYTES, map_array
from aae_jax.errors import InputError
from aae_jax.files import open_regular

__all__ = ["map_idx", "parse_idx", "read_bytes", "read_idx"]

GZIP_MAGIC = b"\x1f\x8b"
UINT8_MAGIC = b"\x00\x00\x08"
MAX_HEADER = 4 + 4 * 255
"""Size of the largest header in bytes: the number of dimensions is a byte."""
MAX_DEFLATED = 1040
"""Upper bound of the expansion by deflate, which is 1,032; a header that claims more is false."""


def read_idx(path: str | os.PathLike[str], *, rank: int | None = None) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes, gzipped or not (detected by content, not by name).

    Args:
        path: Path of the file.
        rank: Required number of dimensions, or None for any.

    Returns:
        A read-only uint8 array with the shape in the file's header.

    Raises:
        InputError: The file is missing, unreadable, truncated, too long, no IDX file of unsigned bytes, or of
            another rank.
    """
    return parse_idx(read_bytes(Path(path)), str(path), rank)


def map_idx(path: Path, *, rank: int | None = None) -> NDArray[np.uint8]:
    """Map an uncompressed IDX file, whose bytes are read when they are indexed; read a small gzipped one.

    Args:
        path: Path of the file.
        rank: Required number of dimensions, or None for any.

    Raises:
        InputError: See `read_idx`; or the file is gzipped and large.
    """
    with _opened(path) as file:
        start, size = file.read(MAX_HEADER), os.fstat(file.fileno()).st_size
        if not start.startswith(GZIP_MAGIC):
            shape = _parse_header(io.BytesIO(start), str(path), rank)
            _check_length(size, shape, str(path))
            if math.prod(shape):  # an empty array cannot be mapped
                return map_array(file, np.uint8, shape, 4 + 4 * len(shape))
    if size > MAX_READ_BYTES:
        raise InputError(f"{path} is compressed, and too large to read into memory; give it uncompressed.")
    return read_idx(path, rank=rank)


def read_bytes(path: Path) -> bytes:
    """Read the content of a file.

    Raises:
        InputError: The file is missing or unreadable.
    """
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        content: bytes = file.read(size + 1)
    if len(content) > size:
        raise InputError(f"{path} grew while it was read; give a file that is not being written.")
    return content


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file for reading.

    Raises:
        InputError: The file is missing or unreadable.
    """
    try:
        with open_regular(path) as file:
            yield file
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"The file {path} does not exist; check its name and folder.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check that it is a readable file.") from error
    except ValueError as error:  # a name with a zero byte
        raise InputError(f"{path} cannot be read ({error}); check its name.") from error


def parse_idx(stored: bytes, what: str, rank: int | None = None) -> NDArray[np.uint8]:
    """Parse the bytes of an IDX file, gzipped or not; `what` names the file in messages.

    No more memory is allocated than the bytes can fill, regardless of the header.

    Raises:
        InputError: As `read_idx`, for the content.
    """
    if not stored.startswith(GZIP_MAGIC):
        return _parse(io.BytesIO(stored), len(stored), what, rank)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(stored)) as stream:
            return _parse(stream, MAX_DEFLATED * len(stored), what, rank)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{what} is a damaged or truncated gzip file ({error}); fetch it again.") from error


def _parse_header(stream: io.BufferedIOBase, what: str, rank: int | None) -> tuple[int, ...]:
    """Return the shape in the header of an IDX file, and leave the stream at the first byte of the array."""
    magic = stream.read(4)
    if len(magic) < 4:
        raise InputError(f"{what} is truncated: it has {len(magic)} bytes and no IDX header; fetch it again.")
    if magic[:3] != UINT8_MAGIC:
        raise InputError(
            f"{what} is not an IDX file of unsigned bytes: it starts with {magic.hex()}, not with 000008; "
            f"give the original file."
        )
    actual_rank = magic[3]
    if actual_rank == 0 or (rank is not None and actual_rank != rank):
        raise InputError(
            f"{what} holds an array of rank {actual_rank}, not {rank or 'at least 1'}; check that images and "
            f"labels are not swapped."
        )
    sizes = stream.read(4 * actual_rank)
    if len(sizes) < 4 * actual_rank:
        raise InputError(f"{what} is truncated: its header ends after {4 + len(sizes)} bytes; fetch it again.")
    return tuple(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, 4 * actual_rank, 4))


def _check_length(size: int, shape: tuple[int, ...], what: str) -> None:
    """Refuse a file that is shorter or longer than its header describes."""
    described = 4 + 4 * len(shape) + math.prod(shape)
    if size < described:
        raise InputError(f"{what} is truncated: it has fewer than the {described} bytes that its header describes.")
    if size > described:
        raise InputError(
            f"{what} has more than the {described} bytes that its header describes; give the original file."
        )


def _parse(stream: io.BufferedIOBase, most: int, what: str, rank: int | None) -> NDArray[np.uint8]:
    """Parse the array in a stream of at most `most` bytes."""
    shape = _parse_header(stream, what, rank)
    expected, header = math.prod(shape), 4 + 4 * len(shape)
    content = stream.read(expected) if header + expected <= most else b""
    more = len(stream.read(1)) if len(content) == expected else 0  # gzip verifies its checksum at the end
    _check_length(header + len(content) + more, shape, what)
    try:
        return np.frombuffer(content, dtype=np.uint8).reshape(shape)
    except ValueError as error:  # more dimensions than NumPy supports
        raise InputError(f"{what} holds an array of rank {len(shape)}; give one of at most 4.") from error
