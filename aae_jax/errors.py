"""Exceptions for invalid input and failed writes, and suggestions for misspelt names."""

import difflib
from collections.abc import Iterable

from aae_jax.text import MAX_MESSAGE, printable, shortened

__all__ = ["InputError", "StorageError", "did_you_mean", "known_name", "missing_extra"]


class InputError(ValueError):
    """Invalid input. The message states in one sentence what was wrong, which value, and what to do about it.

    Raised only at the edges (data, configuration, folders). Commands print its message and exit with status 2.
    Control characters in the message are escaped and a very long one is shortened in the middle, as it may quote a
    file's content.
    """

    def __init__(self, message: str = "") -> None:
        """Store the message, sanitised and shortened."""
        super().__init__(shortened(printable(shortened(message, 2 * MAX_MESSAGE)), MAX_MESSAGE))


class StorageError(Exception):
    """Failed write. Existing files are intact, and nothing partly written looks complete."""

    def __init__(self, message: str = "") -> None:
        """Store the message, sanitised and shortened."""
        super().__init__(shortened(printable(shortened(message, 2 * MAX_MESSAGE)), MAX_MESSAGE))


def missing_extra(package: str, extra: str) -> InputError:
    """Return the error for a call that needs a package of an extra which is not installed."""
    return InputError(
        f"{package} is not installed; install the extra {extra} (`pip install 'aae-jax[{extra}]'`, or "
        f"`uv run --extra {extra}`)."
    )


def known_name(word: str, known: Iterable[str]) -> str:
    """Return the `known` name equal to `word` up to hyphens and underscores, else `word` itself."""
    names = list(known)
    alike = {name.replace("-", "_"): name for name in names}
    return word if word in names else alike.get(word.replace("-", "_"), word)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a clause that suggests names similar to `word`, or all `known` names if none is similar."""
    names = sorted(known)
    near = difflib.get_close_matches(word[:200], names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(repr(name) for name in near) + "?"
    return "choose one of " + ", ".join(names) + "."
