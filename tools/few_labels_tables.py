"""The tables of few labels, from the files that `experiments/reproduce.py` wrote into results/few_labels."""

import json
import statistics
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "results" / "few_labels"
PAPER = {100: "1.90 ± 0.10", 1000: "1.60 ± 0.08", "all": "0.85 ± 0.02"}
OTHERS = {100: "Ladder 1.06, CatGAN 1.91, VAT 2.33", 1000: "Ladder 0.84, VAT 1.36", "all": "Ladder 0.57"}
GOALS = {(100, False): 1.5, (1000, False): 1.2, ("all", False): 0.85, (100, True): 1.2, (1000, True): 0.9}


def rows() -> list[dict[str, Any]]:
    """Return what was recorded, without shifts first, then by number of labels, the paper's settings before ours."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")]
    for row in found:
        if row["data"]["name"] != "mnist" or not row["tested"]:
            raise SystemExit(f"error: the row {row['row']} in {FOLDER} is not of MNIST's test images; remove it.")
    return sorted(found, key=lambda row: (row["shifts"], row["splits"]["labelled"], row["recipe"] == "best"))


def spread(error: dict[str, Any]) -> str:
    """Return an error over seeds as `2.10 ± 0.12`, in percent."""
    found = [100 * e for e in error["per_seed"] if e is not None]
    if not found:
        return "–"
    text = f"{statistics.mean(found):.2f}"
    return f"{text} ± {statistics.stdev(found):.2f}" if len(found) > 1 else text


def subsets(row: dict[str, Any]) -> str:
    """Return how many subsets an error is the mean of; of how many, where some failed."""
    finished = sum(error is not None for error in row["test_error"]["per_seed"])
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
