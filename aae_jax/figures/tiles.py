"""Tiles of images in one array: their layout, and their colours with non-finite pixels marked."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from aae_jax.figures.style import COLOURS, FONT_SIZE

__all__ = ["are_pictures", "as_rgb", "draw_tiles", "gap"]


def gap(size: int) -> int:
    """Return the gap in pixels between two images of `size` pixels."""
    return max(size // 14, 1)


def are_pictures(tiles: NDArray[np.float64], *, axes: int) -> bool:
    """Return whether `tiles` are greyscale or RGB images with `axes` leading axes."""
    coloured = tiles.ndim == axes + 3 and tiles.shape[-1] == 3
    return tiles.size > 0 and (tiles.ndim == axes + 2 or coloured)


def draw_tiles(axes: Axes, tiles: NDArray[np.float64], *, columns: int) -> None:
    """Draw `tiles` [rows, up to `columns`, h, w(, 3)] as one image, which is cheaper than one axes per tile."""
    rows, filled, height, width = tiles.shape[:4]
    down, right = height + gap(height), width + gap(width)
    canvas = np.ones((rows * down - gap(height), columns * right - gap(width), 3))
    for row in range(rows):
        for column in range(filled):
            area = np.s_[row * down : row * down + height, column * right : column * right + width]
            canvas[area] = as_rgb(tiles[row, column])
    axes.imshow(canvas, interpolation="nearest")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=FONT_SIZE)
    axes.set_xticks([])


def as_rgb(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert an image `[h, w]` or `[h, w, 3]` to RGB, non-finite pixels in vermillion."""
    coloured = image if image.ndim == 3 else np.repeat(image[..., np.newaxis], 3, axis=-1)
    shown = np.clip(coloured, 0, 1)
    shown[~np.isfinite(coloured).all(axis=-1)] = to_rgb(COLOURS["vermillion"])
    return shown
