"""Figure of transfer: classifiers of features on training and on test images."""

from collections.abc import Container, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aae_jax.figures.style import COLOURS, FONT_SIZE, legend_above, literal, new_figure, tidy

__all__ = ["transfer_results"]

MEASURES = {"auroc": "AUROC, macro (%)", "accuracy": "accuracy (%)"}
GREY = "#767676"
Result = tuple[str, Mapping[str, float], Mapping[str, float]]


def transfer_results(tasks: Mapping[str, Sequence[Result]], *, highlighted: Container[str] = ()) -> Figure:
    """Draw AUROC and accuracy on test images as bars with their numbers, and on training images as rings.

    The line from bar to ring is the gap between the two. Bars of AUROC begin at 50 %, that of chance, unless one is
    smaller.

    Args:
        tasks: Rows of each task by its name: name, and `auroc` and `accuracy` on training and on test images as
            fractions.
        highlighted: Names of the rows in blue; the others are grey.

    Raises:
        ValueError: There is no task, or one has no rows.
    """
    if not tasks or not all(tasks.values()):
        raise ValueError("Expected at least one row of each task.")
    lengths = [len(rows) for rows in tasks.values()]
    figure = new_figure(height=0.5 + sum(0.55 + 0.27 * length for length in lengths))
    grid = figure.subplots(len(tasks), len(MEASURES), squeeze=False, height_ratios=[length + 1 for length in lengths])
    for panels, (task, rows) in zip(grid, tasks.items(), strict=True):
        colours = [COLOURS["blue"] if name in highlighted else GREY for name, _, _ in rows]
        for axes, measure in zip(panels, MEASURES, strict=True):
            _draw(axes, rows, measure, colours)
            tidy(axes, title=literal(task) if axes is panels[0] else None)
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        panels[0].set_yticks(range(len(rows)), [literal(name) for name, _, _ in rows])
        panels[1].set_yticks([])
    for axes, label in zip(grid[-1], MEASURES.values(), strict=True):
        axes.set_xlabel(label)
    _legend(grid[0][1])
    return figure


def _draw(axes: Axes, rows: Sequence[Result], measure: str, colours: Sequence[str]) -> None:
    places = range(len(rows))
    train = [100 * fitted[measure] for _, fitted, _ in rows]
    test = [100 * other[measure] for _, _, other in rows]
    left = 50 if measure == "auroc" and min(test + train) >= 50 else 0
    axes.hlines(places, test, train, color="0.7", linewidth=1.2)
    axes.barh(places, [value - left for value in test], left=left, height=0.62, color=colours)
    axes.plot(train, places, "o", color=COLOURS["vermillion"], fillstyle="none", markersize=5)
    for place, value in zip(places, test, strict=True):
        inside = value - left > 0.14 * (100 - left)
        axes.annotate(
            f"{value:.1f}",
            (value, place),
            xytext=(-4 if inside else 8, 0),
            textcoords="offset points",
            ha="right" if inside else "left",
            va="center",
            color="white" if inside else COLOURS["black"],
            fontsize=FONT_SIZE - 2,
        )
    axes.set(xlim=(left, 100 + 0.04 * (100 - left)), ylim=(len(rows) - 0.4, -0.6))


def _legend(axes: Axes) -> None:
    axes.plot([], [], "s", color=GREY, markersize=8, label="test images")
    axes.plot([], [], "o", color=COLOURS["vermillion"], fillstyle="none", markersize=5, label="training images")
    legend_above(axes, columns=2)
