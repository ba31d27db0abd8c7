"""Health of adversarial training over a run: discriminator accuracy, and the match of codes and prior."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from aae_jax.figures.series import as_series, draw_series, update_axis
from aae_jax.figures.style import COLOURS, FONT_SIZE, HUES, colour, legend_above, legend_name, new_figure, tidy

__all__ = ["health_curves"]

MAX_NAMED = 10
"""Maximum number of dimensions with a legend of their colours."""


def health_curves(
    updates: ArrayLike,
    *,
    discrepancy: ArrayLike,
    std_ratios: ArrayLike,
    accuracies: Mapping[str, ArrayLike],
) -> Figure:
    """Draw how closely codes match the prior, and the accuracies of the discriminators.

    Args:
        updates: Update numbers, [n].
        discrepancy: Squared maximum mean discrepancy of codes and prior, [n] or [n, seeds].
        std_ratios: Ratios of the codes' standard deviation to the prior's, [n, dimensions]; one line per dimension.
        accuracies: Discriminator accuracies as fractions, [n] or [n, seeds], by adversary; no panel if empty.

    Raises:
        ValueError: The shapes do not match.
    """
    ratios = np.asarray(std_ratios, dtype=np.float64)
    if ratios.ndim != 2 or len(ratios) != len(np.asarray(updates)):
        raise ValueError(f"Expected std_ratios [n, dimensions]; got {ratios.shape} for {len(np.asarray(updates))}.")
    figure = new_figure(height=0.6 + 1.8 * (2 + bool(accuracies)))
    panels = figure.subplots(2 + bool(accuracies), 1, sharex=True, squeeze=False)[:, 0]
    draw_series(panels[0], *as_series(updates, discrepancy, name="discrepancy"), colour=colour(0), label="codes")
    panels[0].axhline(0, color=COLOURS["black"], linestyle="--", linewidth=1.2)
    tidy(panels[0], title="Squared discrepancy of codes and prior (0: they match)")
    for index in range(ratios.shape[1]):
        draw_series(
            panels[1],
            *as_series(updates, ratios[:, index], name="std"),
            colour=HUES[index % len(HUES)],
            label=f"$z_{{{index + 1}}}$",
        )
    panels[1].axhline(1, color=COLOURS["black"], linestyle="--", linewidth=1.2)
    tidy(panels[1], title="Standard deviation of codes relative to the prior's, by dimension")
    if ratios.shape[1] <= MAX_NAMED:
        panels[1].legend(
            loc="upper left", bbox_to_anchor=(1.0, 1.05), fontsize=FONT_SIZE - 3, frameon=False, labelspacing=0.2
        )
    if accuracies:
        for index, (name, values) in enumerate(accuracies.items()):
            draw_series(
                panels[2], *as_series(updates, values, name=name), colour=colour(index), label=legend_name(name)
            )
        panels[2].axhline(0.5, color=COLOURS["black"], linestyle="--", linewidth=1.2, label="fooled: 0.5")
        panels[2].set_ylim(0, 1.02)
        tidy(panels[2], title="Accuracy of the discriminators")
        legend_above(panels[2], columns=3)
    update_axis(panels[-1])
    return figure
