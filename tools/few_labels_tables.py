"""The tables of few labels, from the files that `experiments/reproduce.py` wrote into results/few_labels."""

import json
import statistics
from pathlib import Path
from typing import Any

from aae_jax.experiments.table_rows import TABLES

RESULTS = Path(__file__).resolve().parent.parent / "results"
FOLDER = RESULTS / "few_labels"
PAPER = {100: "1.90 ± 0.10", 1000: "1.60 ± 0.08", "all": "0.85 ± 0.02"}
OTHERS = {100: "Ladder 1.06, CatGAN 1.91, VAT 2.33", 1000: "Ladder 0.84, VAT 1.36", "all": "Ladder 0.57"}
GOALS = {(100, False): 1.5, (1000, False): 1.2, ("all", False): 0.85, (100, True): 1.2, (1000, True): 0.9}


def recorded(folder: Path, *, tested: bool) -> list[dict[str, Any]]:
    """Return the rows of MNIST that a folder holds; any other is an error."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    for row in found:
        if row["data"]["name"] != "mnist" or row["tested"] != tested:
            which = "test" if tested else "validation"
            raise SystemExit(f"error: the row {row['row']} in {folder} is not of MNIST's {which} images; remove it.")
    return found


def rows() -> list[dict[str, Any]]:
    """Return what was recorded, without shifts first, then by number of labels, the paper's settings before ours."""
    found = recorded(FOLDER, tested=True)
    return sorted(found, key=lambda row: (row["shifts"], row["splits"]["labelled"], row["recipe"] == "best"))


def spread(error: dict[str, Any]) -> str:
    """Return an error over seeds as `2.10 ± 0.12`, in percent."""
    found = [100 * e for e in error["per_seed"] if e is not None]
    if not found:
        return "–"
    text = f"{statistics.mean(found):.2f}"
    return f"{text} ± {statistics.stdev(found):.2f}" if len(found) > 1 else text


def subsets(row: dict[str, Any], name: str = "test_error") -> str:
    """Return how many subsets an error is the mean of; of how many, where some failed."""
    finished = sum(error is not None for error in row[name]["per_seed"])
    return str(finished) if finished == len(row["seeds"]) else f"{finished} of {len(row['seeds'])}"


def few_labels_table() -> str:
    """Return the table of test errors, each row beside the paper's and others' figures."""
    lines = [
        "| labels | settings | where, precision, updates | subsets | supervised, % | validation, % | **test, %** "
        "| paper†, % | others†, % | goal, % |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows():
        labels, ours = row["labels"], row["recipe"] == "best"
        settings = ("ours, shifts" if row["shifts"] else "ours") if ours else "the paper's"
        device = "CPU" if "(cpu)" in row["device"] else row["device"].split(" (")[0]
        goal = f"≤ {GOALS[labels, row['shifts']]}" if ours and (labels, row["shifts"]) in GOALS else ""
        known = ("–", "–") if row["shifts"] else (PAPER.get(labels, ""), OTHERS.get(labels, ""))
        cells = (
            f"{labels:,}" if labels != "all" else "all",
            settings,
            f"{device}, {row['precision']}, {row['updates']:,}",
            subsets(row),
            spread(row["baseline"]["test_error"]),
            spread(row["validation_error"]),
            f"**{spread(row['test_error'])}**",
            *known,
            goal,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ablation_rows(table: str = "ablation") -> list[dict[str, Any]]:
    """Return the rows of the ablation, or of a table like it, in the order of the table's definition."""
    order = [row.name for row in TABLES[table]]
    found = recorded(RESULTS / table.replace("-", "_"), tested=False)
    return sorted((row for row in found if row["row"] in order), key=lambda row: order.index(row["row"]))


def ablation_table(table: str = "ablation") -> str:
    """Return the table of validation errors with an ingredient taken away, or with what others had."""
    flags = {row.name: row.flags for row in TABLES[table]}
    lines = ["| row | preset and flags | updates | seeds | validation error, % |", "|---|---|---|---|---|"]
    for row in ablation_rows(table):
        shown = " ".join(["--preset", row["preset"], "--labels", str(row["labels"]), *flags[row["row"]]])
        lines.append(
            f"| {row['row'].replace('-', ' ')} | `{shown}` | {row['updates']:,} | {subsets(row, 'validation_error')} "
            f"| {spread(row['validation_error'])} |"
        )
    return "\n".join(lines)


def label_count_rows() -> list[dict[str, Any]]:
    """Return the rows of errors by number of labels, those without shifts first."""
    found = recorded(RESULTS / "label_counts", tested=True)
    return sorted(found, key=lambda row: (row["shifts"], row["splits"]["labelled"]))


def label_counts_table() -> str:
    """Return the table of errors by number of labels, without and with shifts side by side."""
    lines = [
        "| labels | updates | seeds | supervised, % | **without shifts, test, %** | **with shifts, test, %** |",
        "|---|---|---|---|---|---|",
    ]
    by_count: dict[int, dict[bool, dict[str, Any]]] = {}
    for row in label_count_rows():
        by_count.setdefault(row["splits"]["labelled"], {})[row["shifts"]] = row
    for count, own in sorted(by_count.items()):
        first = next(iter(own.values()))
        errors = [f"**{spread(own[shifts]['test_error'])}**" if shifts in own else "–" for shifts in (False, True)]
        lines.append(
            f"| {count:,} | {first['updates']:,} | {subsets(first)} | {spread(first['baseline']['test_error'])} "
            f"| {' | '.join(errors)} |"
        )
    return "\n".join(lines)


def subset_table() -> str:
    """Return the table of each subset's errors with a hundred labels, those without shifts first."""
    lines = [
        "| row | subset | supervised, % | validation, % | test, % | temperature | calibration error, %, and then |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for row in sorted(recorded(RESULTS / "subsets", tested=True), key=lambda row: bool(row["shifts"])):
        sure = row["calibration"]
        for i, seed in enumerate(row["seeds"]):
            of = [row["baseline"]["test_error"], row["validation_error"], row["test_error"]]
            errors = [f"{100 * one['per_seed'][i]:.2f}" if one["per_seed"][i] is not None else "failed" for one in of]
            calibration = " → ".join(
                f"{100 * sure[name]['per_seed'][i]:.2f}" if sure[name]["per_seed"][i] is not None else "–"
                for name in ("expected_error", "calibrated_error")
            )
            warm = sure["temperature"][i]
            lines.append(
                f"| {row['row'].replace('-', ' ')} | {seed} | {' | '.join(errors)} "
                f"| {'–' if warm is None else format(warm, '.2f')} | {calibration} |"
            )
    return "\n".join(lines)


def other_data_table() -> str:
    """Return the table of errors on other data than MNIST, in the order of the table's definition."""
    order = [row.name for row in TABLES["other-data"]]
    paths = [RESULTS / "other_data" / f"{name}.json" for name in order]
    lines = [
        "| data | preset | labels | updates | width | seeds | supervised, % | validation, % | **test, %** |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in (json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()):
        lines.append(
            f"| {row['data']['name']} | `{row['preset']}` | {row['labels']} | {row['updates']:,} "
            f"| {'-'.join(map(str, row['width']))} | {subsets(row)} | {spread(row['baseline']['test_error'])} "
            f"| {spread(row['validation_error'])} | **{spread(row['test_error'])}** |"
        )
    return "\n".join(lines)
