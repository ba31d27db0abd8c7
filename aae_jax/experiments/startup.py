"""A quick start: no garbage is collected while modules are imported and programs traced.

Both make millions of small objects of which nearly all stay; looking through them again and again is a tenth
of the time from the command to the first update. Nothing heavy is imported here.
"""

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["quick_start", "start_is_over"]

_starting = False


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """Collect no garbage in the block, or until `start_is_over`; afterwards the collector is as it was."""
    global _starting
    enabled = gc.isenabled()
    gc.disable()
    _starting = enabled
    try:
        yield
    finally:
        _starting = False
        gc.unfreeze()
        if enabled:
            gc.enable()


def start_is_over() -> None:
    """Turn the collector on again, if `quick_start` turned it off; what exists by now is left out of its walks."""
    global _starting
    if _starting:
        _starting = False
        gc.freeze()
        gc.enable()
