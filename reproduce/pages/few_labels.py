"""Tables of few labels, from the files that `experiments/reproduce.py` wrote."""

from pathlib import Path
from typing import Any

from aae_jax.errors import InputError
from reproduce.pages.markdown import RESULTS, device, read, spread, table
from reproduce.tables import TABLES

__all__ = [
    "ablation_rows",
    "ablation_table",
    "few_labels_table",
    "label_count_rows",
    "label_counts_table",
    "other_data_table",
    "rows",
    "search",
    "subset_table",
]

PAPER = {100: "1.90 ± 0.10", 1000: "1.60 ± 0.08", "all": "0.85 ± 0.02"}
OTHERS = {100: "Ladder 1.06, CatGAN 1.91, VAT 2.33", 1000: "Ladder 0.84, VAT 1.36", "all": "Ladder 0.57"}
GOALS = {(100, False): 1.5, (1000, False): 1.2, ("all", False): 0.85, (100, True): 1.2, (1000, True): 0.9}


def recorded(folder: Path, *, tested: bool) -> list[dict[str, Any]]:
    """Return the rows of MNIST that a folder holds; any other is an error."""
    found = [read(path) for path in sorted(folder.glob("*.json"))]
    for row in found:
        if row["data"]["name"] != "mnist" or row["tested"] != tested:
            which = "test" if tested else "validation"
            raise InputError(f"The row {row['row']} in {folder} is not of MNIST's {which} images; remove it.")
    return found


def rows() -> list[dict[str, Any]]:
    """Return what was recorded, without shifts first, then by number of labels, the paper's settings before ours."""
    found = recorded(RESULTS / "few_labels", tested=True)
    return sorted(found, key=lambda row: (row["shifts"], row["splits"]["labelled"], row["recipe"] == "best"))


def subsets(row: dict[str, Any], name: str = "test_error") -> str:
    """Return how many subsets an error is the mean of; of how many, where some failed."""
    finished = sum(error is not None for error in row[name]["per_seed"])
    return str(finished) if finished == len(row["seeds"]) else f"{finished} of {len(row['seeds'])}"


def _errors(row: dict[str, Any], *names: str) -> str:
    """Return cells of errors: the baseline's on the test images, and the test error in bold."""
    shown = {
        name: spread((row[name]["test_error"] if name == "baseline" else row[name])["per_seed"]) for name in names
    }
    return " | ".join(f"**{text}**" if name == "test_error" else text for name, text in shown.items())


def few_labels_table() -> str:
    """Return the table of test errors, each row with the paper's and others' figures."""
    lines = []
    for row in rows():
        labels, ours = row["labels"], row["recipe"] == "best"
        goal = f"≤ {GOALS[labels, row['shifts']]}" if ours and (labels, row["shifts"]) in GOALS else ""
        known = ("–", "–") if row["shifts"] else (PAPER.get(labels, ""), OTHERS.get(labels, ""))
        cells = (
            f"{labels:,}" if labels != "all" else "all",
            ("ours, shifts" if row["shifts"] else "ours") if ours else "the paper's",
            f"{device(row)}, {row['precision']}, {row['updates']:,}",
            subsets(row),
            _errors(row, "baseline", "validation_error", "test_error"),
            *known,
            goal,
        )
        lines.append(" | ".join(cells))
    titles = (
        "labels | settings | where, precision, updates | subsets | supervised, % | validation, % | **test, %** "
        "| paper†, % | others†, % | goal, %"
    )
    return table(titles, lines)


def ablation_rows(name: str = "ablation") -> list[dict[str, Any]]:
    """Return the rows of the ablation, or of a table like it, in the order of the table's definition."""
    order = [row.name for row in TABLES[name]]
    found = recorded(RESULTS / name.replace("-", "_"), tested=False)
    return sorted((row for row in found if row["row"] in order), key=lambda row: order.index(row["row"]))


