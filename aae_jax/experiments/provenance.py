"""Which code is running: asked when a run begins, because the checkout may move on while it trains."""

import subprocess
from pathlib import Path

__all__ = ["source_commit"]


def source_commit() -> str | None:
    """Return the commit of the checkout that this package runs from, `-dirty` when changed; None outside one."""
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*") or None
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
