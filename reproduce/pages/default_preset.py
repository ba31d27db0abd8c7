"""Tables of the preset `default`: its errors, its ablation and the trials that chose it."""

import statistics
from collections.abc import Sequence
from typing import Any

from aae_jax.errors import InputError
from reproduce.pages.markdown import RESULTS, read, spread, table
from reproduce.recorded_runs import read_rows

__all__ = ["comparison", "errors_table", "second_round"]

Record = dict[str, Any]


def errors(runs: Sequence[Record], *path: str) -> list[float]:
    """Return every seed's error fraction under a path such as `test_error` of the runs' summaries."""
    found: list[float] = []
    for one in runs:
        for key in path:
            one = one[key]
        found += [error for error in one["per_seed"] if error is not None]
    return found


def core_minutes(run: Record) -> float:
    """Return a run's minutes of training times its cores, a seed; runs recorded without cores had two."""
    return float(run["train_seconds"] * run.get("cpu_cores", 2) / 60 / len(run["seeds"]))


def errors_table() -> str:
    """Return the table of test errors by data and number of labels."""
    rows = []
    for row in read_rows(RESULTS / "default_errors.json"):
        runs, name = row["runs"], row["row"]
        first = runs[0]
        seen = [seed for run in runs for seed in run["seeds"]]
        same = len({(run["updates"], run["labels"], run["git_commit"]) for run in runs}) == 1
        if not same or len(set(seen)) < len(seen):
            raise InputError(
                f"The row {name} mixes updates, labels or commits, or has a seed twice; record it again."
            )
        seeds = len(errors(runs, "test_error"))
        if seeds == 0:
            raise InputError(f"The row {name} has no test error; it was trained with --no-test.")
        minutes = statistics.mean(core_minutes(run) for run in runs)
        cells = (
            _preset(first),
            first["data"]["name"],
            str(first["splits"]["labelled"]),
            f"{first['updates']:,}",
            f"{minutes:.1f}",
            str(seeds),
            spread(errors(runs, "baseline", "test_error")),
            spread(errors(runs, "validation_error")),
            f"**{spread(errors(runs, 'test_error'))}**",
            _generated(runs),
            _leaked(runs),
        )
        rows.append(" | ".join(cells))
    titles = (
        "preset | data | labels | updates | core-minutes a seed | seeds | supervised baseline, % "
        "| validation error, % | **test error, %** | generated images of their class, % | label found in the style, %"
    )
    return table(titles, rows)


def _preset(run: Record) -> str:
    """Return whether a run used the preset `default`, or `marginal`, the previous default."""
    return "default" if run.get("config", {}).get("conditional") else "marginal"


def _generated(runs: Sequence[Record]) -> str:
    """Return the share of generated images that a judge takes for their class, and of real images."""
    if any("generation" not in run for run in runs):
        return "–"
    judged = statistics.mean(run["generation"]["judge"]["accuracy"] for run in runs)
    return f"{spread(errors(runs, 'generation', 'conditional_accuracy'))} (real {100 * judged:.1f})"


def _leaked(runs: Sequence[Record]) -> str:
    """Return how often a logistic regression and a perceptron recover the label from the style."""
    if any("generation" not in run for run in runs):
        return "–"
    found = (errors(runs, "generation", "label_leakage", kind) for kind in ("logistic_regression", "perceptron"))
    return " / ".join(spread(accuracies) for accuracies in found)


def comparison(name: str) -> str:
    """Return the table of a file of recorded runs: validation errors only, as recipes are chosen on them."""
    rows = []
    for row in read_rows(RESULTS / f"{name}.json"):
        found = errors(row["runs"], "validation_error")
        updates = row["runs"][0]["updates"]
        rows.append(f"{row['row']} | {_code(row['flags'])} | {updates:,} | {len(found)} | {spread(found)}")
    return table("row | flags | updates | seeds | validation error, %", rows)


def second_round() -> str:
    """Return the table of the second round of trials: the last validation error of each seed's curve."""
    rows = []
    for row in read(RESULTS / "searches.json")["default second round"]["rows"]:
        found = [curve[-1] / 100 for curve in row["validation_error_percent_by_epoch"]]
        rows.append(f"{row['row']} | {_code(row['flags'])} | {row['labels']} | {len(found)} | {spread(found)}")
    return table("row | flags | labels | seeds | validation error, %", rows)


def _code(flags: str) -> str:
    return f"`{flags}`" if flags else ""
