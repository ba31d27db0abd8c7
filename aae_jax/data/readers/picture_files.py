"""Decoding of untrusted image files by Pillow: listed formats only, bounded size, no helper programs."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.brightness import refuse_darkness
from aae_jax.errors import InputError
from aae_jax.files import open_regular

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "SUFFIXES",
    "decode_of_size",
    "decode_picture",
    "fit_picture",
    "read_picture",
    "without_warnings",
]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""Accepted formats; others that Pillow supports start programs (EPS), or are no data (icons, video)."""
MAX_PIXELS = 50_000_000
MAX_FILE_BYTES = 2**30
WIDEST = 65535
TO_DO = "spread its values over 0 to 255 (those of a mask of 0 and 1: 0 and 255), or leave it out"
UNKNOWN_RANGE = (
    "whether it has 8, 10, 12 or 16 bits is not known; save it with 8 bits, or with greys over all 16 bits"
)


def read_picture(file: Path, image_shape: tuple[int, ...], *, resize: bool = False) -> NDArray[np.uint8]:
    """Read an image file as bytes of `image_shape`, `[height, width]` or `[height, width, 3]`.

    Its EXIF orientation is applied; of several frames the first is taken; transparent parts are shown on white.

    Args:
        file: A PNG, JPEG, BMP, GIF, TIFF, WEBP or PPM file, with any name.
        image_shape: Shape of a greyscale or RGB image.
        resize: Resize the image to cover that shape, and crop what protrudes equally on both sides; otherwise another
            size is refused.

    Raises:
        InputError: The file cannot be read, has another size, is too large, or nearly black.
    """
    try:
        with open_regular(file, MAX_FILE_BYTES) as stream, without_warnings():
            return _decode(stream, str(file), image_shape, resize)
    except OSError as error:
        raise InputError(f"{file} cannot be read as a picture ({error.strerror or error}); leave it out.") from error


