"""Figure of transfer: classifiers of features on training and on test images."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aae_jax.figures.style import COLOURS, FONT_SIZE, legend_above, literal, new_figure, tidy

__all__ = ["transfer_results"]

MEASURES = {"auroc": "AUROC, macro (%)", "accuracy": "accuracy (%)"}
Result = tuple[str, Mapping[str, float], Mapping[str, float]]


def transfer_results(tasks: Mapping[str, Sequence[Result]]) -> Figure:
    """Draw AUROC and accuracy on test images as bars with their numbers, and on training images as rings.

    The line from bar to ring is the gap between the two.

    Args:
        tasks: Rows of each task by its name: name, and `auroc` and `accuracy` on training and on test images as
            fractions.

    Raises:
        ValueError: There is no task, or one has no rows.
    """
    if not tasks or not all(tasks.values()):
        raise ValueError("Expected at least one row of each task.")
    lengths = [len(rows) for rows in tasks.values()]
    figure = new_figure(height=0.5 + sum(0.55 + 0.27 * length for length in lengths))
    grid = figure.subplots(len(tasks), len(MEASURES), squeeze=False, height_ratios=[length + 1 for length in lengths])
    for panels, (task, rows) in zip(grid, tasks.items(), strict=True):
        for axes, (measure, label) in zip(panels, MEASURES.items(), strict=True):
            _draw(axes, rows, measure)
            axes.set_xlabel(label if task == list(tasks)[-1] else "")
            tidy(axes, title=literal(task) if axes is panels[0] else None)
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        panels[0].set_yticks(range(len(rows)), [literal(name) for name, _, _ in rows])
        panels[1].set_yticks([])
    legend_above(grid[0][1], columns=2)
    return figure


def _draw(axes: Axes, rows: Sequence[Result], measure: str) -> None:
    places = range(len(rows))
    test = [100 * other[measure] for _, _, other in rows]
    train = [100 * fitted[measure] for _, fitted, _ in rows]
    axes.hlines(places, test, train, color="0.7", linewidth=1.2)
    axes.barh(places, test, height=0.62, color=COLOURS["blue"], label="test")
    axes.plot(train, places, "o", color=COLOURS["vermillion"], fillstyle="none", markersize=5, label="training")
    for place, value in zip(places, test, strict=True):
        axes.text(value - 1, place, f"{value:.1f}", ha="right", va="center", color="white", fontsize=FONT_SIZE - 2)
    axes.set(xlim=(0, 104), ylim=(len(rows) - 0.4, -0.6))
