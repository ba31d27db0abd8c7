"""Reader of CIFAR-10 in its published forms: the binary and the Python version, unpacked or as an archive."""

import gzip
import io
import pickle
import pickletools
import tarfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.readers.idx import GZIP_MAGIC
from aae_jax.errors import InputError
from aae_jax.files import open_regular
from aae_jax.text import quoted

__all__ = ["BINARY", "PYTHON", "read_batch", "read_members"]

SIDE, CHANNELS = 32, 3
ROW = SIDE * SIDE * CHANNELS
CLASSES = 10
MAX_BATCH = 2**30
BINARY = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
PYTHON = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
"""Names of the five training batches and the test batch."""

Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]


def read_members(path: Path, names: tuple[str, ...]) -> list[bytes]:
    """Return the contents of files by name: those of a folder, or of a tar archive, in any folder of it.

    Raises:
        InputError: A file is missing or too large, or cannot be read.
    """
    try:
        if path.is_dir():
            return [_read_file(path / name) for name in names]
        with open_regular(path) as stream, tarfile.open(fileobj=_Bounded(_inflated(stream)), mode="r:") as archive:
            found: dict[str, bytes] = {}
            for member in archive:
                name = Path(member.name).name
                if name in names and member.isfile():
                    if member.size > MAX_BATCH:
                        raise InputError(
                            f"{path} declares {member.size:,} bytes for {name}; give the original archive."
                        )
                    content = archive.extractfile(member)
                    assert content is not None, "checked by isfile"
                    found[name] = content.read()
    except (tarfile.TarError, zlib.error, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a complete tar archive ({error}); fetch it again.") from error
    except OSError as error:
        raise InputError(f"{error.filename or path} cannot be read ({error.strerror or error}); check it.") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(f"{path} holds no {', '.join(missing)}; give the original archive.")
    return [found[name] for name in names]


def _inflated(stream: IO[bytes]) -> Any:
    packed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    stream.seek(0)
    return gzip.GzipFile(fileobj=stream) if packed else stream


class _Bounded(io.RawIOBase):
    """Stream that refuses to read a gigabyte at once, as a false header of an archive could ask for."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_BATCH:
            raise ValueError(f"{size:,} bytes at once")
        return bytes(self.stream.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self.stream.seek(offset, whence))

    def tell(self) -> int:
        return int(self.stream.tell())


def _read_file(path: Path) -> bytes:
    with open_regular(path, MAX_BATCH) as stream:
        return stream.read()


def read_batch(content: bytes, what: str, *, binary: bool) -> Batch:
    """Return the images `[count, 32, 32, 3]` and labels `[count]` of one batch.

    Raises:
        InputError: It is not a batch of CIFAR-10.
    """
    rows, labels = _parse_binary(content, what) if binary else _parse_python(content, what)
    if not len(rows) or labels.min() < 0 or labels.max() >= CLASSES:
        raise InputError(f"{what} is not a batch of CIFAR-10, of labels from 0 to {CLASSES - 1}; fetch it again.")
    return rows.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1), labels.astype(np.int32)


def _parse_binary(content: bytes, what: str) -> Batch:
    if not content or len(content) % (ROW + 1):
        raise InputError(
            f"{what} has {len(content):,} bytes, no multiple of the {ROW + 1:,} of an image of CIFAR-10 with its "
            "label; fetch it again."
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, ROW + 1)
    return records[:, 1:], records[:, 0].astype(np.int32)


def _parse_python(content: bytes, what: str) -> Batch:
    try:
        _refuse_memory(content)
        stored = _Restricted(io.BytesIO(content), encoding="bytes").load()
        batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in stored.items()}
        rows, labels = batch["data"].array, np.asarray(batch["labels"])
    except Exception as error:  # a false pickle raises exceptions of any type
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{what} is not a batch of CIFAR-10 ({reason}); fetch it again.") from error
    shapes = rows.shape[1:] == (ROW,) and labels.shape == rows.shape[:1]
    if not shapes or rows.dtype != np.uint8 or labels.dtype.kind not in "iu":
        raise InputError(
            f"{what} holds data of shape {rows.shape} and type {rows.dtype}, and labels of shape {labels.shape}, not "
            f"rows of {ROW:,} bytes; fetch it again."
        )
    return rows, labels.astype(np.int32)


class _Dtype:
    """Type of an array in a pickle: one of bytes or whole numbers; what else the file says of it is ignored."""

    def __init__(self, code: object = "", *_: object) -> None:
        text = code.decode("latin1") if isinstance(code, bytes) else str(code)
        if text.lstrip("|<=") not in ("u1", "i4", "i8"):
            raise pickle.UnpicklingError(f"it holds an array of type {quoted(text)}")
        self.dtype = np.dtype(text.lstrip("|<="))

    def __setstate__(self, _: object) -> None:
        """Ignore the file's further description."""


class _Array:
    """Array in a pickle, built from its raw bytes alone."""

    def __init__(self, *_: object) -> None:
        self.array: NDArray[Any] = np.empty((0,), np.uint8)

    def __setstate__(self, state: tuple[object, Any, _Dtype, object, object]) -> None:
        """Take version, shape, type, order and bytes, as NumPy writes them."""
        _, shape, dtype, fortran, raw = state
        if not isinstance(raw, (bytes, bytearray)):
            raise pickle.UnpicklingError("it holds an array of objects")
        self.array = _array_of(raw, dtype, shape, "F" if fortran else "C").array


def _array_of(buffer: bytes | bytearray, dtype: _Dtype, shape: tuple[int, ...], order: str) -> _Array:
    made = _Array()
    made.array = np.frombuffer(buffer, dtype.dtype).reshape(shape, order="F" if order == "F" else "C")
    return made


def _encode(text: str, encoding: object) -> bytes:
    return text.encode("latin1")


KNOWN = {
    **dict.fromkeys((("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")), _Array),
    **dict.fromkeys((("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer")), _array_of),
    ("numpy", "ndarray"): "ndarray",  # an argument of the first two
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}
"""What a pickle may name: nothing of it is NumPy's own, so that no file reaches NumPy's internals."""
MEMO = ("PUT", "BINPUT", "LONG_BINPUT")


class _Restricted(pickle.Unpickler):
    """Unpickler of arrays of numbers, lists, strings and dictionaries: it calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the functions here.

        Raises:
            pickle.UnpicklingError: The file asks for another one.
        """
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not called")
        return KNOWN[module, name]


def _refuse_memory(content: bytes) -> None:
    """Refuse a pickle with places that it cannot fill: for each, the unpickler would reserve memory."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if opcode.name in MEMO and int(argument or 0) > count:
            raise pickle.UnpicklingError(f"it names place {argument} after {count} steps")
