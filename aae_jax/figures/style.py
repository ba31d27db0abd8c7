"""Shared style of figures: palette, fonts, text and files."""

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import matplotlib
from matplotlib.axes import Axes
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.mathtext import MathTextParser

from aae_jax.files import write_whole
from aae_jax.text import printable, shortened

__all__ = [
    "COLOURS",
    "FONT_SIZE",
    "HUES",
    "MAX_CLASS_NAME",
    "MAX_NAME",
    "WIDTH",
    "caption",
    "colour",
    "draw_bytes",
    "drawing",
    "legend_above",
    "legend_name",
    "letters",
    "literal",
    "literals",
    "new_figure",
    "room",
    "save_figure",
    "tidy",
]

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
"""Palette of Okabe and Ito, distinguishable under the common colour-vision deficiencies."""
HUES = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB", "#000000", "#EE8866", "#44BB99")
"""Ten hues that are distinguishable with most colour vision (Paul Tol's bright scheme and three more)."""

FONT_SIZE = 10.0
"""Font size in points; about 13 pixels when `WIDTH` inches are shown 800 pixels wide."""

WIDTH = 8.3
"""Width in inches of a figure that fills a README column."""

MAX_NAME, MAX_CLASS_NAME = 48, 24
"""Maximum number of characters drawn of a name; the middle of a longer one is omitted."""

_MAX_CAPTION = 120

_LETTER, _SWATCH = 0.07, 0.45
"""Approximate width in inches of a letter in a legend, and of the other parts of an entry."""
_DPI = 150
_MAX_READ = 1000
_NO_XML = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}
"""Characters that fonts and `printable` accept but SVG files must not contain."""
_HASH_SALT = "aae_jax"
_METADATA: Mapping[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def colour(index: int) -> str:
    """Return colour `index` of the palette, cyclically; yellow is excluded as too pale, black for reference lines."""
    usable = [value for name, value in COLOURS.items() if name not in ("yellow", "black")]
    return usable[index % len(usable)]


def new_figure(*, width: float = WIDTH, height: float) -> Figure:
    """Return an empty figure of `width` × `height` inches with constrained layout, independent of pyplot."""
    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")


def tidy(axes: Axes, *, title: str | None = None, grid: bool = True) -> None:
    """Apply the shared style to `axes`: no box, light grid behind the data, one text size, title at the left."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", labelsize=FONT_SIZE - 1)
    axes.xaxis.label.set_fontsize(FONT_SIZE)
    axes.yaxis.label.set_fontsize(FONT_SIZE)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(color="0.9", linewidth=0.8)
    if title is not None:
        axes.set_title(caption(title), loc="left", fontsize=FONT_SIZE, fontweight="bold")


def literal(text: str, *, most: int = MAX_NAME) -> str:
    r"""Escape a name from a user or a file so that matplotlib draws it literally, not as mathematics.

    Dollar signs are preceded by a backslash, which matplotlib removes; control, format and surrogate characters are
    drawn as escapes such as `\x1b`. The result must not be concatenated with mathtext.

    Args:
        text: Name to escape.
        most: Maximum number of drawn characters; the middle of a longer name is omitted.
    """
    shown = printable(shortened(str(text), _MAX_READ)).translate(_NO_XML)
    return shortened(shown, most).replace("$", r"\$")


def literals(texts: Iterable[str], *, most: int = MAX_CLASS_NAME) -> list[str]:
    """Escape names with `literal`, by default names of classes."""
    return [literal(text, most=most) for text in texts]


def legend_name(text: str, *, most: int = MAX_NAME) -> str:
    """Escape a name with `literal`, for a legend.

    A name that is empty or starts with an underscore is prefixed with a space: matplotlib omits such labels.
    """
    shown = literal(text, most=most)
    return shown if shown and not shown.startswith("_") else f" {shown}"


def letters(text: str) -> int:
    """Return the number of drawn characters of a result of `literal`."""
    return len(text.replace(r"\$", "$"))


def room(names: Iterable[str], *, free: int = 12) -> float:
    """Return the inches to add to a figure that has space for names of `free` letters."""
    return 0.075 * max(0, max(map(letters, names), default=0) - free)


def caption(text: str) -> str:
    """Prepare a title or label, in which `$…$` is mathematics if matplotlib can parse it."""
    shown = shortened(printable(text, keep="\n").translate(_NO_XML), _MAX_CAPTION)
    if is_math_text(shown):
        try:
            MathTextParser("path").parse(shown)
        except ValueError:
            return literal(text, most=_MAX_CAPTION)
    return shown


def legend_above(axes: Axes, *, columns: int) -> None:
    """Place the legend above `axes` at the right, where it hides no data, in up to `columns` columns that fit."""
    entry = _LETTER * max(map(letters, axes.get_legend_handles_labels()[1]), default=0) + _SWATCH
    columns = min(columns, max(1, int(axes.figure.bbox.width / _DPI / entry)))
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


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Draw text without TeX in the block, regardless of the user's matplotlibrc.

    Characters missing from the font are drawn as boxes, without warnings.
    """
    with (
        matplotlib.rc_context({"text.usetex": False, "text.parse_math": True}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def draw_bytes(draw: Callable[[], Figure], kind: str) -> bytes:
    """Draw a figure and return the content of its file of format `kind`, "png" (150 dots per inch) or "svg"."""
    content = io.BytesIO()
    with drawing():
        draw().savefig(content, format=kind, dpi=_DPI)
    return content.getvalue()


def save_figure(figure: Figure, path_stem: str | os.PathLike[str]) -> None:
    """Write `figure` to `<path_stem>.png` (150 dots per inch) and `<path_stem>.svg`, creating the folder.

    Equal figures give equal bytes. Files are written atomically, after both are rendered. The layout is fixed here:
    later additions get no space.

    Raises:
        OSError: A file cannot be written; the earlier one is kept.
    """
    stem = Path(path_stem)
    contents = {}
    with drawing():
        _settle(figure)
        for kind in ("png", "svg"):
            content = io.BytesIO()
            with matplotlib.rc_context({"svg.hashsalt": _HASH_SALT, "svg.fonttype": "path"}):
                figure.savefig(content, format=kind, dpi=_DPI, metadata=dict(_METADATA[kind]))
            contents[kind] = content.getvalue()
    stem.parent.mkdir(parents=True, exist_ok=True)
    for kind, packed in contents.items():
        # Not with_suffix, which would cut a stem such as "rate-0.1" at its dot.
        write_whole(stem.with_name(f"{stem.name}.{kind}"), packed)


def _settle(figure: Figure) -> None:
    # Each drawing solves the constraints from the previous solution, so the second file would differ.
    engine = figure.get_layout_engine()
    if engine is not None and not isinstance(engine, PlaceHolderLayoutEngine):
        for _ in range(2):
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
