"""Figures that set variants side by side."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from aae_jax.figures.style import COLOURS, FONT_SIZE, new_figure, tidy

__all__ = ["ablation"]


def ablation(rows: Sequence[tuple[str, float, float]], *, xlabel: str = "error (%)") -> Figure:
    """Draw one dot for each variant with its deviation, in the order given from the top, and the numbers.

    Args:
        rows: Name, mean and standard deviation of each variant, the numbers as fractions; they are shown in
            percent. A deviation that is zero or not finite is not drawn, nor is a mean that is not finite.
        xlabel: What the numbers are.

    Raises:
        ValueError: There is no row.
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
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set(xlabel=xlabel, ylim=(len(rows) - 0.5, -0.5), xlim=(0, 1.05 * reach or 1.0))
    tidy(axes)
    axes.tick_params(axis="y", length=0, labelsize=FONT_SIZE)
    return figure


def _numbers(mean: float, spread: float) -> str:
    if not math.isfinite(mean):
        return "not finite"
    return f"{mean:.2f} ± {spread:.2f}" if spread else f"{mean:.2f}"
