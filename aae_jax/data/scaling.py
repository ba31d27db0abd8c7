"""Min-max scaling of plain vectors to [0, 1], per feature, by the range of the training rows."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.errors import InputError

__all__ = ["Scaling", "check_rows", "fit_scaling"]

MAX_FLOAT32 = float(np.finfo(np.float32).max)
MAX_SAMPLE, MAX_BLOCK = 10_000, 10_000_000
"""Number of rows in which distinct values are counted, and of numbers that are sorted at once."""
STEPS = 256
"""Number of steps within a feature's range that a type must resolve."""


class Scaling(NamedTuple):
    """Offset and range of each feature.

    Attributes:
        low: float64 `[features]`, the smallest training values, which become 0. For integers beyond 2^53, the
            largest float64 that is not above the smallest value.
        span: float64 `[features]`, largest minus smallest value; 0 where all training values are equal.
    """

    low: NDArray[np.float64]
    span: NDArray[np.float64]

    def apply(self, rows: NDArray[Any], what: str = "The rows") -> NDArray[np.float32]:
        """Scale `rows` `[count, features]` to [0, 1], bit-identically in training and in prediction.

        Values outside the training range are clipped; a feature that was constant in training becomes 0.

        Args:
            rows: Integers or floats, in the units of the data.
            what: Name of the rows in messages.

        Raises:
            InputError: A number is not finite, or beyond float32, or the type of the rows is too coarse for a
                feature's range.
        """
        check_rows(rows, what)
        if rows.dtype.kind == "f":
            self.check_precision(rows.dtype, what)
        constant = self.span <= 0
        shares = self._above_low(rows) / np.where(constant, 1.0, self.span)
        return np.where(constant, 0.0, np.clip(shares, 0.0, 1.0)).astype(np.float32)

    def _above_low(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return `rows - low`, exact where both are integers."""
        low = np.asarray(self.low, np.float64)
        if rows.dtype.kind == "f" or rows.dtype.itemsize < 8:
            return rows.astype(np.float64) - low
        limits = np.iinfo(rows.dtype)
        # 2^63 and 2^64 are floats; the largest integers below them are not.
        whole = (low == np.rint(low)) & (low >= float(limits.min)) & (low < float(limits.max))
        lowest = np.where(whole, low, 0.0).astype(rows.dtype)
        above = rows >= lowest
        # Unsigned differences do not overflow; values below the smallest one are clipped to 0 anyway.
        distance = rows.astype(np.uint64) - lowest.astype(np.uint64)
        exact = np.where(above, distance.astype(np.float64), -1.0)
        return np.where(whole, exact, rows.astype(np.float64) - low)

    def invert(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Convert scaled `rows` `[count, features]` back to the units of the data."""
        return self.low + rows.astype(np.float64) * self.span

    def check_precision(self, kind: np.dtype[Any], what: str) -> None:
        """Refuse a float type that cannot distinguish a feature's training values.

        A feature whose range the type represents exactly is accepted: the data may have had that type.

        Raises:
            InputError: There is one; the message names the first such feature and its range.
        """
        low, span = np.asarray(self.low, np.float64), np.asarray(self.span, np.float64)
        largest = np.maximum(np.abs(low), np.abs(low + span))
        for feature in np.flatnonzero((span > 0) & (largest * float(np.finfo(kind).eps) > span / STEPS)):
            start, end = float(low[feature]), float(low[feature] + span[feature])
            exact = int(start) + int(span[feature]) == int(end) or start != int(start)
            with np.errstate(over="ignore"):
                held = float(kind.type(start)) == start and float(kind.type(end)) == end
            if not (exact and held):
                raise InputError(
                    f"{what} are {kind}, too coarse for feature {feature}, which runs from {start:.17g} over "
                    f"{span[feature]:.17g} in training; give float64 or whole numbers in a NumPy array, outside jit."
                )


def check_rows(rows: NDArray[Any], what: str) -> None:
    """Refuse numbers that are not finite, or beyond float32.

    Raises:
        InputError: There is one.
    """
    # NaN fails every comparison, so test that both ends are valid.
    if rows.size and not (float(rows.min()) >= -MAX_FLOAT32 and float(rows.max()) <= MAX_FLOAT32):
        raise InputError(
            f"{what} are not all finite: they hold NaN, or numbers beyond float32; "
            "leave those rows out or correct them."
        )


def fit_scaling(rows: NDArray[Any], what: str = "The training rows") -> Scaling:
    """Fit the scaling to the training rows `[count, features]`, integers or floats in the units of the data.

    Args:
        rows: At least one row.
        what: Name of the rows in messages.

    Raises:
        InputError: A number is not finite, or a range exceeds float32, or is so large compared with the differences
            between most values that these become equal in float32.
    """
    check_rows(rows, what)
    lowest, highest = rows.min(axis=0), rows.max(axis=0)
    if rows.dtype.kind == "f":
        low = lowest.astype(np.float64)
        span = highest.astype(np.float64) - low
    else:
        low = np.array([_float_below(int(value)) for value in lowest], np.float64)
        pairs = zip(low, lowest, highest, strict=True)
        span = np.array([float(int(high) - int(start)) if high > least else 0.0 for start, least, high in pairs])
    if (span > MAX_FLOAT32).any():
        raise InputError(f"{what} span more than float32 can hold; scale them down.")
    scaling = Scaling(low, span)
    _refuse_collapse(rows, scaling, what)
    return scaling


def _float_below(value: int) -> float:
    """Return the largest float64 that is not above an integer."""
    nearest = float(value)
    return nearest if int(nearest) <= value else float(np.nextafter(nearest, -np.inf))


def _refuse_collapse(rows: NDArray[Any], scaling: Scaling, what: str) -> None:
    """Refuse features that lose more than half of their distinct values by scaling, in a sample of the rows."""
    sample = rows[:: max(1, -(-len(rows) // MAX_SAMPLE))]
    width = max(1, MAX_BLOCK // len(sample))
    for start in range(0, rows.shape[1], width):
        block = slice(start, start + width)
        ordered = np.sort(sample[:, block], axis=0)
        scaled = Scaling(scaling.low[block], scaling.span[block]).apply(ordered)
        before, after = (1 + np.count_nonzero(part[1:] != part[:-1], axis=0) for part in (ordered, scaled))
        for feature in np.flatnonzero(2 * after < before)[:1]:
            low, high = ordered[0, feature], ordered[-1, feature]
            raise InputError(
                f"{what} have {before[feature]} different values in feature {start + feature}, from {low} to {high}, "
                f"of which float32 keeps {after[feature]} in so large a range; remove outliers and codes for missing "
                "values, or replace the feature."
            )
