"""The look all figures share, and how a figure becomes files."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine

__all__ = ["COLOURS", "FONT_SIZE", "WIDTH", "colour", "legend_above", "new_figure", "save_figure", "tidy"]

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "blue": "#0072B2",
        "vermillion": "#D55E00",
        "green": "#009E73",
        "purple": "#CC79A7",
        "orange": "#E69F00",
        "sky": "#56B4E9",
        "yellow": "#F0E442",
        "black": "#000000",
    }
)
"""The palette of Okabe and Ito, which stays apart under the common colour-vision deficiencies."""

FONT_SIZE = 10.0
"""Size in points of every text; at `WIDTH` inches shown 800 pixels wide this is about 13 pixels."""

WIDTH = 8.3
"""Width in inches of a figure that fills a README column."""

_DPI = 150
_HASH_SALT = "aae_jax"
_METADATA: Mapping[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def colour(index: int) -> str:
    """Return the palette's colour number `index`, starting over after the last; yellow is too pale."""
    usable = [value for name, value in COLOURS.items() if name not in ("yellow", "black")]
    return usable[index % len(usable)]


def new_figure(*, width: float = WIDTH, height: float) -> Figure:
    """Return an empty figure of `width` by `height` inches, laid out by constraints and unknown to pyplot."""
    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")


def tidy(axes: Axes, *, title: str | None = None, grid: bool = True) -> None:
    """Give `axes` the shared look: no box, light grid behind the data, one text size, title at the left."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", labelsize=FONT_SIZE - 1)
    axes.xaxis.label.set_fontsize(FONT_SIZE)
    axes.yaxis.label.set_fontsize(FONT_SIZE)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(color="0.9", linewidth=0.8)
    if title is not None:
        axes.set_title(title, loc="left", fontsize=FONT_SIZE, fontweight="bold")


def legend_above(axes: Axes, *, columns: int) -> None:
    """Put the legend of `axes` above them at the right, in so many `columns`, where it hides no data."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.01, 1.0),
        ncols=columns,
        fontsize=FONT_SIZE - 1,
        frameon=False,
        handlelength=1.6,
        columnspacing=1.4,
        borderaxespad=0.2,
    )


def save_figure(figure: Figure, path_stem: str | os.PathLike[str]) -> None:
    """Write `figure` to `<path_stem>.png` (150 dots per inch) and `<path_stem>.svg`, creating the folder.

    Equal figures give equal bytes. A reader never meets half a file: each is written beside its final name
    and then moved onto it. The layout is settled here and stays: later additions get no room.
    """
    stem = Path(path_stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    _settle(figure)
    for kind in ("png", "svg"):
        # Appended, as with_suffix would cut a stem such as "rate-0.1" at its dot.
        target = stem.with_name(f"{stem.name}.{kind}")
        temporary = stem.with_name(f".{stem.name}.{os.getpid()}.{kind}.tmp")
        try:
            with matplotlib.rc_context({"svg.hashsalt": _HASH_SALT, "svg.fonttype": "path"}):
                figure.savefig(temporary, format=kind, dpi=_DPI, metadata=dict(_METADATA[kind]))
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def _settle(figure: Figure) -> None:
    # Each drawing solves the constraints from the last solution, so the second file would differ.
    engine = figure.get_layout_engine()
    if engine is not None and not isinstance(engine, PlaceHolderLayoutEngine):
        for _ in range(2):
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
