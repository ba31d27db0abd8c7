"""Plotting of quantities recorded over updates, for one or several seeds."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

__all__ = ["as_series", "draw_series", "finite_mean_std", "log_y_if_wide", "update_axis"]

Floats = NDArray[np.float64]

_DECADE = 10.0


def as_series(updates: ArrayLike, values: ArrayLike, *, name: str) -> tuple[Floats, Floats]:
    """Return `updates` as [n] and `values` as [n, seeds], non-finite values replaced by NaN.

    Args:
        updates: Update numbers, [n].
        values: Recorded values, [n] for one seed or [n, seeds].
        name: Name of the quantity for error messages.

    Raises:
        ValueError: The shapes do not match.
    """
    x = np.asarray(updates, dtype=np.float64)
    y = np.asarray(values, dtype=np.float64)
    if y.ndim == 1:
        y = y[:, np.newaxis]
    if x.ndim != 1 or y.ndim != 2 or y.shape[0] != x.shape[0] or y.size == 0:
        shapes = f"updates of shape {np.shape(updates)} and values of shape {np.shape(values)}"
        raise ValueError(f"{name}: expected updates [n] and values [n] or [n, seeds], n > 0; got {shapes}.")
    return x, np.where(np.isfinite(y), y, np.nan)


def draw_series(
    axes: Axes, x: Floats, y: Floats, *, colour: str, label: str | None = None, linestyle: str = "-"
) -> None:
    """Draw `y` [n, seeds] over `x` [n]: the mean as a line and, for several seeds, the range as a band.

    There is a gap where any seed has no finite value: the mean over the surviving seeds would be too optimistic.
    """
    mean = y.mean(axis=1)
    (line,) = axes.plot(x, mean, color=colour, linestyle=linestyle, linewidth=1.6, label=label)
    present = np.pad(np.isfinite(mean), 1)
    alone = np.flatnonzero(present[1:-1] & ~present[:-2] & ~present[2:])
    if alone.size:
        # A line needs two neighbours, so a value between two gaps would vanish.
        line.set(marker="o", markersize=3.5, markevery=[int(index) for index in alone])
    if y.shape[1] > 1:
        axes.fill_between(x, y.min(axis=1), y.max(axis=1), color=colour, alpha=0.2, linewidth=0)


def update_axis(axes: Axes) -> None:
    """Label the x axis of `axes` as updates, in integers with separated thousands."""
    axes.set_xlabel("update")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def finite_mean_std(values: ArrayLike) -> tuple[float, float]:
    """Return the mean and the sample standard deviation of one value or [k] values; the deviation of one is 0."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    if not flat.size:
        return float("nan"), 0.0
    return float(flat.mean()), float(flat.std(ddof=1)) if flat.size > 1 else 0.0


def log_y_if_wide(axes: Axes, *values: ArrayLike) -> bool:
    """Make the y axis logarithmic if the finite `values` span more than a decade; return whether it is.

    A value of zero or below keeps the axis linear, since a logarithmic one would omit it.
    """
    flat = np.concatenate([np.ravel(np.asarray(value, dtype=np.float64)) for value in values])
    flat = flat[np.isfinite(flat)]
    if not flat.size or flat.min() <= 0 or flat.max() <= _DECADE * flat.min():
        return False
    axes.set_yscale("log")
    narrow = flat.max() <= 100 * flat.min()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if narrow else (1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    return True
