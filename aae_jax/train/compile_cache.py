"""On-disk cache of compiled programs, so that a second start of the same run need not compile."""

import contextlib
import hashlib
import importlib
import json
import os
import platform
import stat
import warnings
import zlib
from pathlib import Path
from typing import Any

import jax

from aae_jax.data.cache import default_cache_dir, user_folder
from aae_jax.files import private_folder, read_bytes, write_whole
from aae_jax.streams import complain

__all__ = ["keep_compiled_programs", "sweep_programs"]

MAX_BYTES = 2**30
INDEX = "verified.json"
SUFFIX = "-cache"
"""Suffix of the files in which JAX stores programs."""
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def keep_compiled_programs() -> None:
    """Enable JAX's compilation cache in our cache folder, up to a gigabyte; the oldest programs are evicted.

    A folder chosen by the user (`JAX_COMPILATION_CACHE_DIR`) is respected; if no folder can be created, nothing is
    cached. Programs are native code: a folder that others can write to is not used, and a notice is printed.
    """
    chosen: str | None = getattr(jax.config, "jax_compilation_cache_dir", None)
    if chosen is not None:
        return
    root = default_cache_dir()
    folder = user_folder(root, "compiled", _machine())
    if folder is None:
        if root.is_dir() and not _is_private(root):
            complain(
                f"! Compiled programs are not cached: {root} or a folder in it belongs to another user, or others "
                f"can write to it; set AAE_CACHE_DIR to a folder of your own, or run chmod -R go-w {root}."
            )
        return
    sweep_programs(folder)
    # An entry that another process is still writing, or that has been damaged since, is silently recompiled.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")
    for name, value in {
        "jax_compilation_cache_dir": str(folder),
        # JAX's size limit takes a lock at every access, which a stopped process would hold forever.
        "jax_compilation_cache_max_size": -1,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call, unused-ignore]


def _is_private(root: Path) -> bool:
    below = root / "compiled"
    folders = [root, *([below, *below.iterdir()] if below.is_dir() else [])]
    return all(private_folder(folder) for folder in folders)


def sweep_programs(folder: Path) -> None:
    """Remove damaged programs from JAX's cache, and the oldest beyond `MAX_BYTES`.

    JAX never replaces an entry that it cannot read: one truncated by a kill or a full disk would cost a warning and a
    compilation at every start. Entries are decompressed once, which verifies their checksum, and from then on
    identified by size and modification time.
    """
    with contextlib.suppress(OSError):
        known = _read_index(folder)
        kept: dict[str, list[int]] = {}
        sizes: list[tuple[float, int, Path]] = []
        for path in folder.glob(f"*{SUFFIX}"):
            status = os.lstat(path)
            mark = [status.st_size, status.st_mtime_ns]
            if not _is_owned_file(status) or (known.get(path.name) != mark and not _is_whole(path)):
                _forget(path)
                continue
            kept[path.name] = mark
            sizes.append((max(status.st_atime, status.st_mtime), status.st_size, path))
        total = sum(size for _, size, _ in sizes)
        for _, size, path in sorted(sizes):
            if total <= MAX_BYTES:
                break
            _forget(path)
            kept.pop(path.name)
            total -= size
        if kept != known:
            write_whole(folder / INDEX, json.dumps(kept).encode())


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads(read_bytes(folder / INDEX))
    except (OSError, ValueError, RecursionError):
        return {}
    return index if isinstance(index, dict) else {}


def _is_owned_file(status: os.stat_result) -> bool:
    """Return whether an entry is a regular file that only this user (or root) can have written."""
    if not stat.S_ISREG(status.st_mode):
        return False
    return not hasattr(os, "geteuid") or (
        status.st_uid in (os.geteuid(), 0) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _is_whole(path: Path) -> bool:
    """Return whether an entry decompresses fully; one in zstd, if this Python lacks it, is checked by magic only."""
    try:
        content = read_bytes(path, MAX_BYTES)
        if content.startswith(ZSTD_MAGIC):
            return _is_whole_zstd(content)
        zlib.decompress(content)
    except (OSError, zlib.error):
        return False
    return True


def _is_whole_zstd(content: bytes) -> bool:
    try:
        zstd = importlib.import_module("compression.zstd")  # from Python 3.14
    except ImportError:
        return True
    try:
        zstd.decompress(content)
    except zstd.ZstdError:
        return False
    return True


def _forget(path: Path) -> None:
    for one in (path, path.with_name(path.name.removesuffix(SUFFIX) + "-atime")):
        with contextlib.suppress(OSError):
            one.unlink()


def _machine() -> str:
    """Return an identifier of this type of processor: different machines may share a home folder."""
    described = platform.machine() + platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        described += "".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))
    return hashlib.sha256(described.encode()).hexdigest()[:12]
