"""Conversion of summaries of earlier versions to the current schema."""

from collections.abc import Mapping
from typing import Any

__all__ = ["current_summary"]


def current_summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the summary of a run, or a record that contains one, to the current schema.

    Until version 0.1 a semi-supervised run had `test_error`, `validation_error` and `health` instead of `test` and
    `validation`, and the score of the best weights was not recorded by split. Other entries are unchanged.

    Args:
        summary: Summary as read; not modified.
    """
    now = dict(summary)
    best = summary.get("best_by_validation")
    if "test_error" in summary:
        for name in ("test_error", "validation_error", "health"):
            now.pop(name, None)
        now["test"] = _split(summary, "test")
        now["validation"] = {**(_split(summary, "validation") or {}), **summary.get("health", {})}
        if best is not None:
            splits = {kind: _split(best, kind) for kind in ("validation", "test")}
            now["best_by_validation"] = {"epoch": best["epoch"], **splits}
        if "baseline" in summary:
            now["baseline"] = _baseline(summary["baseline"])
    elif best is not None and "validation" not in best:
        score = {name: value for name, value in best.items() if name != "epoch"}
        now["best_by_validation"] = {"epoch": best["epoch"], "validation": score, "test": None}
    return now


def _split(summary: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    """Return the error on a split; None if it was not measured."""
    error = summary.get(f"{kind}_error")
    return None if error is None or all(value is None for value in error["per_seed"]) else {"error": error}


def _baseline(baseline: Mapping[str, Any]) -> dict[str, Any]:
    balanced = baseline.get("balanced_error", {})
    now: dict[str, Any] = {name: value for name, value in baseline.items() if not name.endswith("_error")}
    for kind in ("validation", "test"):
        error = _split(baseline, kind)
        now[kind] = error if error is None or kind not in balanced else {**error, "balanced_error": balanced[kind]}
    return now
