"""Input images of a saved model: an image file, a folder of image files, or arrays in an npy, npz or IDX file."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.brightness import refuse_darkness
from aae_jax.data.readers.idx import read_idx
from aae_jax.data.readers.npz import read_arrays, read_npy
from aae_jax.data.readers.picture_files import SUFFIXES, read_picture
from aae_jax.errors import InputError

__all__ = ["Pictures", "read_pictures"]


class Pictures(NamedTuple):
    """Images and the name of each: its file, or its index in the array."""

    images: NDArray[Any]
    names: tuple[str, ...]


def read_pictures(
    path: str | os.PathLike[str], image_shape: tuple[int, ...], *, resize: bool = False, invert: bool = False
) -> Pictures:
    """Read images of one shape from a path.

    Args:
        path: An image file, a folder (of image files, sorted by name), or an `.npy`, `.npz` (its `x`, or its
            `x_test`) or IDX file.
        image_shape: Shape of the model's images; image files are converted to greyscale or RGB accordingly.
        resize: Resize image files of another size; otherwise they are refused.
        invert: Invert dark on light to light on dark, as in MNIST; for bytes only.

    The EXIF orientation of an image file is applied; of several frames the first is taken; transparent parts are
    shown on white.

    Raises:
        InputError: There are no images, some have another shape, or they are nearly black.
    """
    file = Path(os.path.expanduser(path))
    try:
        file.stat()
        entries = list(file.iterdir()) if file.is_dir() else None
    except FileNotFoundError as error:
        raise InputError(
            f"{file} does not exist; name a picture, a folder of pictures, or an array's file."
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read ({getattr(error, 'strerror', error)}); name another.") from error
    if entries is not None:
        files = sorted(entry for entry in entries if entry.suffix.lower() in SUFFIXES)
        if not files:
            raise InputError(
                f"The folder {file} itself holds no pictures ({', '.join(SUFFIXES)}); name the one that does."
            )
        _check_takes_pictures(image_shape)
        pictures = Pictures(
            np.stack([read_picture(entry, image_shape, resize=resize) for entry in files]),
            tuple(entry.name for entry in files),
        )
    elif file.suffix.lower() in SUFFIXES:
        _check_takes_pictures(image_shape)
        pictures = Pictures(read_picture(file, image_shape, resize=resize)[None], (file.name,))
    else:
        images = _read_array(file)
        if images.ndim == 4 and images.shape[-1] == 1:
            images = images[..., 0]
        if images.dtype == np.uint8 or images.ndim > 2:
            refuse_darkness(images, f"The images in {file}", black=True)
        pictures = Pictures(images, tuple(str(i) for i in range(len(images) if images.ndim else 0)))
    if len(pictures.names) == 0:
        raise InputError(f"{file} holds no images (shape {pictures.images.shape}); name another.")
    if invert and pictures.images.dtype != np.uint8:
        raise InputError(
            f"--invert is for bytes, but {file} holds {pictures.images.dtype}; invert the numbers yourself."
        )
    return pictures._replace(images=255 - pictures.images) if invert else pictures


def _check_takes_pictures(image_shape: tuple[int, ...]) -> None:
    if len(image_shape) == 1 or (len(image_shape) == 3 and image_shape[2] != 3):
        raise InputError(
            f"The model takes arrays of shape {list(image_shape)}, which pictures do not have; give an array."
        )


def _read_array(file: Path) -> NDArray[Any]:
    if file.suffix.lower() == ".npz":
        arrays = read_arrays(file, ("x",), ("x_test",))
        return next(iter(arrays.values()))
    if file.suffix.lower() != ".npy":
        try:
            return read_idx(file)
        except InputError as error:
            if "idx" in file.name or "ubyte" in file.name:
                raise
            raise InputError(
                f"{file} is not in a supported format; give a picture, or an .npy, .npz or IDX file "
                f"(read as IDX: {error})"
            ) from error
    return read_npy(file)
