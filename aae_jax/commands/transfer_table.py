"""Table and figures of `experiments/transfer.py`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aae_jax.text import printable

__all__ = ["Row", "lines_of", "write_figures"]

Row = dict[str, Any]
"""A result: task, features, their size, classifier, train and test (accuracy, auroc), confusion and seconds."""
SHOWN = {"images": "images", "codes": "codes", "components": "principal components", "pixels": "pixels"}
MAX_CONFUSED = 30
"""Maximum number of classes of a drawn confusion matrix."""


def lines_of(rows: Sequence[Row]) -> list[str]:
    """Return the table: quality on training and on test images in percent, at most 80 columns wide."""
    lines = []
    for task in dict.fromkeys(row["task"] for row in rows):
        title = f"{printable(task)[:39]:39}{'AUROC, macro':>20}{'accuracy, %':>20}"
        lines += ["", title, _line("features", "", *("train", "test") * 2)]
        for row in (row for row in rows if row["task"] == task):
            numbers = (f"{100 * row[part][what]:.1f}" for what in ("auroc", "accuracy") for part in ("train", "test"))
            lines.append(_line(name_of(row), row["classifier"], *numbers))
        counts = np.asarray(next(row for row in rows if row["task"] == task)["confusion"]).sum(axis=1)
        lines.append(_line("the most frequent class", "", "", "50.0", "", f"{100 * counts.max() / counts.sum():.1f}"))
    return lines


def name_of(row: Row) -> str:
    """Return features in words, with their number."""
    return SHOWN[row["features"]] if row["features"] == "images" else f"{SHOWN[row['features']]} ({row['size']:,})"


def _line(first: str, second: str, *others: str) -> str:
    return " ".join([f"{first:29}", f"{second:9}", *(f"{other:>9}" for other in others)]).rstrip()  # 79 columns


def write_figures(rows: Sequence[Row], tasks: Mapping[str, Sequence[str]], folder: Path) -> list[Path]:
    """Draw all rows, and the confusions of the classes by their codes; return the files.

    Args:
        rows: Results, at least one.
        tasks: Names of the classes of each task.
        folder: Folder for the figures.
    """
    from aae_jax import figures  # importing matplotlib takes a second

    names = [f"{name_of(row)}, {row['classifier']}" for row in rows]
    results = {
        task: [
            (name, row["train"], row["test"]) for name, row in zip(names, rows, strict=True) if row["task"] == task
        ]
        for task in tasks
    }
    codes = [name for name, row in zip(names, rows, strict=True) if row["features"] == "codes"]
    figures.save_figure(figures.transfer_results(results, highlighted=codes), folder / "transfer")
    written = [folder / "transfer.png"]
    first = next(iter(tasks))
    by_codes = [row for row in rows if row["task"] == first and row["features"] == "codes"]
    if by_codes and len(tasks[first]) <= MAX_CONFUSED:
        drawn = figures.confusion_matrix(np.asarray(by_codes[0]["confusion"]), label_names=tasks[first])
        figures.save_figure(drawn, folder / "confusion")
        written.append(folder / "confusion.png")
    return written
