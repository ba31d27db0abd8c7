"""The one exception that means "what you gave cannot be used", and how near misses are named."""

import difflib
from collections.abc import Iterable

__all__ = ["InputError", "StorageError", "did_you_mean"]


class InputError(ValueError):
    """Say in one sentence what was wrong, with which value, and what to do about it.

    Raised at the edges (data, configuration, folders) only. The commands print its message and end with
    exit status 2.
    """


class StorageError(Exception):
    """Say that something could not be written; what was there before is whole, and nothing of it looks finished."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a clause that offers the names nearest to `word`, or all `known` names when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(repr(name) for name in near) + "?"
    return "choose one of " + ", ".join(names) + "."
