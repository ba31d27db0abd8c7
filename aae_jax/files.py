"""Reading regular files within bounds, writing files whole, and locking a folder for one writer."""

import contextlib
import errno
import importlib.util
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from aae_jax.errors import InputError

__all__ = [
    "LOCK_FILE",
    "MAX_RECORD_BYTES",
    "FolderLock",
    "append_line",
    "is_same_file",
    "open_regular",
    "private_folder",
    "read_bytes",
    "read_text",
    "refuse_links",
    "require_regular",
    "sweep_unfinished",
    "temporary_name",
    "write_whole",
]

LOCK_FILE = ".lock"
MAX_RECORD_BYTES = 2**28
"""Size of the largest JSON record or log of a run that is read."""
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
"""Symbolic links are not followed where the system can refuse them (not on Windows)."""
SAFE_OPEN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A named pipe without a writer would block otherwise."""
HAS_FLOCK = importlib.util.find_spec("fcntl") is not None
"""Not on Windows."""
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.unfinished")


def open_regular(path: Path, most: int | None = None) -> BufferedReader:
    """Open a regular file for reading; symbolic links to one are followed.

    Args:
        path: The file.
        most: Size in bytes of the largest file that is opened, or None for any.

    Raises:
        OSError: It cannot be opened, is a device, named pipe, socket or folder, or is too large.
    """
    descriptor = os.open(path, os.O_RDONLY | SAFE_OPEN)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if most is not None and status.st_size > most:
            raise OSError(errno.EFBIG, f"{status.st_size:,} bytes, more than {most:,}", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def require_regular(path: Path) -> None:
    """Refuse what `open_regular` refuses, for libraries that take a path.

    Raises:
        OSError: See `open_regular`.
    """
    open_regular(path).close()


def read_bytes(path: Path, most: int = MAX_RECORD_BYTES) -> bytes:
    """Return the content of a regular file of at most `most` bytes.

    Raises:
        OSError: See `open_regular`; or the file grew beyond `most` while it was read.
    """
    with open_regular(path, most) as file:
        content = file.read(most + 1)
    if len(content) > most:  # /proc and growing files: their size was 0 or smaller
        raise OSError(errno.EFBIG, f"more than {most:,} bytes", str(path))
    return content


def read_text(path: Path, most: int = MAX_RECORD_BYTES) -> str:
    """Return the content of a regular UTF-8 file of at most `most` bytes.

    Raises:
        OSError: See `read_bytes`.
        UnicodeDecodeError: It is not UTF-8.
    """
    return read_bytes(path, most).decode("utf-8")


def temporary_name(path: Path) -> Path:
    """Return an unpredictable name next to `path` for a file that is being written."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.unfinished")


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to a new file next to `path`, flush it to the disk, and rename it to `path`.

    A reader finds the old file or the new one, never a part, and concurrent writers do not mix. An existing file
    keeps its permissions; a symbolic link is replaced, not followed.

    Raises:
        OSError: It cannot be written; nothing of it is left.
    """
    temporary = temporary_name(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | SAFE_OPEN, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode) and hasattr(os, "fchmod"):
                    os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def append_line(path: Path, line: str) -> None:
    """Append a line to a file, which is created where it is missing; a symbolic link is refused.

    Raises:
        OSError: It cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_FOLLOW | SAFE_OPEN
    with os.fdopen(os.open(path, flags, 0o666), "ab") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        file.write(line.encode() + b"\n")


def sweep_unfinished(folder: Path) -> None:
    """Remove the temporary files that a killed `write_whole` left in a folder which the caller has locked."""
    for entry in _scan(folder):
        if TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
            with contextlib.suppress(OSError):
                os.unlink(entry.path)


