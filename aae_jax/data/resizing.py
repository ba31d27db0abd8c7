"""Images in the size and colours that a model of other data takes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.readers.picture_files import fit_picture
from aae_jax.errors import InputError

__all__ = ["fit_images", "require_fitting"]

COLOURS = 3


def require_fitting(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Check that images of a shape can be brought to another.

    Raises:
        InputError: Either is not that of greyscale or RGB images, and they differ.
    """
    for what, given in (("The images have", shape), ("The model takes", wanted)):
        if shape != wanted and not (len(given) == 2 or (len(given) == 3 and given[2] == COLOURS)):
            kind = "rows of numbers" if len(given) == 1 else "images"
            raise InputError(
                f"{what} the shape {list(given)}, {kind} that are neither greyscale nor RGB, and cannot be converted "
                f"from {list(shape)} to {list(wanted)}; give data and a model of images."
            )


def fit_images(images: NDArray[Any], image_shape: tuple[int, ...]) -> NDArray[Any]:
    """Return images in another size and colours; those of the right shape are unchanged.

    Images are scaled until they cover the size, and what protrudes is cropped equally on both sides, as image files
    are. Colours become grey by their brightness, and grey images get three equal colours.

    Args:
        images: uint8, or floats in [0, 1], which are rounded to bytes; `[count, height, width]` or
            `[count, height, width, 3]`.
        image_shape: Shape of the results.

    Raises:
        InputError: See `require_fitting`.
    """
    require_fitting(tuple(images.shape[1:]), image_shape)
    if images.shape[1:] == image_shape:
        return images
    from PIL import Image  # slow to import

    mode = "L" if len(image_shape) == 2 else "RGB"
    pixels = images if images.dtype == np.uint8 else np.rint(255 * images).astype(np.uint8)
    pictures = (Image.fromarray(image).convert(mode) for image in pixels)
    fitted = [np.asarray(fit_picture(picture, (image_shape[0], image_shape[1]))) for picture in pictures]
    return np.stack(fitted) if fitted else np.zeros((0, *image_shape), np.uint8)