def decode_of_size(content: bytes, what: str, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Decode an image file in memory, `[height, width]` if its format is greyscale, else `[height, width, 3]`.

    Orientation, frames and transparency as in `read_picture`. Callers decode in several threads, so they suppress
    Pillow's warnings themselves, by `without_warnings`.

    Args:
        content: The file, of one of the formats of `read_picture`.
        what: Name of the file in messages.
        size: Height and width that it is resized to cover and cropped to; None: its own.

    Raises:
        InputError: It is damaged, too large, or of another format.
    """
    if not content:
        raise InputError(f"{what} is empty")
    try:
        with _open(io.BytesIO(content), what) as opened:
            wide = any(";16" in str(tile[3]) for tile in opened.tile)
            picture = _upright(opened, what)
            if wide and picture.mode.startswith("RGB") and not np.asarray(picture)[..., :3].any():
                raise InputError(f"{what} has 16 bits, of which the upper 8 are not used: {UNKNOWN_RANGE}")
            grey = picture.mode in ("1", "L", "LA", "La", "I", "F") or picture.mode.startswith("I;")
            picture = _on_white(_eight_bits(picture, what)).convert("L" if grey else "RGB")
            return np.asarray(picture if size is None else fit_picture(picture, size), dtype=np.uint8)
    except InputError:
        raise
    except Exception as error:  # Pillow raises exceptions of nearly any type for damaged files
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{what} cannot be read as a picture ({reason})") from error


def fit_picture(picture: Any, size: tuple[int, int]) -> Any:
    """Scale an image until it covers `size`, height and width, and crop what protrudes equally on both sides."""
    from PIL import Image, ImageOps

    height, width = size
    if picture.size == (width, height):
        return picture
    return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)


def _decode(stream: Any, what: str, image_shape: tuple[int, ...], resize: bool) -> NDArray[np.uint8]:
    height, width = image_shape[:2]
    try:
        with _open(stream, what) as opened:
            wide = any(";16" in str(tile[3]) for tile in opened.tile)  # of RGB, Pillow keeps the upper 8 of 16 bits
            picture = _upright(opened, what)
            if picture.size != (width, height) and not resize:
                raise InputError(
                    f"{what} is {picture.size[1]} x {picture.size[0]} pixels, but the model takes {height} x "
                    f"{width}; give --resize to resize it."
                )
            if wide and picture.mode.startswith("RGB") and not np.asarray(picture)[..., :3].any():
                raise InputError(f"{what} has 16 bits, of which the upper 8 are not used: {UNKNOWN_RANGE}.")
            picture = _on_white(_eight_bits(picture, what)).convert("L" if len(image_shape) == 2 else "RGB")
            pixels = np.asarray(picture, dtype=np.uint8)
            refuse_darkness(pixels, f"The pixels of {what}", black=True, advice=TO_DO)
            return np.asarray(fit_picture(picture, (height, width)), dtype=np.uint8)
    except InputError:
        raise
    except Exception as error:  # Pillow raises exceptions of nearly any type for damaged files
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{what} cannot be read as a picture ({reason}); leave it out, or save it again.") from error


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Suppress Pillow's warnings of damaged metadata, and of sizes that are refused here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(stream: Any, what: str) -> Any:
    """Open an image of an accepted format and size without decoding it."""
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(stream, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise InputError(f"{what} has more than {MAX_PIXELS:,} pixels; make it smaller.") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{what} cannot be read as a picture: it is not one of {', '.join(FORMATS)}.") from error
    if opened.size[0] * opened.size[1] > MAX_PIXELS:
        raise InputError(f"{what} has more than {MAX_PIXELS:,} pixels; make it smaller.")
    return opened


def _upright(opened: Any, what: str) -> Any:
    """Decode an image and apply its EXIF orientation; damage in other EXIF data is ignored."""
    from PIL import ImageOps

    opened.load()
    try:
        return ImageOps.exif_transpose(opened)
    except Exception as error:
        raise InputError(f"{what} has a damaged EXIF orientation ({type(error).__name__}); save it again.") from error


def _on_white(picture: Any) -> Any:
    """Composite an image with transparent parts, whose colour has no meaning, on white."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture
    opaque = Image.new("RGBA", picture.size, "white")
    opaque.alpha_composite(picture.convert("RGBA"))
    return opaque.convert("RGB")


def _eight_bits(picture: Any, what: str) -> Any:
    """Convert 16-bit greyscale to bytes: Pillow's conversion would make all of it white."""
    from PIL import Image

    if picture.mode not in ("I", "F") and not picture.mode.startswith("I;"):
        return picture
    greys = np.asarray(picture)
    if picture.mode == "F" or greys.min() < 0 or greys.max() > WIDEST:
        raise InputError(f"{what} has greys in the mode {picture.mode}; save it with 8 or 16 bits.")
    refuse_darkness(greys, f"The greys of {what}", brightest=WIDEST, black=True, advice=UNKNOWN_RANGE)
    return Image.fromarray((greys.astype(np.int64) // 257).astype(np.uint8))


def decode_picture(content: bytes, what: str) -> NDArray[np.uint8]:
    """Decode an image in memory, `[height, width]` or `[height, width, channels]`.

    Its channels are kept; its EXIF orientation is applied.

    Raises:
        InputError: It is damaged, too large, of another format, or does not have 8 bits.
    """
    try:
        with without_warnings(), _open(io.BytesIO(content), what) as opened:
            picture = _upright(opened, what)
            if picture.mode == "P":  # pixels are indices into a palette
                picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
            pixels = np.asarray(picture)
    except InputError:
        raise
    except Exception as error:  # Pillow raises exceptions of nearly any type for damaged files
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{what} cannot be read as a picture ({reason}); prepare the copy again.") from error
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype != np.uint8:
        raise InputError(f"{what} holds pixels of type {pixels.dtype}; give a set of 8-bit images.")
    return pixels
