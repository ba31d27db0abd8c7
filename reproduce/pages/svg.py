"""Elements of diagrams in SVG: boxes' places, lines of text, numbers in circles."""

from html import escape
from typing import NamedTuple

__all__ = ["Spot", "badge", "text"]

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf")


class Spot(NamedTuple):
    """A box: its centre, width and height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> tuple[float, float]:
        """Middle of the left side."""
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> tuple[float, float]:
        """Middle of the right side."""
        return self.x + self.width / 2, self.y

    @property
    def top(self) -> tuple[float, float]:
        """Middle of the upper side."""
        return self.x, self.y - self.height / 2

    @property
    def bottom(self) -> tuple[float, float]:
        """Middle of the lower side."""
        return self.x, self.y + self.height / 2


def text(
    x: float,
    y: float,
    content: str,
    *,
    bold: bool = False,
    anchor: str = "middle",
    colour: str = "#111",
    size: int | None = None,
) -> str:
    """Return a line of text."""
    weight = ' font-weight="bold"' if bold else ""
    own = f' font-size="{size}"' if size else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}"{weight}{own}>{escape(content)}</text>'


def badge(number: int, x: float, y: float, *, filled: bool) -> list[str]:
    """Return the number of a phase in a circle of its colour."""
    colour = COLOURS[number - 1]
    circle = f'<circle cx="{x:g}" cy="{y:g}" r="10" fill="{colour if filled else "white"}" stroke="{colour}"'
    width = "" if filled else ' stroke-width="1.8"'
    ink = "white" if filled else colour
    return [f"{circle}{width}/>", text(x, y + 4.5, str(number), bold=True, colour=ink, size=12)]
