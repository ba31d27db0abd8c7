"""Compiled programs on disk, so that a second start of the same run need not compile."""

import hashlib
import platform
from pathlib import Path

import jax

from aae_jax.data import default_cache_dir

__all__ = ["keep_compiled_programs"]

MOST_BYTES = 2**30


def keep_compiled_programs() -> None:
    """Let JAX keep its compiled programs below our cache folder, up to a gigabyte; the oldest give way.

    A folder that the user has chosen (`JAX_COMPILATION_CACHE_DIR`) stays; where none can be made, nothing is kept.
    """
    chosen: str | None = getattr(jax.config, "jax_compilation_cache_dir", None)
    if chosen is not None:
        return
    folder = default_cache_dir() / "compiled" / _machine()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    for name, value in {
        "jax_compilation_cache_dir": str(folder),
        "jax_compilation_cache_max_size": MOST_BYTES,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call, unused-ignore]


def _machine() -> str:
    """Return a name for this kind of processor: a home folder may be shared by machines of several."""
    described = platform.machine() + platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        described += "".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))
    return hashlib.sha256(described.encode()).hexdigest()[:12]
