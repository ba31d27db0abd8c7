"""How the adversaries fare over a run: whether they are fooled, and how near codes are to the prior."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from aae_jax.figures.series import as_series, draw_series, update_axis
from aae_jax.figures.style import COLOURS, colour, legend_above, legend_name, new_figure, tidy

__all__ = ["health_curves"]


def health_curves(
    updates: ArrayLike,
    *,
    discrepancy: ArrayLike,
    std_ratios: ArrayLike,
    accuracies: Mapping[str, ArrayLike],
) -> Figure:
    """Draw how near codes are to the prior, and how often adversaries tell the two apart.

    Args:
        updates: Update numbers, [n].
        discrepancy: Squared maximum mean discrepancy, [n] or [n, seeds].
        std_ratios: Standard deviation of the codes over the prior's, [n, dimensions]; a line for each.
        accuracies: Shares of codes and samples told apart, [n] or [n, seeds], by adversary; no panel where none is.

    Raises:
        ValueError: The shapes do not belong together.
    """
    ratios = np.asarray(std_ratios, dtype=np.float64)
    if ratios.ndim != 2 or len(ratios) != len(np.asarray(updates)):
        raise ValueError(f"Expected std_ratios [n, dimensions]; got {ratios.shape} for {len(np.asarray(updates))}.")
    figure = new_figure(height=0.6 + 1.8 * (2 + bool(accuracies)))
    panels = figure.subplots(2 + bool(accuracies), 1, sharex=True, squeeze=False)[:, 0]
    draw_series(panels[0], *as_series(updates, discrepancy, name="discrepancy"), colour=colour(0), label="codes")
    panels[0].axhline(0, color=COLOURS["black"], linestyle="--", linewidth=1.2)
    tidy(panels[0], title="Squared discrepancy of codes and prior: 0 where codes follow it")
    for index in range(ratios.shape[1]):
        draw_series(
            panels[1], *as_series(updates, ratios[:, index], name="std"), colour=colour(index), label=f"z{index + 1}"
        )
    panels[1].axhline(1, color=COLOURS["black"], linestyle="--", linewidth=1.2)
    tidy(panels[1], title="Standard deviation of codes over the prior's, by dimension")
    if accuracies:
        for index, (name, values) in enumerate(accuracies.items()):
            draw_series(
                panels[2], *as_series(updates, values, name=name), colour=colour(index), label=legend_name(name)
            )
        panels[2].axhline(0.5, color=COLOURS["black"], linestyle="--", linewidth=1.2, label="fooled: 0.5")
        panels[2].set_ylim(0, 1.02)
        tidy(panels[2], title="Accuracy of the adversaries")
        legend_above(panels[2], columns=3)
    update_axis(panels[-1])
    return figure
