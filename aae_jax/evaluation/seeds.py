"""Means and standard deviations over random seeds, as numbers and as text."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["mean_and_std", "over_seeds", "per_seed", "percent", "spoken"]


def over_seeds(errors: Sequence[float] | np.ndarray, survivors: Sequence[bool]) -> dict[str, Any]:
    """Return `{per_seed, mean, std}` of errors or other measures; failed seeds are null, and not in mean and std.

    So are errors of NaN, which were not measured. The standard deviation is that of the sample (n − 1), null for
    fewer than two seeds.
    """
    per_seed = [
        float(error) if alive and np.isfinite(error) else None for error, alive in zip(errors, survivors, strict=True)
    ]
    kept = [error for error in per_seed if error is not None]
    return {
        "per_seed": per_seed,
        "mean": float(np.mean(kept)) if kept else None,
        "std": float(np.std(kept, ddof=1)) if len(kept) > 1 else None,
    }


def per_seed(result: Mapping[str, Any]) -> np.ndarray:
    """Return the values per seed of a result of `over_seeds`, NaN for a seed without one."""
    return np.asarray([np.nan if value is None else value for value in result["per_seed"]])


def mean_and_std(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Return mean and sample standard deviation of the numbers among `values`; None if there are too few."""
    kept = [value for value in values if value is not None]
    mean = float(np.mean(kept)) if kept else None
    return mean, float(np.std(kept, ddof=1)) if len(kept) > 1 else None


def percent(errors: np.ndarray) -> str:
    """Format error fractions as `2.31 %`, or their mean and spread as `2.31 ± 0.12 %`, without failed seeds."""
    errors = errors[np.isfinite(errors)]
    if errors.size == 0:
        return "–"
    spread = f" ± {100 * errors.std(ddof=1):.2f}" if errors.size > 1 else ""
    return f"{100 * errors.mean():.2f}{spread} %"


def spoken(values: np.ndarray, digits: int = 5) -> str:
    """Format the mean over seeds with their standard deviation; a dash if no seed has a value."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "–"
    spread = f" ± {finite.std(ddof=1):.{digits}f}" if finite.size > 1 else ""
    return f"{finite.mean():.{digits}f}{spread}"
