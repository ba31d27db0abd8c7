"""Ctrl-C and SIGTERM as a request: finish the epoch, save, say how to go on."""

import signal
import sys
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Interruption"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Context in which the first SIGINT or SIGTERM only sets `signum`; a second one acts as usual."""

    def __init__(self) -> None:
        """Start with nothing requested."""
        self.signum: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        """Install the handlers."""
        for number in SIGNALS:
            self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the earlier handlers back."""
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _request(self, signum: int, frame: FrameType | None) -> None:
        del frame
        self.signum = signum
        self._restore()
        print("\nstopping after this epoch to save; once more stops at once", file=sys.stderr, flush=True)
