"""The table of earlier implementations, from the files that `experiments/reproduce.py --table earlier` wrote."""

from typing import Any

from reproduce.earlier import CLAIMS, EARLIER, Claim
from reproduce.models import ModelRow
from reproduce.pages.markdown import RESULTS, read, spread, table

__all__ = ["earlier_table"]

Record = dict[str, Any]
SCORES = {"semi_supervised": "error", "label_regularized": "component_error"}
"""Error by model: of the label, of codes outside their digit's part of the prior."""


def earlier_table() -> str:
    """Return what each row claims and what it measures here, on validation and test images."""
    lines = []
    for row in EARLIER:
        path = RESULTS / "earlier" / f"{row.name}.json"
        if path.is_file():
            lines.append(_line(row, read(path)))
    titles = "row | command | updates (at their own length) | seeds | claim | validation, % | **test, %**"
    return table(titles, lines)


def _line(row: ModelRow, record: Record) -> str:
    claim = CLAIMS.get(row.name, Claim("", ""))
    flags = " ".join(("--preset", row.preset, *row.flags))
    updates = f"{record['updates']:,}"
    if record["updates"] < record["full_updates"]:
        updates += f" ({record['full_updates']:,})"
    claimed = f"{claim.accuracy} ({claim.where})" if claim.accuracy else ""
    cells = (row.title, f"`{row.experiment}.py {flags}`", updates, str(len(record["seeds"])), claimed)
    return " | ".join([*cells, _accuracy(row, record, "validation"), f"**{_accuracy(row, record, 'test')}**"])


def _accuracy(row: ModelRow, record: Record, kind: str) -> str:
    """Return the accuracy of a row; clusters are named by validation images, so theirs is on the test images."""
    if row.experiment == "clustering":
        errors = record["clusters"]["majority_error"]["per_seed"] if kind == "test" else None
    else:
        errors = record[kind][SCORES[row.experiment]]["per_seed"]
    return "–" if errors is None else spread([None if error is None else 1 - error for error in errors])
