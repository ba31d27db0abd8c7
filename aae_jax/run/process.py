"""Process state of a run: garbage collection during the start, signals that request a stop."""

import contextlib
import gc
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

from aae_jax.streams import complain

__all__ = ["Interruption", "quick_start", "start_is_over"]

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_starting = False


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """Disable garbage collection in the block, or until `start_is_over`; the previous state is restored afterwards.

    Imports and tracing allocate millions of small objects, nearly all of which stay alive: scanning them repeatedly
    takes a tenth of the time from the command to the first update.
    """
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
    """Re-enable the garbage collector if `quick_start` disabled it; existing objects are no longer scanned."""
    global _starting
    if _starting:
        _starting = False
        gc.freeze()
        gc.enable()


class Interruption:
    """Context manager in which the first of `SIGNALS` only sets `signum`; a second one acts as usual.

    Outside the main thread, where Python installs no handlers (such as in a worker of a web server), signals act as
    usual. A SIGHUP that the parent ignores (`nohup`) stays ignored.
    """

    def __init__(self, part: str = "this epoch") -> None:
        """Start with nothing requested; training stops after `part`, in the words of the message."""
        self.part = part
        self.signum: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        """Install the handlers."""
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in SIGNALS:
            if number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) == signal.SIG_IGN:
                continue
            self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the previous handlers."""
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            # None: installed by code outside Python, which cannot be restored
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _request(self, signum: int, frame: FrameType | None) -> None:
        del frame
        self.signum = signum
        self._restore()
        complain(f"\nstopping after {self.part} to save; a second signal stops at once")
