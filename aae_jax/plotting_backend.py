"""Import of matplotlib in environments whose MPLBACKEND names a backend that is not installed."""

import contextlib
import os
import sys
from collections.abc import Iterator

__all__ = ["neutral_backend"]

VARIABLE = "MPLBACKEND"


@contextlib.contextmanager
def neutral_backend() -> Iterator[None]:
    """Let matplotlib be imported in the block whatever MPLBACKEND names.

    A process started from a notebook inherits the notebook's backend, and matplotlib refuses to be imported where it
    does not know the name. Figures here are only written to files, which needs no backend. Afterwards the variable is
    as it was, for child processes; a backend that is known here is then selected, as matplotlib would have done.
    """
    wanted = os.environ.get(VARIABLE)
    if not wanted or "matplotlib" in sys.modules:
        yield
        return
    os.environ[VARIABLE] = "agg"
    try:
        yield
    finally:
        os.environ[VARIABLE] = wanted
        _select(wanted)


def _select(backend: str) -> None:
    """Select a backend for pyplot, if matplotlib was imported and knows it."""
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is not None and "matplotlib.pyplot" not in sys.modules:
        with contextlib.suppress(Exception):
            matplotlib.rcParams["backend"] = backend
