"""Scatter plots of codes and samples of the prior (figures 1, 2 and 4 of the paper)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from aae_jax.figures.style import COLOURS, FONT_SIZE, HUES, MAX_CLASS_NAME, legend_name, new_figure, tidy

__all__ = ["code_scatter"]

_GREY = "#888888"
_MOST_NAMES = 12


def code_scatter(
    codes: ArrayLike,
    labels: ArrayLike,
    *,
    samples: ArrayLike | None = None,
    label_names: Sequence[str] | None = None,
    marks: ArrayLike | None = None,
    title: str = "Codes of images",
    coordinates: tuple[str, str] = ("$z_1$", "$z_2$"),
) -> Figure:
    """Draw the first two dimensions of codes, coloured by class, next to samples of the prior.

    Both panels share a scale that shows all but the farthest thousandth of the points. Non-finite points are omitted.

    Args:
        codes: Codes, [n, d], d at least 2.
        labels: Classes of the images, [n]; negative for no class, drawn in grey.
        samples: Samples of the prior, [m, d]; without them there is one panel.
        label_names: Names of the classes; defaults to their numbers.
        marks: Points to mark among the codes, [k, d], such as cluster heads.
        title: Title of the panel of codes.
        coordinates: Names of the axes.

    Raises:
        ValueError: A shape is not as above.
    """
    z, classes = np.asarray(codes, dtype=np.float64), np.asarray(labels)
    if z.ndim != 2 or z.shape[1] < 2 or not len(z) or classes.shape != (len(z),):
        raise ValueError(f"Expected codes [n, 2 or more] and labels [n], n > 0; got {z.shape} and {classes.shape}.")
    drawn = None if samples is None else np.asarray(samples, dtype=np.float64)
    if drawn is not None and (drawn.ndim != 2 or drawn.shape[1] != z.shape[1]):
        raise ValueError(f"Expected samples [m, {z.shape[1]}]; got {drawn.shape}.")
    figure = new_figure(height=4.4) if drawn is not None else new_figure(width=4.9, height=4.4)
    panels = figure.subplots(1, 1 if drawn is None else 2, squeeze=False)[0]
    names = [str(i) for i in range(int(classes.max()) + 1)] if label_names is None else label_names
    names = [legend_name(name, most=MAX_CLASS_NAME) for name in names]
    _draw_codes(panels[0], z, classes, names)
    more = f", 2 of {z.shape[1]} dimensions" if z.shape[1] > 2 else ""
    if marks is not None:
        panels[0].scatter(*np.asarray(marks)[:, :2].T, s=60, marker="X", color="black", edgecolors="white", zorder=3)
    shown = z if drawn is None else np.concatenate([z[:, :2], drawn[:, :2]])
    _finish(panels[0], f"{title}{more}", shown, coordinates)
    if drawn is not None:
        panels[1].scatter(*drawn[:, :2].T, s=3, color=COLOURS["black"], alpha=0.35, linewidths=0)
        _finish(panels[1], "Samples of the prior", shown, coordinates)
    return figure


def _draw_codes(axes: Axes, z: NDArray[np.float64], classes: NDArray[np.integer], names: list[str]) -> None:
    bare = z[classes < 0]
    if len(bare):
        axes.scatter(bare[:, 0], bare[:, 1], s=4, color=_GREY, linewidths=0)
    for index in range(len(names)):
        members = z[classes == index]
        axes.scatter(
            members[:, 0], members[:, 1], s=4, color=HUES[index % len(HUES)], linewidths=0, label=names[index]
        )
    if 0 < len(names) <= _MOST_NAMES:
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            markerscale=3,
            fontsize=FONT_SIZE - 2,
            frameon=False,
            handletextpad=0.1,
            borderaxespad=0.0,
        )


def _finish(axes: Axes, title: str, points: NDArray[np.float64], coordinates: tuple[str, str]) -> None:
    finite = points[np.isfinite(points).all(axis=1)][:, :2]
    reach = float(np.quantile(np.abs(finite), 0.999)) * 1.1 if finite.size else 1.0
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set(xlabel=coordinates[0], ylabel=coordinates[1])
    tidy(axes, title=title)
