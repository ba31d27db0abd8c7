"""Classification figures: confusion matrix, images by predicted class, reliability diagram."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from aae_jax.evaluation import Reliability, calibration_error
from aae_jax.figures.style import (
    COLOURS,
    FONT_SIZE,
    WIDTH,
    colour,
    legend_above,
    legend_name,
    letters,
    literals,
    new_figure,
    room,
    tidy,
)
from aae_jax.figures.tiles import are_pictures, as_rgb, draw_tiles, gap

__all__ = ["confusion_matrix", "predicted_classes", "reliability_diagram"]

_MOST_NUMBERS = 30
_PER_CLASS = 12


def confusion_matrix(counts: ArrayLike, *, label_names: Sequence[str] | None = None) -> Figure:
    """Draw a confusion matrix with true classes as rows and predicted classes as columns.

    Colours are shares of the row. Counts are printed for up to 30 classes.

    Args:
        counts: Integers, [classes, classes], true class first.
        label_names: Names of the classes; defaults to their numbers.

    Raises:
        ValueError: `counts` is not square, or there is not one name per class.
    """
    table = np.asarray(counts)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not table.size:
        raise ValueError(f"Expected counts [classes, classes]; got {table.shape}.")
    classes = len(table)
    names = literals(map(str, range(classes)) if label_names is None else label_names)
    if len(names) != classes:
        raise ValueError(f"Expected {classes} label names, one for each class; got {len(names)}.")
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    size = min(WIDTH, 1.6 + 0.5 * classes) + room(names)
    figure = new_figure(width=size, height=size * 0.92)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    ticks, small = np.arange(classes), FONT_SIZE - 2 if classes > 12 else FONT_SIZE - 1
    axes.set_xticks(ticks, names)
    if max(map(letters, names)) > 3:
        for text in axes.get_xticklabels():
            text.update({"rotation": 45, "ha": "right", "rotation_mode": "anchor"})
    axes.set_yticks(ticks, names)
    if classes <= _MOST_NUMBERS:
        for row, column in zip(*np.nonzero(table), strict=True):
            ink = "white" if shares[row, column] > 0.5 else COLOURS["black"]
            axes.text(column, row, str(table[row, column]), ha="center", va="center", color=ink, fontsize=small - 1)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    tidy(axes, grid=False)
    return figure


def predicted_classes(
    images: ArrayLike, predicted: ArrayLike, labels: ArrayLike, *, label_names: Sequence[str] | None = None
) -> Figure:
    """Draw a row of up to 12 images per predicted class, misclassified ones first and framed in vermillion.

    Images without a label are never framed.

    Args:
        images: Images, [n, h, w] or [n, h, w, 3] in [0, 1].
        predicted: Predicted classes, [n].
        labels: True classes, [n].
        label_names: Names of the classes; defaults to their numbers.

    Raises:
        ValueError: The shapes do not match.
    """
    pictures, guesses, truth = np.asarray(images, dtype=np.float64), np.asarray(predicted), np.asarray(labels)
    if not are_pictures(pictures, axes=1) or guesses.shape != truth.shape or guesses.shape != pictures.shape[:1]:
        shapes = f"{pictures.shape}, {guesses.shape} and {truth.shape}"
        raise ValueError(
            f"Expected images [n, h, w] or [n, h, w, 3] with a prediction and a label each; got {shapes}."
        )
    classes = len(label_names) if label_names is not None else int(max(guesses.max(), truth.max())) + 1
    names = literals(map(str, range(classes)) if label_names is None else label_names)
    height, width = pictures.shape[1:3]
    frame = max(height // 14, 1)
    tall, wide = height + 2 * frame, width + 2 * frame
    tiles = np.ones((classes, _PER_CLASS, tall, wide, 3))
    for row in range(classes):
        for column, index in enumerate(_chosen(guesses, truth, row)):
            colour = COLOURS["vermillion"] if 0 <= truth[index] != row else "white"
            tiles[row, column] = _framed(pictures[index], colour, frame)
    cell = min(0.6, (WIDTH - 1) / _PER_CLASS)
    figure = new_figure(width=1 + cell * _PER_CLASS + room(names), height=0.5 + cell * classes * tall / wide)
    axes = figure.subplots()
    draw_tiles(axes, tiles, columns=_PER_CLASS)
    axes.set_yticks([(tall - 1) / 2 + i * (tall + gap(tall)) for i in range(classes)], names)
    axes.set_ylabel("predicted class", fontsize=FONT_SIZE)
    return figure


def _chosen(guesses: NDArray[Any], truth: NDArray[Any], label: int) -> NDArray[Any]:
    """Choose up to 12 images predicted as `label`: errors first, at most half unless there are too few others.

    An image without a label, -1, is no error.
    """
    is_wrong = (truth != label) & (truth >= 0)
    wrong, right = (np.flatnonzero((guesses == label) & part) for part in (is_wrong, ~is_wrong))
    shown = wrong[: max(_PER_CLASS // 2, _PER_CLASS - len(right))]
    return np.concatenate([shown, right[: _PER_CLASS - len(shown)]])


def _framed(picture: NDArray[np.float64], colour: str, frame: int) -> NDArray[np.float64]:
    """Return an image in RGB with a frame around it."""
    coloured = as_rgb(picture)
    height, width = coloured.shape[:2]
    framed = np.empty((height + 2 * frame, width + 2 * frame, 3))
    framed[:] = to_rgb(colour)
    framed[frame : frame + height, frame : frame + width] = coloured
    return framed


def reliability_diagram(reliabilities: Mapping[str, Reliability]) -> Figure:
    """Draw accuracy over confidence, above a histogram of the confidence.

    On the diagonal the classifier is calibrated; below it, overconfident.

    Args:
        reliabilities: By name, e.g. before and after calibration; the legend adds the expected calibration error.

    Raises:
        ValueError: `reliabilities` is empty.
    """
    if not reliabilities:
        raise ValueError("Expected at least one reliability; got none.")
    figure = new_figure(width=0.7 * WIDTH, height=0.75 * WIDTH)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--")
    for index, (name, bins) in enumerate(reliabilities.items()):
        filled = bins.counts > 0
        label = f"{legend_name(name)}: {100 * calibration_error(bins):.2f} %"
        upper.plot(
            bins.confidence[filled], bins.accuracy[filled], "-o", color=colour(index), markersize=5, label=label
        )
        middles = 0.5 * (bins.edges[1:] + bins.edges[:-1])
        width = 0.8 * (bins.edges[1] - bins.edges[0]) / len(reliabilities)
        places = middles + width * (index - 0.5 * (len(reliabilities) - 1))
        lower.bar(places, bins.counts, width=width, color=colour(index))
    upper.set(ylabel="accuracy", ylim=(-0.02, 1.02), xlim=(0, 1.02))
    lower.set(xlabel="confidence", ylabel="images", yscale="log")
    tidy(upper)
    tidy(lower)
    legend_above(upper, columns=len(reliabilities))
    return figure
