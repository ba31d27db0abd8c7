"""Fetching one file: a bounded first contact, gone on with where it was cut, checked, and whole or absent."""

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from aae_jax.errors import InputError
from aae_jax.files import Claim

__all__ = ["DownloadError", "NoAnswerError", "Remote", "download", "file_sha256", "offline", "probe"]

PROBE_SECONDS = 10.0
STALL_SECONDS = 30.0
CHUNK = 1 << 14

Progress = Callable[[str, int, int], None]
"""`(file name, bytes so far, bytes in all)`, called as a download grows."""


class DownloadError(InputError):
    """Say that a file could not be fetched, and why."""


class NoAnswerError(DownloadError):
    """Say that there was no first answer, or a refusal: the file cannot be had here."""


class Remote(NamedTuple):
    """A file to fetch: its address, its size in bytes, the SHA-256 of its bytes as they travel."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.rsplit("/", 1)[-1].split("?")[0]


def offline() -> bool:
    """Return whether `$AAE_OFFLINE` forbids the network."""
    return os.environ.get("AAE_OFFLINE", "") not in ("", "0")


def download(
    remote: Remote,
    folder: Path,
    *,
    progress: Progress,
    probe_seconds: float = PROBE_SECONDS,
    stall_seconds: float = STALL_SECONDS,
) -> Path:
    """Fetch `remote` into `folder` and return the path; a file that is there with the right checksum is kept.

    What was fetched before a cut stays as `<name>.partial` and is gone on with. The first answer, name
    resolution and connection included, may take `probe_seconds`; after it, no pause may be longer than
    `stall_seconds`.

    Raises:
        NoAnswerError: There is no answer within the probe, or a refusal.
        DownloadError: Too little came, or content of another checksum.
        InputError: The folder cannot be written.
    """
    target = folder / remote.name
    if target.is_file() and file_sha256(target) == remote.sha256:
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        claim = Claim(folder, f".{remote.name}.lock", wait=STALL_SECONDS)  # another process may be fetching it
        try:
            if not (target.is_file() and file_sha256(target) == remote.sha256):
                _fetch_whole(remote, target, progress, probe_seconds, stall_seconds)
        finally:
            claim.release()
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror or error}); give another folder.") from error
    return target


def probe(remote: Remote, *, seconds: float = PROBE_SECONDS) -> None:
    """Ask for a file's first answer, and leave it at that.

    Raises:
        NoAnswerError: There is none within `seconds`, or a refusal.
    """
    _first_answer(remote, 0, seconds, seconds).close()


def _fetch_whole(
    remote: Remote, target: Path, progress: Progress, probe_seconds: float, stall_seconds: float
) -> None:
    partial = target.with_name(f"{target.name}.partial")
    with partial.open("ab") as file:
        try:
            _fetch(remote, file, progress, probe_seconds, stall_seconds)
        finally:
            if file.tell() == 0:
                partial.unlink()
    found = file_sha256(partial)
    if found != remote.sha256:
        partial.unlink()
        raise DownloadError(
            f"What {remote.url} sent has SHA-256 {found}, not {remote.sha256}; try again, or fetch it by hand."
        )
    os.replace(partial, target)


def _fetch(remote: Remote, file: Any, progress: Progress, probe_seconds: float, stall_seconds: float) -> None:
    """Append to `file` what is missing of `remote`."""
    import requests

    done = file.tell()
    if done > remote.size:
        file.truncate(done := 0)
    if done == remote.size:
        return
    try:
        response = _first_answer(remote, done, probe_seconds, stall_seconds)
        with response:
            if done and response.status_code != requests.codes.partial_content:
                file.truncate(done := 0)  # the server does not go on in the middle
            for chunk in response.iter_content(CHUNK):
                done += len(chunk)
                if done > remote.size:
                    raise DownloadError(f"{remote.url} sends more than {remote.size} bytes; fetch the file by hand.")
                file.write(chunk)
                progress(remote.name, done, remote.size)
    except requests.RequestException as error:
        raise DownloadError(f"{remote.url} broke off at {done} of {remote.size} bytes ({_short(error)}).") from error
    file.flush()
    os.fsync(file.fileno())
    if done < remote.size:
        raise DownloadError(f"{remote.url} broke off at {done} of {remote.size} bytes; try again to go on.")


def _first_answer(remote: Remote, start: int, probe_seconds: float, stall_seconds: float) -> Any:
    """Return the response with its headers read, or raise after `probe_seconds`.

    In a thread, because neither a name's resolution nor a server that sends a header byte a minute can be
    bounded otherwise. One that is too late is left behind: it holds a socket until its own timeout.
    """
    import requests

    answer: dict[str, Any] = {}

    def ask() -> None:
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        try:
            answer["response"] = requests.get(
                remote.url, headers=headers, stream=True, timeout=(probe_seconds, stall_seconds)
            )
        except Exception as error:  # handed over to the thread that waits
            answer["error"] = error

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(probe_seconds)
    if thread.is_alive():
        raise NoAnswerError(f"{remote.url} gave no answer within {probe_seconds:g} s.")
    if "error" in answer:
        raise NoAnswerError(f"{remote.url} cannot be reached ({_short(answer['error'])}).") from answer["error"]
    response = answer["response"]
    if response.status_code not in (requests.codes.ok, requests.codes.partial_content):
        response.close()
        raise NoAnswerError(f"{remote.url} answered {response.status_code} {response.reason}.")
    return response


def _short(error: BaseException) -> str:
    """Return the kind of a network error: its text repeats addresses over several lines."""
    text = str(error)
    for known in ("Connection refused", "Name or service not known", "Temporary failure in name resolution"):
        if known in text:
            return known.lower()
    return type(error).__name__


def file_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