def ablation_table(name: str = "ablation") -> str:
    """Return the table of validation errors with an ingredient taken away, or with what others had."""
    flags = {row.name: row.flags for row in TABLES[name]}
    lines = []
    for row in ablation_rows(name):
        shown = " ".join(["--preset", row["preset"], "--labels", str(row["labels"]), *flags[row["row"]]])
        lines.append(
            f"{row['row'].replace('-', ' ')} | `{shown}` | {row['updates']:,} | {subsets(row, 'validation_error')} "
            f"| {_errors(row, 'validation_error')}"
        )
    return table("row | preset and flags | updates | seeds | validation error, %", lines)


def label_count_rows() -> list[dict[str, Any]]:
    """Return the rows of errors by number of labels, those without shifts first."""
    found = recorded(RESULTS / "label_counts", tested=True)
    return sorted(found, key=lambda row: (row["shifts"], row["splits"]["labelled"]))


def label_counts_table() -> str:
    """Return the table of errors by number of labels, without and with shifts side by side."""
    by_count: dict[int, dict[bool, dict[str, Any]]] = {}
    for row in label_count_rows():
        by_count.setdefault(row["splits"]["labelled"], {})[row["shifts"]] = row
    lines = []
    for count, by_shifts in sorted(by_count.items()):
        first = next(iter(by_shifts.values()))
        errors = [
            _errors(by_shifts[shifts], "test_error") if shifts in by_shifts else "–" for shifts in (False, True)
        ]
        lines.append(
            f"{count:,} | {first['updates']:,} | {subsets(first)} | {_errors(first, 'baseline')} "
            f"| {' | '.join(errors)}"
        )
    titles = "labels | updates | seeds | supervised, % | **without shifts, test, %** | **with shifts, test, %**"
    return table(titles, lines)


def subset_table() -> str:
    """Return the table of each subset's errors with a hundred labels, those without shifts first."""
    lines = []
    for row in sorted(recorded(RESULTS / "subsets", tested=True), key=lambda row: bool(row["shifts"])):
        sure = row["calibration"]
        for i, seed in enumerate(row["seeds"]):
            of = [row["baseline"]["test_error"], row["validation_error"], row["test_error"]]
            errors = [f"{100 * one['per_seed'][i]:.2f}" if one["per_seed"][i] is not None else "failed" for one in of]
            calibration = " → ".join(
                spread([sure[name]["per_seed"][i]]) for name in ("expected_error", "calibrated_error")
            )
            warm = sure["temperature"][i]
            lines.append(
                f"{row['row'].replace('-', ' ')} | {seed} | {' | '.join(errors)} "
                f"| {'–' if warm is None else format(warm, '.2f')} | {calibration}"
            )
    return table(
        "row | subset | supervised, % | validation, % | test, % | temperature | calibration error, % → calibrated",
        lines,
    )


def other_data_table() -> str:
    """Return the table of errors on other data than MNIST, in the order of the table's definition."""
    paths = [RESULTS / "other_data" / f"{row.name}.json" for row in TABLES["other-data"]]
    lines = [
        f"{row['data']['name']} | `{row['preset']}` | {row['labels']} | {row['updates']:,} "
        f"| {'-'.join(map(str, row['width']))} | {subsets(row)} "
        f"| {_errors(row, 'baseline', 'validation_error', 'test_error')}"
        for row in map(read, filter(Path.exists, paths))
    ]
    return table(
        "data | preset | labels | updates | width | seeds | supervised, % | validation, % | **test, %**", lines
    )


def search(name: str) -> str:
    """Return the table of a search for the recipe: each subset's last validation error."""
    lines = []
    for row in read(RESULTS / "searches.json")[name]["rows"]:
        found = [curve[-1] for curve in row["validation_error_percent_by_epoch"]]
        each = " ".join(f"{error:.2f}" for error in found)
        lines.append(f"`{row['flags']}` | {row['code']} | {spread([error / 100 for error in found])} | {each}")
    return table("flags | code | mean ± std, % | by subset, %", lines)
