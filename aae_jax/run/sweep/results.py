"""Results of a sweep: those of a chunk, the table, the figure and the lines printed at the end."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aae_jax.errors import InputError
from aae_jax.evaluation.seeds import mean_and_std, percent, spoken
from aae_jax.figures.of_models.drawing import Drawings, draw_and_save
from aae_jax.models.spec import ModelSpec
from aae_jax.records import read_json
from aae_jax.run.run_dir import RunFolder, write_text

__all__ = ["TABLE_FILE", "closing_lines", "read_results", "rows_of", "score_name", "write_results"]

TABLE_FILE = "table.csv"
SHOWN = 10
"""Maximum number of settings in the closing lines."""


def score_name(spec: ModelSpec) -> str:
    """Return the name of the metric by which settings are compared, e.g. `validation_error`."""
    return f"validation_{spec.score}"


def read_results(path: Path, chunk: Sequence[int], score: str) -> list[dict[str, Any]]:
    """Read the results of a chunk, one per member.

    Raises:
        InputError: The file is damaged, or belongs to other members.
    """
    results = read_json(path)
    listed = isinstance(results, list) and all(_is_result(result, score) for result in results)
    if not listed or [result["member"] for result in results] != list(chunk):
        raise InputError(
            f"{path} does not hold the results of members {chunk[0]} to {chunk[-1]}; remove it and resume."
        )
    return list(results)


def _is_result(result: Any, score: str) -> bool:
    if not isinstance(result, dict) or "failed" not in result:
        return False
    whole = all(type(result.get(name)) is int for name in ("member", "setting", "seed"))
    numbers = [result.get(name, "") for name in (score, f"best_{score}")]
    return whole and all(number is None or type(number) in (int, float) for number in numbers)


def rows_of(
    settings: Sequence[Mapping[str, float]], results: Sequence[Mapping[str, Any]], score: str
) -> list[dict[str, Any]]:
    """Return a row per setting, best first; settings without a finite seed last."""
    rows = []
    for number, setting in enumerate(settings):
        seeds = [result for result in results if result["setting"] == number]
        mean, std = mean_and_std([result[score] for result in seeds])
        failed = sum(result["failed"] is not None for result in seeds)
        rows.append({"setting": number, **setting, score: mean, "std": std, "failed": failed})
    return sorted(rows, key=lambda row: (row[score] is None, row[score]))


def write_results(
    folder: RunFolder,
    spec: ModelSpec,
    settings: Sequence[Mapping[str, float]],
    results: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    command: str,
) -> list[str]:
    """Write table, figure and summary; return a sentence if the figure could not be drawn."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    write_text(folder.path / TABLE_FILE, text.getvalue())
    notices: list[str] = []
    draw_and_save(lambda: _drawings(spec, settings, results), folder.figures, notices.append)
    summary = {"experiment": "sweep", "model": spec.name, "command": command, "rows": rows, "members": results}
    folder.write_summary(summary)
    return notices


def _drawings(
    spec: ModelSpec, settings: Sequence[Mapping[str, float]], results: Sequence[Mapping[str, Any]]
) -> Drawings:
    from aae_jax.figures import sweep_figure  # importing matplotlib takes a second

    scores, label = _scores(results, score_name(spec)), score_name(spec).replace("_", " ")
    values = {name: np.asarray([settings[result["setting"]][name] for result in results]) for name in settings[0]}
    if spec.score in spec.shares:
        return {"sweep": lambda: sweep_figure(values, 100 * scores, ylabel=f"{label} (%)")}
    return {"sweep": lambda: sweep_figure(values, scores, ylabel=label)}


def _scores(results: Sequence[Mapping[str, Any]], score: str) -> np.ndarray:
    return np.asarray([np.nan if result[score] is None else result[score] for result in results], dtype=float)


def closing_lines(
    spec: ModelSpec, rows: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return the best settings with their scores, mean and standard deviation over seeds."""
    score = score_name(spec)
    show = percent if spec.score in spec.shares else spoken
    lines = [f"{score.replace('_', ' ')} by setting, best first:"]
    for row in rows[:SHOWN]:
        seeds = [result for result in results if result["setting"] == row["setting"]]
        shown = "failed" if row[score] is None else show(_scores(seeds, score))
        fixed = ("setting", score, "std", "failed")
        numbers = "  ".join(f"{name} {value:g}" for name, value in row.items() if name not in fixed)
        failed = f", {row['failed']} failed" if row["failed"] and row[score] is not None else ""
        lines.append(f"  {shown:16s} {numbers}{failed}")
    return [*lines, f"  … and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else lines
