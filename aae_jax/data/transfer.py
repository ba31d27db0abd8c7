"""HTTP transfer of one file, robust against silent, slow, and misbehaving servers."""

import contextlib
import queue
import re
import threading
import time
import zlib
from collections.abc import Generator
from typing import Any, NamedTuple

from aae_jax.errors import InputError

__all__ = [
    "MIN_RATE",
    "CutError",
    "DownloadError",
    "NoAnswerError",
    "Remote",
    "Stream",
    "first_answer",
    "open_stream",
]

CHUNK = 1 << 14
MIN_RATE = 1000
"""Minimum average rate over a stall window, in bytes per second; a slower transfer is aborted."""
MAX_WAITING = 64
"""Number of chunks that are read ahead."""
OK, PARTIAL, NOT_SATISFIABLE = 200, 206, 416


class DownloadError(InputError):
    """A download failed; the message gives the reason."""


class NoAnswerError(DownloadError):
    """There was no first answer, or a refusal: the file is unavailable here."""


class CutError(Exception):
    """A transfer ended early; the message gives the reason."""


class Remote(NamedTuple):
    """File to download: its address, its size in bytes, and the SHA-256 of the file as served."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """Last part of the address."""
        return self.url.rsplit("/", 1)[-1].split("?")[0]


class Stream(NamedTuple):
    """Answer of a server: its offset in the file, and its bytes."""

    start: int
    chunks: Generator[bytes, None, None]


def open_stream(remote: Remote, start: int, probe_seconds: float, stall_seconds: float) -> Stream:
    """Request `remote` from byte `start` on, or from 0 on if the server does not support resumption.

    Args:
        remote: File to download.
        start: Number of bytes already downloaded.
        probe_seconds: Time limit of the first answer.
        stall_seconds: Time limit of a pause, and the window of `MIN_RATE`.

    Raises:
        NoAnswerError: There is no answer, or a refusal.
        DownloadError: The answer is another part of the file, or in an unknown encoding.
        CutError: While chunks are read: the server pauses, is too slow, or disconnects.
    """
    response = first_answer(remote, start, probe_seconds, stall_seconds)
    if start and not _continues(response, remote, start):
        if response.status_code != OK:
            response.close()
            response = first_answer(remote, 0, probe_seconds, stall_seconds)
        start = 0
    if start == 0 and response.status_code != OK:
        response.close()
        raise DownloadError(f"{remote.url} sent a part of the file that was not requested; fetch it by hand.")
    encoding = _encoding(response, remote.size - start)
    if encoding not in ("", "gzip", "x-gzip", "deflate"):
        response.close()
        raise DownloadError(
            f"{remote.url} sent the file encoded as {encoding!r}, which was not requested; fetch it by hand."
        )
    chunks = _watched(response, stall_seconds)
    return Stream(start, _inflated(chunks) if encoding else chunks)


def _continues(response: Any, remote: Remote, start: int) -> bool:
    """Return whether an answer is the rest of the file, according to its headers."""
    span = re.fullmatch(
        r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", response.headers.get("Content-Range", "").strip()
    )
    return (
        response.status_code == PARTIAL
        and span is not None
        and int(span[1]) == start
        and int(span[1]) <= int(span[2]) < remote.size
        and span[3] in ("*", str(remote.size))
        and not _encoding(response, remote.size - start)
    )


def _encoding(response: Any, size: int) -> str:
    """Return the encoding of the bytes; servers that mislabel .gz files as encoded send the right number of bytes."""
    encoding = str(response.headers.get("Content-Encoding", "")).strip().lower()
    mislabelled = response.headers.get("Content-Length", "") == str(size)
    return "" if encoding == "identity" or mislabelled else encoding


def _inflated(chunks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """Yield decoded bytes in pieces of bounded size, however much a chunk expands."""
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        with contextlib.closing(chunks):
            for chunk in chunks:
                waiting = chunk
                while waiting:
                    yield decoder.decompress(waiting, CHUNK)
                    waiting = decoder.unconsumed_tail
        yield decoder.flush()
    except zlib.error as error:
        raise CutError(f"damaged gzip data, {error}") from error


def _watched(response: Any, stall_seconds: float) -> Generator[bytes, None, None]:
    """Yield the raw bytes of a body.

    They are read in a thread: with a server that sends one byte per second, or an endless chunk header, a read never
    returns. A thread that is too slow is abandoned: it holds a socket until its timeout.
    """
    waiting: queue.Queue[bytes | Exception] = queue.Queue(MAX_WAITING)
    stopped = threading.Event()
    threading.Thread(target=_read_body, args=(response, waiting, stopped), daemon=True).start()
    window, received = time.monotonic(), 0
    try:
        while True:
            left = window + stall_seconds - time.monotonic()
            if left <= 0:
                if received < MIN_RATE * stall_seconds:
                    raise CutError(f"only {received} bytes in {stall_seconds:g} s")
                window, received = time.monotonic(), 0
                continue
            try:
                chunk = waiting.get(timeout=left)
            except queue.Empty:
                continue
            if isinstance(chunk, Exception):
                raise CutError(_short(chunk)) from chunk
            if not chunk:
                return
            received += len(chunk)
            yield chunk
    finally:
        stopped.set()
        response.close()


def _read_body(response: Any, waiting: "queue.Queue[bytes | Exception]", stopped: threading.Event) -> None:
    """Put the chunks of a body, then an empty one or an error, into the queue of the waiting thread."""

    def put(item: bytes | Exception) -> None:
        while not stopped.is_set():
            try:
                return waiting.put(item, timeout=0.2)
            except queue.Full:
                continue

    raw = response.raw
    read = raw.read1 if hasattr(raw, "read1") else raw.read  # urllib3 before 2.2
    try:
        while not stopped.is_set():
            chunk = read(CHUNK, decode_content=False)
            put(chunk or b"")
            if not chunk:
                return
    except Exception as error:  # passed to the waiting thread
        put(error)


def first_answer(remote: Remote, start: int, probe_seconds: float, stall_seconds: float) -> Any:
    """Return the response with its headers read, or raise after `probe_seconds`.

    The request runs in a thread, because neither name resolution nor a server that sends one header byte per minute
    can be bounded otherwise. A thread that is too late is abandoned: it holds a socket until its timeout.

    Raises:
        NoAnswerError: There is none, or a refusal.
    """
    import requests

    answer: dict[str, Any] = {}

    def ask() -> None:
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        try:
            answer["response"] = requests.get(
                remote.url, headers=headers, stream=True, timeout=(probe_seconds, stall_seconds)
            )
        except Exception as error:  # passed to the waiting thread
            answer["error"] = error

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(probe_seconds)
    if thread.is_alive():
        raise NoAnswerError(f"{remote.url} did not answer within {probe_seconds:g} s.")
    if "error" in answer:
        raise NoAnswerError(f"{remote.url} cannot be reached ({_short(answer['error'])}).") from answer["error"]
    response = answer["response"]
    if response.status_code not in (OK, PARTIAL, *((NOT_SATISFIABLE,) if start else ())):
        response.close()
        raise NoAnswerError(f"{remote.url} answered {response.status_code} {response.reason}.")
    return response


def _short(error: BaseException) -> str:
    """Return a short description of a network error, whose text repeats addresses over several lines."""
    text = str(error)
    for known in ("Connection refused", "Name or service not known", "Temporary failure in name resolution"):
        if known in text:
            return known.lower()
    return {"TooManyRedirects": "it redirects endlessly"}.get(type(error).__name__, type(error).__name__)
