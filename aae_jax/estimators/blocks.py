"""Evaluation in blocks of one length: a row's result does not depend on the rows beside it, to the last bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "in_blocks"]

BLOCK = 256


def in_blocks(function: Callable[[NDArray[Any]], Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Return a function of rows `[count, …]` that treats each alone, called with 256 at a time; zeros fill the last.

    Matrix products round differently for other numbers of rows.
    """
    missing = -len(rows) % BLOCK
    filled = np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)]) if missing else rows
    parts = [np.asarray(function(filled[first : first + BLOCK])) for first in range(0, len(filled), BLOCK)]
    return np.concatenate(parts)[: len(rows)]
