"""Reading of run records: JSON objects and rows of metrics, validated before use."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aae_jax.errors import InputError
from aae_jax.files import MAX_RECORD_BYTES, read_bytes

__all__ = ["read_json", "read_record", "valid_rows"]

MAX_WHOLE = 2**53
COUNTS = ("epoch", "update")


def read_json(path: Path, most: int = MAX_RECORD_BYTES) -> Any:
    """Read a JSON file.

    Raises:
        InputError: It cannot be read, or is not JSON.
    """
    try:
        return json.loads(read_bytes(path, most))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); restore it.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); restore it.") from error


def read_record(path: Path, required: Iterable[str] = ()) -> dict[str, Any]:
    """Read a JSON file with an object that has the `required` keys.

    Raises:
        InputError: The file cannot be read, holds no object, or lacks a key.
    """
    record = read_json(path)
    if not isinstance(record, dict):
        raise InputError(f"{path} does not hold a JSON object; restore it.")
    missing = [key for key in required if key not in record]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}; restore it.")
    return record


def valid_rows(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """Parse rows of metrics from lines of JSON, up to the first invalid line.

    A row has the integers `epoch` and `update`; every other value is a number or null, or a list of them with one
    entry per seed: lists have the same length in every row.
    """
    rows: list[dict[str, Any]] = []
    seeds: set[int] = set()
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(row, dict) or not _is_row(row):
            break
        seeds |= {len(value) for value in row.values() if isinstance(value, list)}
        if len(seeds) > 1 or 0 in seeds:
            break
        rows.append(row)
    return rows


def _is_row(row: Mapping[str, Any]) -> bool:
    counts = all(type(row.get(name)) is int and 0 <= row[name] < MAX_WHOLE for name in COUNTS)
    return counts and all(
        all(map(_is_number, value)) if isinstance(value, list) else _is_number(value) for value in row.values()
    )


def _is_number(value: Any) -> bool:
    """Return whether a value is null or a number that fits a float, including JSON's `NaN` and `Infinity`."""
    if value is None or type(value) is float:
        return True
    return type(value) is int and abs(value) < MAX_WHOLE
