"""Parts of the pages' tables in Markdown, and where results are."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "ROOT", "device", "read", "spread", "table"]

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"


def read(path: Path) -> dict[str, Any]:
    """Return what a file of results holds."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def table(titles: str, rows: Iterable[str]) -> str:
    """Return a table in Markdown; titles and cells are separated by " | "."""
    return "\n".join([f"| {titles} |", "|" + "---|" * (titles.count(" | ") + 1), *(f"| {row} |" for row in rows)])


def spread(fractions: Sequence[float | None]) -> str:
    """Return fractions over seeds as `2.10 ± 0.12` in percent, n − 1 in the standard deviation; None is left out."""
    found = [fraction for fraction in fractions if fraction is not None]
    if not found:
        return "–"
    text = f"{100 * statistics.mean(found):.2f}"
    return f"{text} ± {100 * statistics.stdev(found):.2f}" if len(found) > 1 else text


def device(row: dict[str, Any]) -> str:
    """Return the name of the device that a row was trained on."""
    return "CPU" if "(cpu)" in row["device"] else str(row["device"].split(" (")[0])
