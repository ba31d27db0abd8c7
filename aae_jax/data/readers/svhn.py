"""Reader of the cropped Street View House Numbers (Netzer et al. 2011) in their published form, MATLAB files."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.files import open_regular

__all__ = ["read_matlab"]

MAX_MATLAB_BYTES = 2**33
MAX_PIXELS, MAX_SIDE = 2**33, 1024
ZERO = 10
"""Label of the digit 0 in the files."""


def read_matlab(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the images `[count, height, width, 3]` and labels `[count]`, 0 to 9, of one file.

    Raises:
        InputError: It cannot be read, or does not hold images `X` and their labels `y`.
    """
    import scipy.io  # type: ignore[import-untyped, unused-ignore]

    try:
        with open_regular(path, MAX_MATLAB_BYTES) as stream:
            _refuse_memory(path, {name: shape for name, shape, _ in scipy.io.whosmat(stream)})
            stream.seek(0)
            stored = scipy.io.loadmat(stream, variable_names=("X", "y"))
    except InputError:
        raise
    except Exception as error:  # SciPy raises exceptions of many types for a damaged file, OSError too
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{path} cannot be read ({error.strerror}); check that it is readable.") from error
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{path} is not a complete MATLAB file ({reason}); fetch it again.") from error
    if "X" not in stored or "y" not in stored:
        raise InputError(f"{path} holds no images X with labels y; give the original file of cropped digits.")
    images, labels = np.asarray(stored["X"]), np.asarray(stored["y"])
    if images.ndim != 4 or images.shape[2] != 3 or images.dtype != np.uint8 or labels.size != images.shape[3]:
        raise InputError(
            f"{path} holds X of shape {images.shape}, type {images.dtype}, and y of shape {labels.shape}, not bytes "
            "of [height, width, 3, images] and a label for each; give the original file of cropped digits."
        )
    if labels.dtype.kind not in "iuf" or not labels.size or not np.isin(labels, np.arange(ZERO + 1)).all():
        raise InputError(f"{path} holds labels y other than 1 to {ZERO}; give the original file of cropped digits.")
    return np.ascontiguousarray(images.transpose(3, 0, 1, 2)), labels.reshape(-1).astype(np.int32) % ZERO


def _refuse_memory(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """Refuse arrays that no file of digits has, before they are unpacked."""
    shape = shapes.get("X", ())
    right = len(shape) == 4 and min(shape) > 0 and max(shape[:2]) <= MAX_SIDE and shape[2] == 3
    if "X" in shapes and (not right or math.prod(shape) > MAX_PIXELS or math.prod(shapes.get("y", ())) > shape[3]):
        raise InputError(
            f"{path} holds X of shape {shape} and y of shape {shapes.get('y')}, not bytes of [height, width, 3, "
            "images] and a label for each; give the original file of cropped digits."
        )
