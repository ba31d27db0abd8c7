"""Image figures: reconstructions, style-class grids, first-layer features, latent interpolations."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from aae_jax.figures.style import FONT_SIZE, MAX_NAME, WIDTH, letters, literals, new_figure, room
from aae_jax.figures.tiles import are_pictures, draw_tiles, gap

__all__ = [
    "MAX_IMAGES",
    "first_layer_features",
    "latent_interpolation",
    "reconstructions",
    "style_class_grid",
]

MAX_IMAGES = 20
"""Maximum number of pairs in `reconstructions`."""
_PER_ROW = 10
_MOST_UNITS, _PER_SHEET_ROW = 60, 15
_LARGEST_CELL = 0.75


def reconstructions(
    images: ArrayLike, outputs: ArrayLike, *, names: tuple[str, str] = ("original", "reconstructed")
) -> Figure:
    """Draw up to 20 `images` above their reconstructions, ten per row.

    Non-finite pixels are drawn in vermillion.

    Args:
        images: Originals, [n, h, w] or [n, h, w, 3] in [0, 1].
        outputs: Reconstructions in the same order, of the same shape, in [0, 1].
        names: Labels of the upper and the lower images.

    Raises:
        ValueError: The shapes differ, or there is no image.
    """
    originals, made = np.asarray(images, dtype=np.float64), np.asarray(outputs, dtype=np.float64)
    if not are_pictures(originals, axes=1) or originals.shape != made.shape:
        shapes = f"{originals.shape} and {made.shape}"
        raise ValueError(f"Expected images and outputs of one shape [n, h, w] or [n, h, w, 3], n > 0; got {shapes}.")
    originals, made = originals[:MAX_IMAGES], made[:MAX_IMAGES]
    starts = range(0, len(originals), _PER_ROW)
    columns = min(len(originals), _PER_ROW)
    cell = _LARGEST_CELL * originals.shape[1] / originals.shape[2]
    width = min(1.3 + _LARGEST_CELL * columns, WIDTH)
    shown = literals(names, most=MAX_NAME)
    figure = new_figure(width=max(width, 3.0) + room(shown, free=20), height=len(starts) * (2 * cell + 0.2))
    for axes, start in zip(figure.subplots(len(starts), 1, squeeze=False)[:, 0], starts, strict=True):
        block = np.stack([part[start : start + columns] for part in (originals, made)])
        draw_tiles(axes, block, columns=columns)
        height = block.shape[2]
        axes.set_yticks([(height - 1) / 2, (height - 1) / 2 + height + gap(height)], shown)
    return figure


def style_class_grid(images: ArrayLike, *, label_names: Sequence[str] | None = None, label: str = "class") -> Figure:
    """Draw decoded images of every class in every style: one z per row, one y per column.

    Args:
        images: Decoded images, [styles, classes, h, w] or [styles, classes, h, w, 3] in [0, 1].
        label_names: Names of the classes, [classes]; defaults to their numbers.
        label: Meaning of y: "class" or "cluster".

    Raises:
        ValueError: `images` has another number of axes, or there is not one name per class.
    """
    tiles = np.asarray(images, dtype=np.float64)
    if not are_pictures(tiles, axes=2):
        raise ValueError(f"Expected images [styles, classes, h, w] or [..., 3], none empty; got {tiles.shape}.")
    styles, classes, height, width = tiles.shape[:4]
    names = literals(map(str, range(classes)) if label_names is None else label_names)
    if len(names) != classes:
        raise ValueError(f"Expected {classes} label names, one for each class; got {len(names)}.")
    cell = min(_LARGEST_CELL, (WIDTH - 0.6) / classes)
    size = (max(cell * classes + 0.6, 3.0), cell * styles * height / width + 0.8)
    figure = new_figure(width=size[0] + room(names), height=size[1] + room(names))
    axes = figure.subplots()
    draw_tiles(axes, tiles, columns=classes)
    axes.xaxis.tick_top()
    # A letter of this size is about 0.075 inches wide.
    crowded = max(map(letters, names)) * 0.075 > cell
    slant = {"rotation": 40, "ha": "left", "rotation_mode": "anchor"} if crowded else {}
    axes.set_xticks([(width - 1) / 2 + index * (width + gap(width)) for index in range(classes)], names)
    for text in axes.get_xticklabels():
        text.update(slant)
    axes.set_yticks([])
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(f"{label} y, one per column", fontsize=FONT_SIZE)
    axes.set_ylabel("style z, fixed along each row", fontsize=FONT_SIZE)
    return figure


def first_layer_features(kernel: ArrayLike, image_shape: Sequence[int]) -> Figure:
    """Draw the features of the encoder's first layer: the incoming weights of its units as images.

    The 60 units of largest weight norm are shown, in decreasing order; grey is zero, and each image is scaled to its
    largest absolute weight.

    Args:
        kernel: Weights of the first layer, [inputs, units]; inputs beyond the pixels (noise) are ignored.
        image_shape: (h, w) or (h, w, 3).

    Raises:
        ValueError: There are fewer inputs than pixels, or no units.
    """
    weights, shape = np.asarray(kernel, dtype=np.float64), tuple(image_shape)
    pixels = int(np.prod(shape))
    if (
        weights.ndim != 2
        or weights.shape[0] < pixels
        or not weights.shape[1]
        or not are_pictures(np.ones(shape), axes=0)
    ):
        raise ValueError(f"Expected a kernel [inputs, units] for images of shape {shape}; got {weights.shape}.")
    units = weights[:pixels].T
    order = np.argsort(-np.linalg.norm(units, axis=1), kind="stable")[:_MOST_UNITS]
    largest = np.abs(units[order]).max(axis=1, keepdims=True)
    shown = 0.5 + 0.5 * units[order] / np.where(largest > 0, largest, 1)
    return _draw_sheet(shown.reshape(len(order), *shape))


def latent_interpolation(images: ArrayLike, ends: ArrayLike) -> Figure:
    """Draw decoded linear interpolations between the codes of two images, one pair per row.

    Args:
        images: Decoded images, [pairs, steps, h, w] or [pairs, steps, h, w, 3] in [0, 1].
        ends: The two images of each pair, [pairs, 2, h, w] or [pairs, 2, h, w, 3] in [0, 1].

    Raises:
        ValueError: The shapes do not match.
    """
    decoded, originals = np.asarray(images, dtype=np.float64), np.asarray(ends, dtype=np.float64)
    right = are_pictures(decoded, axes=2) and originals.shape == (len(decoded), 2, *decoded.shape[2:])
    if not right:
        shapes = f"{decoded.shape} and {originals.shape}"
        raise ValueError(f"Expected images [pairs, steps, h, w] or [..., 3] and ends [pairs, 2, ...]; got {shapes}.")
    tiles = np.concatenate([originals[:, :1], decoded, originals[:, 1:]], axis=1)
    rows, columns, height, width = tiles.shape[:4]
    cell = min(_LARGEST_CELL, WIDTH / columns)
    figure = new_figure(width=max(cell * columns, 3.0), height=cell * rows * height / width + 0.4)
    axes = figure.subplots()
    draw_tiles(axes, tiles, columns=columns)
    step = width + gap(width)
    axes.xaxis.tick_top()
    middle = step * (columns - 1) / 2 + (width - 1) / 2
    axes.set_xticks([(width - 1) / 2, middle, (columns - 1) * step + (width - 1) / 2], ["image", "decoded", "image"])
    axes.set_yticks([])
    return figure


def _draw_sheet(pictures: NDArray[np.float64]) -> Figure:
    """Draw images `[n, h, w(, 3)]` in rows of 15."""
    columns = min(len(pictures), _PER_SHEET_ROW)
    rows = -(-len(pictures) // columns)
    height, width = pictures.shape[1:3]
    tiles = np.ones((rows * columns, *pictures.shape[1:]))
    tiles[: len(pictures)] = pictures
    cell = WIDTH / _PER_SHEET_ROW
    figure = new_figure(width=max(cell * columns, 3.0), height=cell * rows * height / width + 0.2)
    axes = figure.subplots()
    draw_tiles(axes, tiles.reshape(rows, columns, *pictures.shape[1:]), columns=columns)
    axes.set_yticks([])
    return figure
