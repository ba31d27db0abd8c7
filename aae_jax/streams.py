"""Standard streams of a command: results complete or reported as failed, whatever the streams are connected to."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator

from aae_jax.errors import StorageError
from aae_jax.text import printable

__all__ = ["complain", "mute_output", "note", "say", "standard_streams", "write_result"]


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Prepare the standard streams for a command.

    A descriptor that the parent closed is opened on the null device, so that no file of a run gets its number and
    with it the messages of libraries; characters that a stream cannot encode are written as escapes.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")
    yield


def say(*lines: str) -> None:
    """Print lines of a result, with control characters escaped, line feeds within a line among them.

    Raises:
        StorageError: Standard output is closed, or does not take all of them.
        BrokenPipeError: Nobody reads on.
    """
    stream = sys.stdout
    text = "".join(f"{printable(line)}\n" for line in lines)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    _write(text, text.encode(encoding, "backslashreplace"))


def write_result(text: str) -> None:
    """Write a result such as a CSV table to standard output, in UTF-8 like a file of it.

    Raises:
        StorageError: Standard output is closed, or does not take all of it.
        BrokenPipeError: Nobody reads on.
    """
    _write(text, text.encode("utf-8", "backslashreplace"))


def _write(text: str, content: bytes) -> None:
    stream = sys.stdout
    if stream is None or stream.closed:
        raise StorageError("Standard output is closed, so the result cannot be printed")
    buffer = getattr(stream, "buffer", None)
    try:
        if buffer is None:  # a notebook's, a test's
            stream.write(text)
        else:
            stream.flush()
            left = memoryview(content)
            while left:  # an unbuffered stream may take a part only
                left = left[buffer.write(left) or 0 :]
        stream.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        mute_output()
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(f"Standard output did not accept the whole result ({reason})") from error


def note(text: str) -> None:
    """Print a line that a command can do without, e.g. where it has written a file."""
    with contextlib.suppress(OSError, ValueError, StorageError):
        say(text)


def complain(text: str) -> None:
    """Print a line to standard error, if there is one; never raise."""
    with contextlib.suppress(Exception):
        print(printable(text, keep="\n"), file=sys.stderr, flush=True)


def mute_output() -> None:
    """Send what is still printed to the null device: standard output has failed, and would fail again at exit."""
    stream = sys.stdout
    with contextlib.suppress(OSError, ValueError):
        if isinstance(stream, io.TextIOWrapper) and stream is sys.__stdout__:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
