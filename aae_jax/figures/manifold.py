"""What the decoder makes of chosen codes: a grid over the plane, walks through the prior, samples with neighbours."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from aae_jax.figures.images import are_pictures, draw_tiles
from aae_jax.figures.style import FONT_SIZE, WIDTH, new_figure

__all__ = ["image_grid"]

_LARGEST_CELL = 0.6
_LARGEST_HEIGHT = 9.0


def image_grid(images: ArrayLike, *, title: str, across: str = "", down: str = "") -> Figure:
    """Draw pictures in rows and columns.

    Args:
        images: Decoded pictures, [rows, columns, h, w] or [rows, columns, h, w, 3] in [0, 1].
        title: What they are.
        across: What changes along a row.
        down: What changes from row to row.

    Raises:
        ValueError: `images` has another number of axes.
    """
    tiles = np.asarray(images, dtype=np.float64)
    if not are_pictures(tiles, axes=2):
        raise ValueError(f"Expected images [rows, columns, h, w] or [..., 3], none of them 0; got {tiles.shape}.")
    rows, columns, height, width = tiles.shape[:4]
    shape = height / width
    cell = min(_LARGEST_CELL, (WIDTH - 0.5) / columns, _LARGEST_HEIGHT / (rows * shape))
    figure = new_figure(width=max(cell * columns + 0.5, 4.0), height=cell * rows * shape + 0.7)
    axes = figure.subplots()
    draw_tiles(axes, tiles, columns=columns)
    axes.set_yticks([])
    axes.set_title(title, loc="left", fontsize=FONT_SIZE, fontweight="bold")
    axes.set_xlabel(across, fontsize=FONT_SIZE)
    axes.set_ylabel(down, fontsize=FONT_SIZE)
    return figure
