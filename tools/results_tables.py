"""Write the tables of README.md and results/README.md from the files in results/; `--check` only compares.

A table stands between `<!-- table: KIND -->` and `<!-- end -->`; KIND is a key of `TABLES`.
"""

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from answers_tables import calibration_table, confusions_table
from few_labels_tables import (
    ablation_table,
    few_labels_table,
    label_counts_table,
    other_data_table,
    subset_table,
)
from model_tables import figure_two, gallery, models_table
from speed_tables import floor_table, growth_table, other_table, start_table, steps_table

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
DOCS = tuple(ROOT / "docs" / name for name in ("performance.md", "results.md", "few-labels.md", "gallery.md"))
PAGES = (ROOT / "README.md", RESULTS / "README.md", *DOCS)


def load(folder: Path) -> list[dict[str, Any]]:
    """Return the summaries of one recorded row, ordered by seed."""
    summaries = [json.loads(p.read_text(encoding="utf-8")) for p in folder.glob("s*.summary.json")]
    return sorted(summaries, key=lambda summary: summary["seeds"][0])


def errors(summaries: Sequence[dict[str, Any]], *path: str) -> list[float]:
    """Return every seed's error fraction under a path such as `test_error` of the summaries."""
    found: list[float] = []
    for summary in summaries:
        for key in path:
            summary = summary[key]
        found += [error for error in summary["per_seed"] if error is not None]
    return found


def spread(values: Sequence[float]) -> str:
    """Return fractions as `2.10 ± 0.12` in percent, n − 1 in the standard deviation."""
    text = f"{100 * statistics.mean(values):.2f}"
    return f"{text} ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else text


def core_minutes(summary: dict[str, Any]) -> float:
    """Return a run's minutes of training times its cores, a seed; runs recorded without cores had two."""
    return float(summary["train_seconds"] * summary.get("cpu_cores", 2) / 60 / len(summary["seeds"]))


def main_table() -> str:
    """Return the table of test errors by data and number of labels."""
    lines = [
        "| data | labels | updates | core-minutes a seed | seeds | supervised baseline, % | validation error, % "
        "| **test error, %** |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for folder in sorted(path for path in RESULTS.iterdir() if path.name.startswith("main-")):
        runs = load(folder)
        first = runs[0]
        seen = [seed for run in runs for seed in run["seeds"]]
        same = len({(run["updates"], run["labels"], run["git_commit"]) for run in runs}) == 1
        if not same or len(set(seen)) < len(seen):
            raise SystemExit(f"error: {folder} mixes updates, labels or commits, or has a seed twice; record anew.")
        seeds = len(errors(runs, "test_error"))
        if seeds == 0:
            raise SystemExit(f"error: {folder} has no test error; it was recorded with --no-test.")
        minutes = statistics.mean(core_minutes(run) for run in runs)
        lines.append(
            f"| {first['data']['name']} | {first['splits']['labelled']} | {first['updates']:,} | {minutes:.1f} "
            f"| {seeds} | {spread(errors(runs, 'baseline', 'test_error'))} "
            f"| {spread(errors(runs, 'validation_error'))} | **{spread(errors(runs, 'test_error'))}** |"
        )
    return "\n".join(lines)


def comparison(prefix: str) -> str:
    """Return a table of the folders named `prefix`-…: validation errors only, as recipes are chosen on them."""
    lines = ["| row | flags | updates | seeds | validation error, % |", "|---|---|---|---|---|"]
    for folder in sorted(path for path in RESULTS.iterdir() if path.name.startswith(f"{prefix}-")):
        runs = load(folder)
        name = folder.name.removeprefix(f"{prefix}-").replace("_", " ")
        flags = (folder / "flags.txt").read_text(encoding="utf-8").strip()
        found = errors(runs, "validation_error")
        shown = f"`{flags}`" if flags else ""
        lines.append(f"| {name} | {shown} | {runs[0]['updates']:,} | {len(found)} | {spread(found)} |")
    return "\n".join(lines)


def second_round() -> str:
    """Return the table of the trials in `second_round.json`: the last validation error of each seed's curve."""
    lines = ["| row | flags | labels | seeds | validation error, % |", "|---|---|---|---|---|"]
    for row in _trials("second_round.json"):
        found = [curve[-1] / 100 for curve in row["validation_error_percent_by_epoch"]]
        shown = f"`{row['flags']}`" if row["flags"] else ""
        lines.append(f"| {row['row']} | {shown} | {row['labels']} | {len(found)} | {spread(found)} |")
    return "\n".join(lines)


def search(name: str) -> str:
    """Return a table of the search for the recipe of few labels: each subset's last validation error."""
    lines = ["| flags | code | mean ± std, % | by subset, % |", "|---|---|---|---|"]
    for row in _trials(name):
        found = [curve[-1] for curve in row["validation_error_percent_by_epoch"]]
        each = " ".join(f"{error:.2f}" for error in found)
        lines.append(f"| `{row['flags']}` | {row['code']} | {spread([error / 100 for error in found])} | {each} |")
    return "\n".join(lines)


def _trials(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((RESULTS / name).read_text(encoding="utf-8"))["rows"]
    return rows


TABLES = {
    "main": main_table,
    "first-round": lambda: comparison("trial"),
    "second-round": second_round,
    "search": lambda: search("few_labels_search.json"),
    "second-search": lambda: search("few_labels_second_search.json"),
    "third-search": lambda: search("few_labels_third_search.json"),
    "few-labels": few_labels_table,
    "ablation": lambda: comparison("ablation"),
    "few-labels-confusions": confusions_table,
    "few-labels-calibration": calibration_table,
    "few-labels-ablation": ablation_table,
    "paper-settings": lambda: ablation_table("paper-settings"),
    "label-counts": label_counts_table,
    "subsets": subset_table,
    "other-data": other_data_table,
    "precision": lambda: comparison("precision"),
    "steps": steps_table,
    "floor": floor_table,
    "other": other_table,
    "growth": growth_table,
    "start": start_table,
    "models": models_table,
    "gallery": gallery,
    "figure-two": figure_two,
}


def filled(text: str) -> str:
    """Return a page with each marked table written anew."""
    for kind, build in TABLES.items():
        begin, end = f"<!-- table: {kind} -->\n", "<!-- end -->"
        if begin in text:
            before, rest = text.split(begin, 1)
            text = before + begin + build() + "\n" + end + rest.split(end, 1)[1]
    return text


def main() -> int:
    """Write the pages, or with `--check` report the first that differs from the files."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        new = filled(text)
        if "--check" in sys.argv[1:] and new != text:
            print(f"{page.name} differs from results/; run: uv run python tools/results_tables.py", file=sys.stderr)
            return 1
        if new != text:
            page.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
