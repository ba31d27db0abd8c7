"""How plain vectors become numbers in [0, 1]: feature by feature, by the range of the training rows."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scaling", "fit_scaling"]


class Scaling(NamedTuple):
    """Say what 0 and 1 mean, by feature.

    Attributes:
        low: float32 `[features]`, the smallest training values, which become 0.
        span: float32 `[features]`, largest minus smallest; 0 where all training values are equal.
    """

    low: NDArray[np.float32]
    span: NDArray[np.float32]

    def apply(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Return `rows` `[count, features]` in [0, 1]; values outside the training range are moved to its ends."""
        divisor = np.where(self.span > 0, self.span, 1).astype(np.float64)
        return np.clip((rows.astype(np.float64) - self.low) / divisor, 0, 1).astype(np.float32)

    def invert(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Return scaled `rows` `[count, features]` in the units of the data."""
        return (self.low + rows.astype(np.float64) * self.span).astype(np.float32)


def fit_scaling(rows: NDArray[Any]) -> Scaling:
    """Return the scaling of the training rows `[count, features]`, all finite in float32."""
    low = rows.min(axis=0).astype(np.float32)
    with np.errstate(over="ignore"):  # a span beyond float32 is refused where the rows are checked
        return Scaling(low, rows.max(axis=0).astype(np.float32) - low)
