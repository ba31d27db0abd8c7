"""Grids of decoded images: over the latent plane, along walks through the prior, of clusters and modes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from aae_jax.figures.style import FONT_SIZE, WIDTH, caption, literals, new_figure, room
from aae_jax.figures.tiles import are_pictures, draw_tiles, gap

__all__ = ["image_grid", "image_grids"]

_LARGEST_CELL = 0.6
_LARGEST_HEIGHT = 9.0
_GRIDS_ACROSS = 5


def image_grid(
    images: ArrayLike, *, title: str, across: str = "", down: str = "", row_names: Sequence[str] = ()
) -> Figure:
    """Draw images in rows and columns.

    Args:
        images: Decoded images, [rows, columns, h, w] or [rows, columns, h, w, 3] in [0, 1].
        title: Title of the figure.
        across: Quantity that varies along a row.
        down: Quantity that varies from row to row.
        row_names: One name per row, or none.

    Raises:
        ValueError: `images` has another number of axes, or there are names, but not one per row.
    """
    tiles = np.asarray(images, dtype=np.float64)
    if not are_pictures(tiles, axes=2):
        raise ValueError(f"Expected images [rows, columns, h, w] or [..., 3], none empty; got {tiles.shape}.")
    rows, columns, height, width = tiles.shape[:4]
    if row_names and len(row_names) != rows:
        raise ValueError(f"Expected a name for each of {rows} rows; got {len(row_names)}.")
    shape = height / width
    cell = min(_LARGEST_CELL, (WIDTH - 0.5) / columns, _LARGEST_HEIGHT / (rows * shape))
    names = literals(row_names)
    figure = new_figure(
        width=max(cell * columns + 1.0 + room(names, free=3), 4.0 + room(names)), height=cell * rows * shape + 0.7
    )
    axes = figure.subplots()
    draw_tiles(axes, tiles, columns=columns)
    places = [(height - 1) / 2 + row * (height + gap(height)) for row in range(rows)] if row_names else []
    axes.set_yticks(places, names)
    figure.suptitle(caption(title), x=0.01, ha="left", fontsize=FONT_SIZE, fontweight="bold")
    axes.set_xlabel(caption(across), fontsize=FONT_SIZE)
    axes.set_ylabel(caption(down), fontsize=FONT_SIZE)
    return figure


def image_grids(images: ArrayLike, *, title: str, names: Sequence[str], across: str = "", down: str = "") -> Figure:
    """Draw several grids of images, each under its name, five in a row.

    Args:
        images: Decoded images, [grids, rows, columns, h, w] or [grids, rows, columns, h, w, 3] in [0, 1].
        title: Title of the figure.
        names: One name per grid.
        across: Quantity that varies along a row of each grid.
        down: Quantity that varies from row to row.

    Raises:
        ValueError: `images` has another number of axes, or there is not one name per grid.
    """
    grids = np.asarray(images, dtype=np.float64)
    if not are_pictures(grids, axes=3):
        raise ValueError(f"Expected images [grids, rows, columns, h, w] or [..., 3], none empty; got {grids.shape}.")
    if len(names) != len(grids):
        raise ValueError(f"Expected a name for each of {len(grids)} grids; got {len(names)}.")
    columns = min(len(grids), _GRIDS_ACROSS)
    lines = -(-len(grids) // columns)
    width = WIDTH / _GRIDS_ACROSS
    shape = (grids.shape[1] * grids.shape[3]) / (grids.shape[2] * grids.shape[4])
    figure = new_figure(width=max(width * columns, 4.0), height=lines * (width * shape + 0.35) + 0.7)
    every = figure.subplots(lines, columns, squeeze=False)
    for place, axes in enumerate(every.ravel()):
        if place >= len(grids):
            axes.set_axis_off()
            continue
        draw_tiles(axes, grids[place], columns=grids.shape[2])
        axes.set_yticks([])
        axes.set_title(literals([names[place]])[0], loc="left", fontsize=FONT_SIZE)
    figure.suptitle(caption(title), x=0.01, ha="left", fontsize=FONT_SIZE, fontweight="bold")
    figure.supxlabel(caption(across), fontsize=FONT_SIZE)
    figure.supylabel(caption(down), fontsize=FONT_SIZE)
    return figure
