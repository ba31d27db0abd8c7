"""Histograms of latent codes compared with their priors."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from aae_jax.figures.style import COLOURS, FONT_SIZE, new_figure, tidy

__all__ = ["code_histograms"]

_MOST_DIMENSIONS = 10
_PER_ROW = 5
_Z_BINS = 40
_PROBABILITY_BINS = 25


def code_histograms(
    codes: ArrayLike, *, prior_std: float, class_probabilities: ArrayLike | None = None, label: str = "class"
) -> Figure:
    """Draw the distributions of z and y over a data set, compared with the priors imposed on them.

    Each of the first ten dimensions of z has a panel with the density of the Gaussian prior. For y, the
    frequencies of the predicted classes are compared with the uniform prior, and the largest class
    probabilities with the prior's one-hot vectors. Non-finite codes are omitted.

    Args:
        codes: Styles z, [n, d].
        prior_std: Standard deviation of the Gaussian prior of z.
        class_probabilities: Softmax outputs y, [m, classes]; without them there are no panels of y.
        label: Meaning of y: "class" or "cluster".

    Raises:
        ValueError: A shape is not as above, or `prior_std` is not positive.
    """
    z = np.asarray(codes, dtype=np.float64)
    if z.ndim != 2 or not z.size:
        raise ValueError(f"Expected codes [n, d] with n, d > 0; got {z.shape}.")
    if not prior_std > 0:
        raise ValueError(f"Expected a positive prior_std; got {prior_std}.")
    z_height = 0.8 + 1.35 * math.ceil(min(z.shape[1], _MOST_DIMENSIONS) / _PER_ROW)
    if class_probabilities is None:
        figure = new_figure(height=z_height)
        _draw_styles(figure, z, prior_std)
        return figure
    y = np.asarray(class_probabilities, dtype=np.float64)
    if y.ndim != 2 or not y.size:
        raise ValueError(f"Expected class_probabilities [m, classes], neither 0; got {y.shape}.")
    figure = new_figure(height=z_height + 2.6)
    rows = figure.add_gridspec(2, 1, height_ratios=[z_height, 2.6])
    _draw_styles(figure.add_subfigure(rows[0]), z, prior_std)
    left, right = figure.add_subfigure(rows[1]).subplots(1, 2)
    y = y[np.isfinite(y).all(axis=1)]
    _draw_class_frequencies(left, y, label)
    _draw_certainty(right, y, label)
    return figure


def _draw_styles(figure: Figure | SubFigure, z: NDArray[np.float64], prior_std: float) -> None:
    shown = min(z.shape[1], _MOST_DIMENSIONS)
    columns = min(shown, _PER_ROW)
    grid = figure.subplots(math.ceil(shown / columns), columns, sharex=True, squeeze=False)
    sizes = np.abs(z[:, :shown][np.isfinite(z[:, :shown])])
    # A few outliers must not squeeze all other codes into one bin.
    limit = max(4 * prior_std, float(np.quantile(sizes, 0.999)) if sizes.size else 0.0)
    for index, axes in enumerate(grid.flat):
        if index < shown:
            _draw_dimension(axes, z[:, index], prior_std, limit, title=f"$z_{{{index + 1}}}$")
            axes.tick_params(labelbottom=index + columns >= shown)
        else:
            axes.remove()
    count = f"first {shown} of {z.shape[1]} dimensions" if shown < z.shape[1] else "all dimensions"
    figure.suptitle(f"Style z, {count}", x=0.01, ha="left", fontsize=FONT_SIZE, fontweight="bold")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=2, fontsize=FONT_SIZE - 1, frameon=False)


def _draw_dimension(axes: Axes, values: NDArray[np.float64], prior_std: float, limit: float, *, title: str) -> None:
    finite = values[np.isfinite(values)]
    edges = np.linspace(-limit, limit, _Z_BINS + 1)
    # Normalised by all codes, including those beyond the edges, to be comparable with the prior's density.
    density = np.histogram(finite, edges)[0] / (max(finite.size, 1) * (edges[1] - edges[0]))
    axes.stairs(density, edges, fill=True, color=COLOURS["sky"], label="codes")
    x = np.linspace(-limit, limit, 201)
    prior = np.exp(-0.5 * (x / prior_std) ** 2) / (prior_std * math.sqrt(2 * math.pi))
    axes.plot(x, prior, color=COLOURS["black"], linewidth=1.2, label=f"prior, std {prior_std:g}")
    tidy(axes, grid=False)
    std = f"std {finite.std():.2f}" if finite.size else "none finite"
    axes.set_title(f"{title}, {std}", fontsize=FONT_SIZE - 1)
    axes.set(yticks=[], xlim=(-limit, limit))
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4, prune="both"))


def _draw_class_frequencies(axes: Axes, y: NDArray[np.float64], kind: str) -> None:
    classes = y.shape[1]
    shares = np.bincount(y.argmax(axis=1), minlength=classes) / max(len(y), 1)
    axes.bar(np.arange(classes), shares, color=COLOURS["sky"], width=0.8)
    label = f"prior, 1/{classes}"
    axes.axhline(1 / classes, color=COLOURS["black"], linestyle="--", linewidth=1.2, label=label)
    answer = "predicted class" if kind == "class" else f"most probable {kind}"
    axes.set(xlabel=answer, ylabel="share of inputs", ylim=(0, 1.3 * max(shares.max(), 1 / classes)))
    if classes <= 12:
        axes.set_xticks(np.arange(classes))
    tidy(axes, title=f"Frequency of each {kind}")
    axes.legend(fontsize=FONT_SIZE - 1, loc="upper right", frameon=False)


def _draw_certainty(axes: Axes, y: NDArray[np.float64], kind: str) -> None:
    largest = y.max(axis=1)
    edges = np.linspace(0, 1, _PROBABILITY_BINS + 1)
    shares = np.histogram(np.clip(largest, 0, 1), edges)[0] / max(len(y), 1)
    axes.stairs(shares, edges, fill=True, color=COLOURS["sky"])
    axes.axvline(1, color=COLOURS["black"], linestyle="--", linewidth=1.2, label="prior, one-hot: 1")
    axes.set(xlabel=f"largest {kind} probability", ylabel="share of inputs", xlim=(0, 1.03))
    axes.set_ylim(0, 1.25 * float(shares.max()) or 1.0)
    mean = f", mean {largest.mean():.3f}" if largest.size else ""
    tidy(axes, title=f"Confidence in the {kind}{mean}")
    axes.legend(fontsize=FONT_SIZE - 1, loc="upper left", frameon=False)
