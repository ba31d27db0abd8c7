"""Comparison figures: ablations, sweeps, errors over numbers of labels and over updates."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from aae_jax.figures.series import as_series, draw_series
from aae_jax.figures.style import (
    COLOURS,
    FONT_SIZE,
    caption,
    colour,
    legend_above,
    legend_name,
    literal,
    new_figure,
    tidy,
)

__all__ = ["ablation", "error_against_labels", "error_curves", "sweep_figure"]


def ablation(rows: Sequence[tuple[str, float, float]], *, xlabel: str = "error (%)") -> Figure:
    """Draw the mean of each variant as a dot with its standard deviation and the numbers, from the top.

    Args:
        rows: Name, mean and standard deviation of each variant as fractions, shown in percent. A
            deviation that is zero or not finite is not drawn, nor is a mean that is not finite.
        xlabel: Label of the x axis.

    Raises:
        ValueError: `rows` is empty.
    """
    if not rows:
        raise ValueError("Expected at least one row (name, mean, std); got none.")
    figure = new_figure(height=0.8 + 0.36 * len(rows))
    axes = figure.subplots()
    reach = 0.0
    for position, (_, mean, std) in enumerate(rows):
        spread = 100 * std if math.isfinite(std) and std > 0 else 0.0
        text = _numbers(100 * mean, spread)
        axes.text(
            1.02,
            position,
            text,
            transform=axes.get_yaxis_transform(),
            ha="left",
            va="center",
            fontsize=FONT_SIZE - 1,
        )
        if math.isfinite(mean):
            bar = spread if spread else None
            axes.errorbar([100 * mean], [position], xerr=bar, color=COLOURS["blue"], fmt="o", markersize=6, capsize=3)
            reach = max(reach, 100 * mean + spread)
    axes.set_yticks(range(len(rows)), [literal(row[0]) for row in rows])
    axes.set(xlabel=caption(xlabel), ylim=(len(rows) - 0.5, -0.5), xlim=(0, 1.05 * reach or 1.0))
    tidy(axes)
    axes.tick_params(axis="y", length=0, labelsize=FONT_SIZE)
    return figure


def _numbers(mean: float, spread: float) -> str:
    if not math.isfinite(mean):
        return "not finite"
    return f"{mean:.2f} ± {spread:.2f}" if spread else f"{mean:.2f}"


def sweep_figure(
    values: Mapping[str, np.ndarray], scores: np.ndarray, *, ylabel: str = "validation error (%)"
) -> Figure:
    """Draw the scores of a sweep's members over each varying number, one panel per number.

    Dots are members; where values repeat, a line joins the means at each value. Non-finite scores are omitted.

    Args:
        values: Values of each varying number, `[members]`, by name.
        scores: `[members]`, in the unit of the axis.
        ylabel: Label of the vertical axis.

    Raises:
        ValueError: `values` is empty.
    """
    if not values:
        raise ValueError("Expected at least one varying number; got none.")
    columns = min(2, len(values))
    rows = -(-len(values) // columns)
    figure = new_figure(height=0.4 + 2.6 * rows)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, (name, numbers) in zip(grid, values.items(), strict=False):
        _draw_swept(axes, np.asarray(numbers, dtype=float), np.asarray(scores, dtype=float))
        axes.set_xlabel(literal(name))
        tidy(axes)
    for axes in grid[len(values) :]:
        axes.set_axis_off()
    for axes in grid[::columns]:
        axes.set_ylabel(ylabel)
    return figure


def _draw_swept(axes: Axes, numbers: np.ndarray, scores: np.ndarray) -> None:
    finite = np.isfinite(scores)
    axes.plot(numbers[finite], scores[finite], "o", color=COLOURS["sky"], markersize=4, alpha=0.8)
    places = np.unique(numbers)
    if len(places) < len(numbers):
        means = [scores[finite & (numbers == place)] for place in places]
        line = [mean.mean() if mean.size else np.nan for mean in means]
        axes.plot(places, line, "-o", color=COLOURS["blue"], markersize=5, linewidth=1.6)
    if places.min() > 0 and places.max() > 10 * places.min():
        axes.set_xscale("log")


def error_against_labels(
    errors_by_model: Mapping[str, Sequence[tuple[int, Sequence[float]]]], *, ylabel: str = "test error (%)"
) -> Figure:
    """Draw errors over numbers of labels on logarithmic axes: a dot per seed, a line through the means.

    Args:
        errors_by_model: By name of the model: numbers of labels, above 0, with the errors of all seeds as fractions;
            non-finite errors are omitted.
        ylabel: Label of the y axis.

    Raises:
        ValueError: There is nothing to draw.
    """
    if not any(errors_by_model.values()):
        raise ValueError("Expected at least one number of labels with its errors; got none.")
    figure = new_figure(height=4.6)
    axes = figure.subplots()
    for index, (name, rows) in enumerate(errors_by_model.items()):
        ordered = sorted(rows)
        means = []
        for labels, errors in ordered:
            finite = 100 * np.asarray([e for e in errors if math.isfinite(e)])
            axes.plot([labels] * len(finite), finite, "o", color=colour(index), markersize=4, alpha=0.5)
            means.append(finite.mean() if finite.size else np.nan)
        axes.plot(
            [labels for labels, _ in ordered], means, "-", color=colour(index), linewidth=1.6, label=legend_name(name)
        )
    axes.set(xscale="log", yscale="log", xlabel="labelled images", ylabel=caption(ylabel))
    places = sorted({labels for rows in errors_by_model.values() for labels, _ in rows})
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    _percent_decades(axes)
    tidy(axes)
    legend_above(axes, columns=len(errors_by_model))
    return figure


def error_curves(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    milestones: Sequence[tuple[float, float]] = (),
    milestones_label: str = "",
) -> Figure:
    """Draw validation errors over updates on logarithmic axes, with errors reported by others.

    Args:
        curves: By name: update numbers [n], and errors as fractions, [n] or [n, seeds] for a mean line within the
            seeds' range.
        milestones: Updates and reported errors, as fractions, drawn as diamonds.
        milestones_label: Legend entry of the milestones.

    Raises:
        ValueError: There is no curve, or the shapes do not match.
    """
    if not curves:
        raise ValueError("Expected at least one curve; got none.")
    figure = new_figure(height=4.6)
    axes = figure.subplots()
    for index, (name, (updates, errors)) in enumerate(curves.items()):
        x, fractions = as_series(updates, errors, name=name)
        draw_series(axes, x, 100 * fractions, colour=colour(index), label=legend_name(name))
    if milestones:
        reported = np.asarray(milestones, dtype=np.float64)
        axes.plot(
            reported[:, 0],
            100 * reported[:, 1],
            "D",
            color=COLOURS["black"],
            markersize=6,
            label=legend_name(milestones_label) if milestones_label else "",
        )
    axes.set(xscale="log", yscale="log", xlabel="update", ylabel="error (%)")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    _percent_decades(axes)
    tidy(axes)
    legend_above(axes, columns=2)
    return figure


def _percent_decades(axes: Axes) -> None:
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
