"""Where data are searched for, and who is told of it."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from aae_jax.data.cache import default_cache_dir

__all__ = ["Places", "Quiet", "Reporter", "places", "writable_data_dir"]


class Reporter:
    """Messages of data loading; by default, notices go to standard error."""

    def notice(self, message: str) -> None:
        """Report an important message."""
        print(message, file=sys.stderr, flush=True)

    def progress(self, name: str, done: int, total: int) -> None:
        """Report that `done` of `total` bytes of a download have arrived."""

    def working(self, message: str) -> None:
        """Report the start of a step that may take some time."""


class Quiet(Reporter):
    """Reporter without output."""

    def notice(self, message: str) -> None:
        """Print nothing."""


class Places(NamedTuple):
    """Folders that are searched for data.

    Attributes:
        data_dir: Data folder of the user, or None.
        cache_dir: Folder of the cache, which may not exist yet.
        given: Whether the data folder was passed explicitly, not by `$AAE_DATA_DIR`.
    """

    data_dir: Path | None
    cache_dir: Path
    given: bool


def places(data_dir: str | os.PathLike[str] | None = None, cache_dir: str | os.PathLike[str] | None = None) -> Places:
    """Return the folders given by the arguments, or else by the environment."""
    chosen = data_dir or os.environ.get("AAE_DATA_DIR") or None
    return Places(
        None if chosen is None else Path(os.path.expanduser(chosen)),
        default_cache_dir() if cache_dir is None else Path(cache_dir),
        data_dir is not None,
    )


def writable_data_dir(where: Places) -> Path | None:
    """Return the data folder if files can be written to it."""
    return where.data_dir if where.data_dir is not None and os.access(where.data_dir, os.W_OK) else None
