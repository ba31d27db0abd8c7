"""Confusions and calibration of the recorded rows of few labels: tables, and numbers for figures."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aae_jax.evaluation import Reliability
from aae_jax.evaluation.calibration import BINS
from reproduce.pages import few_labels
from reproduce.pages.markdown import spread, table

__all__ = ["calibration_table", "confusion", "confusions_table", "reliability", "rows_with_answers"]

MAX_CONFUSIONS = 6
"""Confusions that a row of the table names."""


def rows_with_answers() -> list[dict[str, Any]]:
    """Return the recorded rows whose models' answers were recorded with them."""
    return [row for row in few_labels.rows() if "answers" in row]


def title(row: dict[str, Any]) -> str:
    """Return the title of a row: its labels, its settings, and whether images are shifted."""
    settings = "ours" if row["recipe"] == "best" else "the paper's"
    labels = row["labels"] if row["labels"] == "all" else f"{row['labels']:,}"
    return f"{labels} labels, {settings}{', shifts' if row['shifts'] else ''}"


def confusion(row: dict[str, Any]) -> NDArray[np.int64]:
    """Return the number of images of each class predicted as each class, summed over the seeds that finished."""
    finished = [counts for counts in row["answers"]["confusion"] if counts is not None]
    summed: NDArray[np.int64] = np.asarray(finished, np.int64).sum(axis=0)
    return summed


def confusions_table() -> str:
    """Return the table of the most frequent confusions, true class first, with the seeds in which each was seen."""
    lines = []
    for row in rows_with_answers():
        counts = confusion(row)
        wrong = counts - np.diag(np.diag(counts))
        seeds = np.sum([np.asarray(one) > 0 for one in row["answers"]["confusion"] if one is not None], axis=0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:MAX_CONFUSIONS]
        pairs = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[i, j]]
        named = ", ".join(f"{i} → {j}: {wrong[i, j]} ({seeds[i, j]})" for i, j in pairs)
        share = sum(wrong[pair] for pair in pairs) / max(wrong.sum(), 1)
        lines.append(f"{title(row)} | {wrong.sum():,} | {named} | {100 * share:.0f}")
    titles = "row | errors of all seeds | most frequent, true → answer: images (seeds) | of all errors, %"
    return table(titles, lines)


def calibration_table() -> str:
    """Return the table of calibration errors as trained and at the temperature fitted on validation images."""
    lines = []
    for row in rows_with_answers():
        sure = row["calibration"]
        warm = [one for one in sure["temperature"] if one is not None]
        pooled = reliability(row, "calibrated")
        lines.append(
            f"{title(row)} | {spread(sure['expected_error']['per_seed'])} | {min(warm):.2f} … {max(warm):.2f} "
            f"| {spread(sure['calibrated_error']['per_seed'])} | {100 * pooled.counts[-1] / pooled.counts.sum():.1f} "
            f"| {100 * pooled.accuracy[-1]:.2f}"
        )
    titles = "row | calibration error, % | temperature | calibrated, % | images in top bin, % | accuracy there, %"
    return table(titles, lines)


def reliability(row: dict[str, Any], name: str) -> Reliability:
    """Return the bins of all seeds together, `as_trained` or `calibrated`."""
    counts, sure, right = np.zeros(BINS, np.int64), np.zeros(BINS), np.zeros(BINS)
    for bins in row["answers"][name]:
        for one in bins or ():
            place = min(BINS - 1, max(0, int(np.ceil(one["confidence"] * BINS)) - 1))
            counts[place] += one["images"]
            sure[place] += one["images"] * one["confidence"]
            right[place] += one["images"] * one["accuracy"]
    filled = np.where(counts > 0, counts, np.nan)
    return Reliability(np.linspace(0.0, 1.0, BINS + 1), counts, sure / filled, right / filled)
