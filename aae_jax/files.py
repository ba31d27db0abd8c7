"""Writing files so that a reader meets the old one or the new one, and one run at a time writes a folder."""

import contextlib
import os
from pathlib import Path
from typing import Any

from aae_jax.errors import InputError

__all__ = ["LOCK_FILE", "Claim", "write_whole"]

UNFINISHED = ".unfinished"
LOCK_FILE = ".lock"


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to a file beside `path`, bring it to the disk, and rename it to `path`.

    Raises:
        OSError: It cannot be written; nothing of it is left.
    """
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


class Claim:
    """Keeps other processes from claiming a folder, until `release` or the end of the process."""

    def __init__(self, folder: Path, name: str = LOCK_FILE, *, wait: bool = False) -> None:
        """Claim `folder`, or what `name` stands for in it; where `wait`, once it is free.

        Raises:
            InputError: Another process has claimed it.
            OSError: The folder cannot be written.
        """
        self._path = folder / name
        while True:
            self._handle = self._path.open("ab")
            try:
                _lock(self._handle, wait=wait)
            except BlockingIOError as error:
                self._handle.close()
                raise InputError(
                    f"Another run is writing in {folder}; wait for it, or give another folder."
                ) from error
            except OSError:  # a file system without locks
                self._handle.close()
                raise
            if self._is_ours():
                return
            self._handle.close()  # its owner removed it while this one waited: take the new one

    def _is_ours(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._handle.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let others in, and leave nothing behind."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._handle.close()


def _lock(handle: Any, *, wait: bool) -> None:
    try:
        import fcntl
    except ImportError:  # Windows, which is not among the systems tried
        return
    fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