def refuse_links(folder: Path) -> None:
    """Refuse a folder with anything in it, at any depth, that is neither a regular file nor a folder.

    `folder` itself may be reached through a symbolic link.

    Raises:
        InputError: Names the first symbolic link, device, named pipe or socket.
    """
    for entry in _scan(folder):
        if entry.is_dir(follow_symlinks=False):
            refuse_links(Path(entry.path))
        elif not entry.is_file(follow_symlinks=False):
            kind = "a symbolic link" if entry.is_symlink() else "not a regular file"
            raise InputError(
                f"{entry.path} is {kind}, which a run's folder must not hold; remove it, or copy the file there."
            )


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from entries


def is_same_file(path: Path, other: Path) -> bool:
    """Return whether two paths lead to one existing file, also through links."""
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def private_folder(folder: Path) -> bool:
    """Return whether this user (or root) owns `folder` and nobody else can write to it.

    Where the system has no owners (Windows) every folder is private.
    """
    if not hasattr(os, "geteuid"):
        return True
    try:
        status = folder.stat()
    except OSError:
        return False
    return status.st_uid in (os.geteuid(), 0) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


class FolderLock:
    """An exclusive lock on a folder, or on a name in it, held until `release` or the end of the process.

    A whole folder is locked by its own descriptor as well as by its lock file, so that deleting the file does not
    let a second writer in. `filelock` has no such lock, so it serves only where there is no flock (ADR 0018).
    """

    def __init__(self, folder: Path, name: str = LOCK_FILE, *, wait: float = 0.0) -> None:
        """Lock `folder`, or `name` in it; where another process holds it, try again for `wait` seconds.

        Raises:
            InputError: Another process holds it.
            OSError: The folder cannot be written, or the lock file is not a regular file.
        """
        self._path = folder / name
        self._descriptors: list[int] = []
        self._native: Any = None
        deadline = time.monotonic() + wait
        while not (self._try(folder if name == LOCK_FILE else None) if HAS_FLOCK else self._try_filelock()):
            if time.monotonic() >= deadline:
                raise InputError(f"Another run is writing in {folder}; wait for it, or give another folder.")
            time.sleep(0.05)

    def _try(self, folder: Path | None) -> bool:
        """Take the locks, or none of them."""
        held: list[int] = []
        try:
            if folder is not None:
                held += _lock_folder(folder)
            held.append(os.open(self._path, os.O_RDWR | os.O_CREAT | NO_FOLLOW | SAFE_OPEN, 0o666))
            status = os.fstat(held[-1])
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", str(self._path))
            _lock(held[-1])
            if os.path.samestat(status, os.lstat(self._path)):
                self._descriptors = held
                return True
        except (BlockingIOError, FileNotFoundError) as error:
            if isinstance(error, FileNotFoundError) and not self._path.parent.is_dir():
                self._close(held)
                raise
        except BaseException:
            self._close(held)
            raise
        self._close(held)  # held by another process, or its owner removed the file in between
        return False

    def _try_filelock(self) -> bool:
        """Take the lock of the file alone: where there is no flock, nobody can delete a file that is open."""
        from filelock import FileLock, Timeout

        if not self._path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._path))
        if os.path.lexists(self._path) and not stat.S_ISREG(os.lstat(self._path).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(self._path))
        lock = FileLock(self._path, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            return False
        self._native = lock
        return True

    def release(self) -> None:
        """Unlock, and remove the lock file."""
        if self._native is not None:
            self._native.release()
            with contextlib.suppress(OSError):  # another process has it by now
                self._path.unlink()
            self._native = None
        if self._descriptors:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._close(self._descriptors)
            self._descriptors = []

    @staticmethod
    def _close(descriptors: list[int]) -> None:
        for descriptor in reversed(descriptors):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _lock_folder(folder: Path) -> list[int]:
    """Return the locked descriptor of a folder; nothing on a file system that cannot lock one (NFS, Windows)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | SAFE_OPEN)
    except (PermissionError, IsADirectoryError):
        return []
    try:
        _lock(descriptor)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        os.close(descriptor)
        return []
    return [descriptor]


def _lock(descriptor: int) -> None:
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
