"""The one exception that means "what you gave cannot be used", and how near misses are named."""

import difflib
from collections.abc import Iterable

from aae_jax.text import MAX_MESSAGE, printable, shortened

__all__ = ["InputError", "StorageError", "did_you_mean", "known_name"]


class InputError(ValueError):
    """Say in one sentence what was wrong, with which value, and what to do about it.

    Raised at the edges (data, configuration, folders) only. The commands print its message and end with
    exit status 2. Control characters in the message are escaped, and the middle of a very long one is left out:
    it may quote what a file holds.
    """

    def __init__(self, message: str = "") -> None:
        """Keep the message, printable and of bounded length."""
        super().__init__(shortened(printable(shortened(message, 2 * MAX_MESSAGE)), MAX_MESSAGE))


class StorageError(Exception):
    """Say that something could not be written; what was there before is whole, and nothing of it looks finished."""

    def __init__(self, message: str = "") -> None:
        """Keep the message, printable and of bounded length."""
        super().__init__(shortened(printable(shortened(message, 2 * MAX_MESSAGE)), MAX_MESSAGE))


def known_name(word: str, known: Iterable[str]) -> str:
    """Return the one of the `known` names that `word` is but for hyphens and underscores, else `word` itself."""
    names = list(known)
    alike = {name.replace("-", "_"): name for name in names}
    return word if word in names else alike.get(word.replace("-", "_"), word)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a clause that offers the names nearest to `word`, or all `known` names when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word[:200], names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(repr(name) for name in near) + "?"
    return "choose one of " + ", ".join(names) + "."
