"""Reader of IDX files of unsigned bytes (LeCun et al. 1998), gzipped or not, that does not trust their headers."""

import gzip
import io
import math
import os
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.files import open_regular

__all__ = ["parse_idx", "read_bytes", "read_idx"]

GZIP_MAGIC = b"\x1f\x8b"
UINT8_MAGIC = b"\x00\x00\x08"
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


def read_bytes(path: Path) -> bytes:
    """Read the content of a file.

    Raises:
        InputError: The file is missing or unreadable.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(size + 1)
    except FileNotFoundError as error:
        raise InputError(f"The file {path} does not exist; check its name and folder.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check that it is a readable file.") from error
    except ValueError as error:  # a name with a zero byte
        raise InputError(f"{path} cannot be read ({error}); check its name.") from error
    if len(content) > size:
        raise InputError(f"{path} grew while it was read; give a file that is not being written.")
    return content


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


def _parse(stream: io.BufferedIOBase, most: int, what: str, rank: int | None) -> NDArray[np.uint8]:
    """Parse the array in a stream of at most `most` bytes."""
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
    shape = tuple(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, 4 * actual_rank, 4))
    expected = math.prod(shape)
    header = 4 + len(sizes)
    content = stream.read(expected) if header + expected <= most else b""
    if len(content) < expected:
        raise InputError(
            f"{what} is truncated: it has fewer than the {header + expected} bytes that its header describes."
        )
    if stream.read(1):  # gzip verifies its checksum at the end
        raise InputError(
            f"{what} has more than the {header + expected} bytes that its header describes; give the original file."
        )
    try:
        return np.frombuffer(content, dtype=np.uint8).reshape(shape)
    except ValueError as error:  # more dimensions than NumPy supports
        raise InputError(f"{what} holds an array of rank {actual_rank}; give one of at most 4.") from error
