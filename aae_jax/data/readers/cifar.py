"""Reader of CIFAR-10 in its published forms: the binary and the Python version, unpacked or as an archive."""

import io
import pickle
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.files import open_regular

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
        with open_regular(path) as stream, tarfile.open(fileobj=stream) as archive:
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
        stored = _Restricted(io.BytesIO(content), encoding="bytes").load()
        batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in stored.items()}
        rows, labels = np.asarray(batch["data"]), np.asarray(batch["labels"])
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


class _Restricted(pickle.Unpickler):
    """Unpickler of NumPy's arrays of numbers, lists, strings and dictionaries: it calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the functions here, which are safe with any arguments.

        Raises:
            pickle.UnpicklingError: The file asks for another one.
        """
        known = {
            ("numpy.core.multiarray", "_reconstruct"): _empty_array,
            ("numpy._core.multiarray", "_reconstruct"): _empty_array,
            ("numpy.core.numeric", "_frombuffer"): _array_of,
            ("numpy._core.numeric", "_frombuffer"): _array_of,
            ("numpy", "ndarray"): "ndarray",  # an argument of the first two
            ("numpy", "dtype"): _number_type,
            ("_codecs", "encode"): _encode,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not called")
        return known[module, name]


def _empty_array(*_: object) -> NDArray[Any]:
    return np.empty((0,), np.uint8)


def _array_of(buffer: bytes | bytearray, dtype: "np.dtype[Any]", shape: tuple[int, ...], order: str) -> NDArray[Any]:
    return np.frombuffer(buffer, dtype).reshape(shape, order="F" if order == "F" else "C")


def _number_type(code: object, *_: object) -> np.dtype[Any]:
    text = code.decode() if isinstance(code, bytes) else str(code)
    found = np.dtype(text, copy=True)  # the file's next step changes it
    if found.kind not in "iufb":
        raise pickle.UnpicklingError(f"it holds an array of type {text!r}")
    return found


def _encode(text: str, encoding: object) -> bytes:
    return text.encode("latin1")
