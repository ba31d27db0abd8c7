"""Which code is running: asked when a run begins, because the checkout may move on while it trains."""

import subprocess
from pathlib import Path

__all__ = ["source_commit"]

CODE = (":/aae_jax", ":/experiments", ":/reproduce", ":/pyproject.toml")
"""What decides what a run does, as Git names it from the top."""


def source_commit() -> str | None:
    """Return the commit of the checkout that this package runs from, `-dirty` when its code is changed.

    Pages and results do not count: a table's row writes them before the next begins. None outside a checkout.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        commit = _git("describe", "--always", "--abbrev=12", "--exclude=*")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *CODE)
        return f"{commit}-dirty" if changed else commit or None
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
