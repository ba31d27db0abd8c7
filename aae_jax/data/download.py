"""Download of one file: bounded wait for the first answer, resumption, checksum, atomic result."""

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from aae_jax.data.transfer import CutError, DownloadError, NoAnswerError, Remote, first_answer, open_stream
from aae_jax.errors import InputError
from aae_jax.files import NO_FOLLOW, SAFE_OPEN, FolderLock, open_regular, temporary_name

__all__ = ["DownloadError", "NoAnswerError", "Remote", "download", "file_sha256", "offline", "probe"]

PROBE_SECONDS = 10.0
STALL_SECONDS = 30.0

Progress = Callable[[str, int, int], None]
"""`(file name, bytes so far, total bytes)`, called during a download."""


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
    """Download `remote` into `folder` and return the path; an existing file with the right checksum is kept.

    An interrupted download is kept as `<name>.partial` and resumed. The first answer, including name resolution and
    connection, may take `probe_seconds`; after it, no pause may exceed `stall_seconds`, and the average rate over
    such a window must reach 1,000 bytes per second. A download by another process is awaited as long as its partial
    file grows.

    Raises:
        NoAnswerError: There is no answer within `probe_seconds`, or a refusal.
        DownloadError: The download is incomplete, too slow, or has another checksum.
        InputError: The folder cannot be written.
    """
    if remote.name in ("", ".", ".."):
        raise DownloadError(f"{remote.url} does not end in a file name; fetch the file by hand.")
    target = folder / remote.name
    if _is_whole(target, remote):
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        claim = _lock(target, stall_seconds)
        try:
            if not _is_whole(target, remote):
                _fetch_whole(remote, target, progress, probe_seconds, stall_seconds, alone=claim is not None)
        finally:
            if claim is not None:
                claim.release()
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror or error}); give another folder.") from error
    return target


def probe(remote: Remote, *, seconds: float = PROBE_SECONDS) -> None:
    """Request a file and wait for the first answer only.

    Raises:
        NoAnswerError: There is none within `seconds`, or a refusal.
    """
    first_answer(remote, 0, seconds, seconds).close()


def _is_whole(target: Path, remote: Remote) -> bool:
    try:
        return file_sha256(target) == remote.sha256
    except OSError:
        return False


def _partial_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.partial")


def _lock(target: Path, stall_seconds: float) -> FolderLock | None:
    """Return the lock of a download, or None if its holder is stalled: its partial file does not grow."""
    partial, seen, since = _partial_of(target), -1, time.monotonic()
    while True:
        try:
            return FolderLock(target.parent, f".{target.name}.lock", wait=min(0.2, stall_seconds))
        except InputError:
            try:
                size = os.lstat(partial).st_size
            except OSError:
                size = -1
            if size != seen:
                seen, since = size, time.monotonic()
            elif time.monotonic() - since >= stall_seconds:
                return None


def _fetch_whole(
    remote: Remote, target: Path, progress: Progress, probe_seconds: float, stall_seconds: float, *, alone: bool
) -> None:
    """Download into the partial file of earlier calls if that is safe, else into a temporary file."""
    partial = _partial_of(target)
    file = _open_partial(partial) if alone else None
    kept = file is not None
    if file is None:
        partial = temporary_name(target)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_FOLLOW | SAFE_OPEN
        file = os.fdopen(os.open(partial, flags, 0o666), "r+b")
    with file:
        try:
            _fetch(remote, file, progress, probe_seconds, stall_seconds)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if sha256 != remote.sha256:
                kept = False
                raise DownloadError(
                    f"The file from {remote.url} has SHA-256 {sha256}, not {remote.sha256}; "
                    "try again, or fetch it by hand."
                )
            os.replace(partial, target)
        except BaseException:
            if not kept or os.fstat(file.fileno()).st_size == 0:
                with contextlib.suppress(OSError):
                    partial.unlink()
            raise


def _open_partial(path: Path) -> Any:
    """Open a partial file, positioned at its end; None if it is a link or others could change it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | NO_FOLLOW | SAFE_OPEN, 0o666)
    except OSError:  # a link, a folder, a socket, or owned by another user
        return None
    status = os.fstat(descriptor)
    is_owner = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or not is_owner:
        os.close(descriptor)
        return None
    file = os.fdopen(descriptor, "r+b")
    file.seek(0, os.SEEK_END)
    return file


def _fetch(remote: Remote, file: Any, progress: Progress, probe_seconds: float, stall_seconds: float) -> None:
    """Append the missing part of `remote` to `file`."""
    done = file.tell()
    if done > remote.size:
        done = _restart(file)
    if done == remote.size:
        return
    stream = open_stream(remote, done, probe_seconds, stall_seconds)
    if stream.start != done:
        done = _restart(file)  # the server does not support resumption
    try:
        with contextlib.closing(stream.chunks):
            for chunk in stream.chunks:
                done += len(chunk)
                if done > remote.size:
                    raise DownloadError(f"{remote.url} sends more than {remote.size} bytes; fetch the file by hand.")
                file.write(chunk)
                progress(remote.name, done, remote.size)
    except CutError as error:
        raise DownloadError(
            f"{remote.url} broke off at {done} of {remote.size} bytes ({error}); try again to continue."
        ) from error
    finally:
        file.flush()
    os.fsync(file.fileno())
    if done < remote.size:
        raise DownloadError(f"{remote.url} broke off at {done} of {remote.size} bytes; try again to continue.")


def _restart(file: Any) -> int:
    """Truncate a file and return the position in it, 0."""
    file.seek(0)
    file.truncate()
    return 0


def file_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a regular file."""
    with open_regular(path) as stream:
        return hashlib.file_digest(cast(Any, stream), "sha256").hexdigest()
