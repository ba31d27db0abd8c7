"""Images to be classified: a picture, a folder of pictures, or arrays in a npy, npz or IDX file."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from aae_jax.data.idx import read_idx
from aae_jax.data.npz import DAMAGE, read_arrays
from aae_jax.errors import InputError

__all__ = ["Pictures", "read_pictures"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
MOST_PIXELS = 50_000_000


class Pictures(NamedTuple):
    """Images and what to call each: its file, or its number in the array."""

    images: NDArray[Any]
    names: tuple[str, ...]


def read_pictures(
    path: str | os.PathLike[str], image_shape: tuple[int, ...], *, resize: bool = False, invert: bool = False
) -> Pictures:
    """Read what a path holds as images of one shape.

    Args:
        path: A picture, a folder (the pictures in it, by name), or an `.npy`, `.npz` (its `x`, or its `x_test`) or
            IDX file.
        image_shape: What the model takes; pictures become grey or coloured by it.
        resize: Bring pictures of another size to it; otherwise they are refused.
        invert: Turn dark on light into light on dark, as MNIST has it; for bytes alone.

    What is transparent in a picture is shown on white.

    Raises:
        InputError: There is nothing, or something that is no image of that shape.
    """
    file = Path(os.path.expanduser(path))
    try:
        file.stat()
        entries = list(file.iterdir()) if file.is_dir() else []
    except FileNotFoundError as error:
        raise InputError(
            f"{file} does not exist; name a picture, a folder of pictures, or an array's file."
        ) from error
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); name another.") from error
    if file.is_dir():
        files = sorted(entry for entry in entries if entry.suffix.lower() in SUFFIXES)
        if not files:
            raise InputError(
                f"The folder {file} itself holds no pictures ({', '.join(SUFFIXES)}); name the one that does."
            )
        found = Pictures(
            np.stack([_read_picture(entry, image_shape, resize) for entry in files]), tuple(e.name for e in files)
        )
    elif file.suffix.lower() in SUFFIXES:
        found = Pictures(_read_picture(file, image_shape, resize)[None], (file.name,))
    else:
        images = _read_array(file)
        if images.ndim == 4 and images.shape[-1] == 1:
            images = images[..., 0]
        found = Pictures(images, tuple(str(i) for i in range(len(images) if images.ndim else 0)))
    if len(found.names) == 0:
        raise InputError(f"{file} holds no images (shape {found.images.shape}); name another.")
    if invert and found.images.dtype != np.uint8:
        raise InputError(
            f"--invert is for bytes, but {file} holds {found.images.dtype}; invert the numbers yourself."
        )
    return found._replace(images=255 - found.images) if invert else found


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
                f"{file} is not of a kind that is read; give a picture, or an .npy, .npz or IDX file "
                f"(as the last: {error})"
            ) from error
    try:
        with file.open("rb") as stream:
            version = npy.read_magic(stream)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(stream)
            held = file.stat().st_size
        if dtype.hasobject or min(shape, default=0) < 0 or int(np.prod(shape, dtype=object)) * dtype.itemsize > held:
            raise ValueError(f"it speaks of {shape} {dtype}")
        array: NDArray[Any] = np.load(file, allow_pickle=False)
        return array
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}); name a readable file.") from error
    except DAMAGE as error:
        raise InputError(f"{file} is no whole npy file of numbers ({error}); save it again.") from error


def _read_picture(file: Path, image_shape: tuple[int, ...], resize: bool) -> NDArray[np.uint8]:
    """Return a picture as bytes of `image_shape`."""
    from PIL import Image, ImageOps

    if len(image_shape) == 1 or (len(image_shape) == 3 and image_shape[2] != 3):
        raise InputError(f"The model takes arrays of shape {list(image_shape)}, which no picture is; give an array.")
    height, width = image_shape[:2]
    try:
        with Image.open(file) as opened:
            if opened.size != (width, height) and not resize:
                raise InputError(
                    f"{file} is {opened.size[1]} x {opened.size[0]} pixels, the model takes {height} x {width}; "
                    "give --resize to bring it to that size."
                )
            if opened.size[0] * opened.size[1] > MOST_PIXELS:
                raise InputError(f"{file} has more than {MOST_PIXELS} pixels; make it smaller.")
            picture = _eight_bits(ImageOps.exif_transpose(opened), file)
            picture = _on_white(picture).convert("L" if len(image_shape) == 2 else "RGB")
            if picture.size != (width, height):
                picture = picture.resize((width, height), Image.Resampling.LANCZOS)
            return np.asarray(picture, dtype=np.uint8)
    except InputError:
        raise
    except Exception as error:  # Pillow raises nearly every kind over damaged pictures
        raise InputError(f"{file} cannot be read as a picture ({error}); leave it out, or save it again.") from error


def _on_white(picture: Any) -> Any:
    """Return a picture as it is shown on white, where it has transparent parts: their colour says nothing."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture
    opaque = Image.new("RGBA", picture.size, "white")
    opaque.alpha_composite(picture.convert("RGBA"))
    return opaque.convert("RGB")


def _eight_bits(picture: Any, file: Path) -> Any:
    """Return a picture of 16-bit greys in bytes: converted as they are, they would all be white."""
    from PIL import Image

    if picture.mode not in ("I", "F") and not picture.mode.startswith("I;"):
        return picture
    greys = np.asarray(picture)
    if picture.mode == "F" or greys.min() < 0 or greys.max() > 65535:
        raise InputError(f"{file} has greys of kind {picture.mode}; save it with 8 or 16 bits.")
    return Image.fromarray((greys.astype(np.int64) // 257).astype(np.uint8))
