"""Sanitised text from files and users, safe to print, to draw and to include in messages."""

import unicodedata

__all__ = ["MAX_MESSAGE", "printable", "quoted", "shortened"]

MAX_MESSAGE = 1500
"""Maximum number of characters in an error message; longer ones are shortened in the middle."""
MAX_QUOTED, MAX_ITEMS = 120, 6
UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of characters that can move the cursor, reorder text, break a line, or cannot be encoded."""
JOINERS = frozenset("\u200c\u200d")
"""Format characters required by several scripts."""


def printable(text: str, *, keep: str = "") -> str:
    r"""Return `text` with control, format and surrogate characters escaped, e.g. as `\x1b` or `\u202e`.

    Args:
        text: Any text, such as a class name or a file name with undecodable bytes.
        keep: Characters to leave unchanged, e.g. line feeds.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep or c in JOINERS or not _is_unsafe(c) else _escape(c) for c in text
    )


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in UNSAFE


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def shortened(text: str, most: int) -> str:
    """Return `text` with its middle replaced by an ellipsis if it has more than `most` characters."""
    if len(text) <= most:
        return text
    head = (most - 3) * 2 // 3
    return f"{text[:head]} … {text[len(text) - (most - 3 - head) :]}"


def quoted(value: object, most: int = MAX_QUOTED) -> str:
    """Return the representation of a value for a message: printable and at most `most` characters long.

    Values nested through YAML aliases are not expanded: containers show only their first items, to a depth of two.
    """
    return shortened(printable(_represent(value, levels=2)), most)


def _represent(value: object, levels: int) -> str:
    if isinstance(value, (dict, list, tuple, set, frozenset)) and levels <= 0 and value:
        return "{…}" if isinstance(value, dict) else "[…]"
    if isinstance(value, dict):
        pairs = [f"{_represent(k, 0)}: {_represent(v, levels - 1)}" for k, v in list(value.items())[:MAX_ITEMS]]
        return "{" + ", ".join(pairs + ["…"] * (len(value) > MAX_ITEMS)) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [_represent(item, levels - 1) for item in list(value)[:MAX_ITEMS]]
        return "[" + ", ".join(items + ["…"] * (len(value) > MAX_ITEMS)) + "]"
    if isinstance(value, (str, bytes)):
        return repr(value[:1000])
    try:
        return repr(value)
    except ValueError:  # Python does not format integers of thousands of digits
        return f"a {type(value).__name__} too long to print"
