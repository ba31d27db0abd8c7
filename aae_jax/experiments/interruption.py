"""Ctrl-C, SIGTERM and SIGHUP as a request: finish the epoch, save, name the command that resumes."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from aae_jax.experiments.streams import complain

__all__ = ["Interruption"]

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Context in which the first of `SIGNALS` only sets `signum`; a second one acts as usual.

    Outside the main thread, where Python installs no handlers (a web server's worker, say), signals act as usual. A
    SIGHUP that the parent ignores (`nohup`) stays ignored.
    """

    def __init__(self) -> None:
        """Start with nothing requested."""
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
        """Put the earlier handlers back."""
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            # None: installed by code outside Python, which cannot be put back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _request(self, signum: int, frame: FrameType | None) -> None:
        del frame
        self.signum = signum
        self._restore()
        complain("\nstopping after this epoch to save; once more stops at once")
