"""Summaries of runs of earlier versions in today's schema."""

from collections.abc import Mapping
from typing import Any

__all__ = ["current_summary"]


def current_summary(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the summary of a run, or a record that holds one, in today's schema.

    Until version 0.1 a semi-supervised run had `test_error`, `validation_error` and `health` where every run now has
    `test` and `validation`, and the best weights' score had no split. Other entries stay as they are.

    Args:
        found: As it was read; not changed.
    """
    now = dict(found)
    best = found.get("best_by_validation")
    if "test_error" in found:
        for name in ("test_error", "validation_error", "health"):
            now.pop(name, None)
        now["test"] = _split(found, "test")
        now["validation"] = {**(_split(found, "validation") or {}), **found.get("health", {})}
        if best is not None:
            splits = {kind: _split(best, kind) for kind in ("validation", "test")}
            now["best_by_validation"] = {"epoch": best["epoch"], **splits}
        if "baseline" in found:
            now["baseline"] = _baseline(found["baseline"])
    elif best is not None and "validation" not in best:
        score = {name: value for name, value in best.items() if name != "epoch"}
        now["best_by_validation"] = {"epoch": best["epoch"], "validation": score, "test": None}
    return now


def _split(found: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    """Return the error on a split; None where it was not measured."""
    error = found.get(f"{kind}_error")
    return None if error is None or all(value is None for value in error["per_seed"]) else {"error": error}


def _baseline(found: Mapping[str, Any]) -> dict[str, Any]:
    balanced = found.get("balanced_error", {})
    now: dict[str, Any] = {name: value for name, value in found.items() if not name.endswith("_error")}
    for kind in ("validation", "test"):
        error = _split(found, kind)
        now[kind] = error if error is None or kind not in balanced else {**error, "balanced_error": balanced[kind]}
    return now
