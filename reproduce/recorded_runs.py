"""Recorded runs of one comparison in one file: every run's summary and settings, what all of them share written once.

`python -m reproduce.recorded_runs results/FILE.json ROW RUN_DIR [RUN_DIR ...]` adds finished runs to a row.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aae_jax.config.text import read_yaml
from aae_jax.errors import InputError
from aae_jax.run.arguments import run_guarded
from aae_jax.run.run_dir import CONFIG_FILE, SUMMARY_FILE, write_text

__all__ = ["main", "read_rows", "record", "with_named_errors", "write_rows"]

Record = dict[str, Any]


def read_rows(path: Path) -> list[Record]:
    """Return a file's rows: their name, their flags, and their runs' summaries, each with its `config`, by seed."""
    content = json.loads(path.read_text(encoding="utf-8"))
    rows = [row | {"runs": [_merged(content["common"], run) for run in row["runs"]]} for row in content["rows"]]
    return [row | {"runs": sorted(row["runs"], key=lambda run: run["seeds"])} for row in rows]


def write_rows(path: Path, about: str, rows: Sequence[Record]) -> None:
    """Write rows as `read_rows` returns them, one line for each run, under a sentence on what is compared."""
    common = _common([run for row in rows for run in row["runs"]])
    lines = []
    for row in rows:
        runs = ",\n".join(f"   {json.dumps(_without(run, common))}" for run in row["runs"])
        name, flags = json.dumps(row["row"]), json.dumps(row["flags"])
        lines.append(f'  {{"row": {name}, "flags": {flags}, "runs": [\n{runs}\n  ]}}')
    head = f' "about": {json.dumps(about)},\n "common": {json.dumps(common)},\n "rows": [\n'
    write_text(path, "{\n" + head + ",\n".join(lines) + "\n ]\n}\n")


def with_named_errors(summary: Record) -> Record:
    """Return the summary of a semi-supervised run with its errors under the names that recorded rows have.

    They are `test_error` and `validation_error`, of the run, of its best weights and of the baseline; other measures
    on the validation images are `health`.
    """
    measured = dict(summary["validation"])
    found = {name: value for name, value in summary.items() if name not in ("test", "validation")}
    found |= {"test_error": _error(summary["test"]), "validation_error": measured.pop("error"), "health": measured}
    for name in ("best_by_validation", "baseline"):
        own = summary[name]
        found[name] = {key: value for key, value in own.items() if key not in ("test", "validation")}
        found[name] |= {f"{kind}_error": _error(own[kind]) for kind in ("test", "validation")}
    return found


def _error(measured: Record | None) -> Record:
    return {"per_seed": [None], "mean": None, "std": None} if measured is None else measured["error"]


def record(path: Path, name: str, run: Path, flags: str = "") -> None:
    """Add a finished run to a row of the file; it takes the place of the row's run with the same seeds.

    Args:
        path: The file; made where there is none.
        name: The row's name.
        run: The run's folder.
        flags: What distinguishes the row from the others, for the table.

    Raises:
        InputError: The folder holds no finished run.
    """
    if not (run / SUMMARY_FILE).is_file():
        raise InputError(f"{run} is not the folder of a finished run ({SUMMARY_FILE} is missing).")
    summary = json.loads((run / SUMMARY_FILE).read_text(encoding="utf-8"))
    named = summary if "validation_error" in summary else with_named_errors(summary)
    found = named | {"config": read_yaml(run / CONFIG_FILE)}
    about = json.loads(path.read_text(encoding="utf-8"))["about"] if path.exists() else path.stem
    rows = {row["row"]: row for row in (read_rows(path) if path.exists() else [])}
    others = [one for one in rows.get(name, {"runs": []})["runs"] if one["seeds"] != found["seeds"]]
    rows[name] = {"row": name, "flags": flags, "runs": sorted([*others, found], key=lambda one: one["seeds"])}
    write_rows(path, about, list(rows.values()))


def _common(runs: Sequence[Record]) -> Record:
    """Return what all runs have under the same names, entries of nested mappings apart."""
    common: Record = {}
    for key in runs[0] if runs else ():
        values: list[Any] = [run.get(key) for run in runs]
        if all(key in run for run in runs) and all(value == values[0] for value in values):
            common[key] = values[0]
        elif all(isinstance(value, dict) for value in values):
            common[key] = _common(values)
    return common


def _without(run: Record, common: Record) -> Record:
    """Return a run less what `_common` returned of it and of others."""
    rest = {}
    for key, value in run.items():
        if key not in common:
            rest[key] = value
        elif value != common[key]:
            rest[key] = _without(value, common[key])
    return rest


def _merged(common: Record, run: Record) -> Record:
    """Return the run that `_without` was given."""
    nested = {key: _merged(common[key], value) for key, value in run.items() if key in common}
    return common | run | nested


def main(argv: Sequence[str] | None = None) -> int:
    """Record the runs named on the command line and return the exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)

    def command() -> int:
        if len(arguments) < 3:
            raise InputError("Give a file of results, the name of a row, and the folders of its runs.")
        for run in arguments[2:]:
            record(Path(arguments[0]), arguments[1], Path(run))
        return 0

    return run_guarded(command)


if __name__ == "__main__":
    sys.exit(main())
