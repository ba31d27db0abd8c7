"""Figures of the tables of few labels, from the files in results/, for docs/images."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from aae_jax import figures
from reproduce.pages.answers import confusion, reliability, rows_with_answers
from reproduce.pages.few_labels import ablation_rows, label_count_rows, rows
from reproduce.pages.markdown import ROOT
from reproduce.pictures import write_small

__all__ = ["FIGURES", "write_figures"]

IMAGES = ROOT / "docs" / "images"
PAPER_EPOCH = 500
"""Updates in one of the paper's epochs: 50,000 images by hundreds, as here."""
MILESTONES = {1: 0.1650, 50: 0.0340, 500: 0.0221, 5000: 0.0180}
"""The paper's test errors with 100 labels after so many epochs, as recalled, not compared with it."""


def _errors(row: dict[str, Any], name: str) -> list[float]:
    return [error for error in row[name]["per_seed"] if error is not None]


def draw_ablation() -> Figure | None:
    """Draw the validation errors of the ablation's rows, or nothing where none is recorded."""
    found = []
    for row in ablation_rows():
        errors = _errors(row, "validation_error")
        if errors:
            deviation = float(np.std(errors, ddof=1)) if len(errors) > 1 else 0.0
            found.append((row["row"].replace("-", " "), float(np.mean(errors)), deviation))
    return figures.ablation(found, xlabel="validation error (%)") if found else None


def draw_label_counts() -> Figure | None:
    """Draw test errors over numbers of labels, with those of the supervised baseline."""
    found: dict[str, list[tuple[int, list[float]]]] = {}
    for row in label_count_rows():
        name = "with shifts" if row["shifts"] else "without shifts"
        labelled = row["splits"]["labelled"]
        found.setdefault(name, []).append((labelled, _errors(row, "test_error")))
        if not row["shifts"]:
            baseline = [error for error in row["baseline"]["test_error"]["per_seed"] if error is not None]
            found.setdefault("labelled images alone", []).append((labelled, baseline))
    return figures.error_against_labels(found) if found else None


def draw_curves() -> Figure | None:
    """Draw validation errors with 100 labels over updates, with the paper's milestones."""
    curves = {}
    for row in rows():
        if row["labels"] == 100:
            kind = "the paper's settings" if row["recipe"] == "faithful" else "ours"
            name = f"{kind}, shifts" if row["shifts"] else kind
            errors = [[np.nan if e is None else e for e in one] for one in row["curve"]["validation_error"]]
            curves[f"{name} (validation)"] = (row["curve"]["update"], errors)
    milestones = [(epoch * PAPER_EPOCH, error) for epoch, error in MILESTONES.items()]
    legend = "the paper's milestones† (test)"
    return figures.error_curves(curves, milestones=milestones, milestones_label=legend) if curves else None


def draw_confusions() -> Figure | None:
    """Draw what 100 labels without shifts take for what, all seeds together."""
    chosen = _chosen()
    return figures.confusion_matrix(confusion(chosen)) if chosen else None


def draw_reliability() -> Figure | None:
    """Draw how often answers with 100 labels are right over how sure they are, before and after calibration."""
    chosen = _chosen()
    if chosen is None:
        return None
    shown = {"as trained": "as_trained", "calibrated": "calibrated"}
    return figures.reliability_diagram({label: reliability(chosen, name) for label, name in shown.items()})


def _chosen() -> dict[str, Any] | None:
    """Return the row whose answers are drawn, where it is recorded."""
    return next((row for row in rows_with_answers() if row["row"] == "best-100"), None)


FIGURES: dict[str, Callable[[], Figure | None]] = {
    "few-labels-ablation": draw_ablation,
    "few-labels-label-counts": draw_label_counts,
    "few-labels-curves": draw_curves,
    "few-labels-confusions": draw_confusions,
    "few-labels-reliability": draw_reliability,
}


def write_figures() -> None:
    """Draw what there are results for."""
    for name, draw in FIGURES.items():
        figure = draw()
        if figure is not None:
            with tempfile.TemporaryDirectory() as folder:
                figures.save_figure(figure, Path(folder) / name)
                write_small(Path(folder) / f"{name}.png", IMAGES / f"{name}.png")
