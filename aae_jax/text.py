"""Sanitised text from files and users, safe to print, to draw and to include in messages; short `repr`s."""

import dataclasses
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = [
    "MAX_MESSAGE",
    "brief_config",
    "brief_fields",
    "count_numbers",
    "described",
    "duration",
    "printable",
    "quoted",
    "shortened",
]

MAX_MESSAGE = 1500
"""Maximum number of characters in an error message; longer ones are shortened in the middle."""
MAX_QUOTED, MAX_ITEMS = 120, 6
MAX_FIELD = 200
"""Maximum number of characters of one field's value in a `repr`."""
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


def brief_fields(value: Any, names: Iterable[str] | None = None) -> str:
    """Return a `repr` of a named tuple or dataclass of arrays with dtypes and shapes instead of values."""
    if names is None:
        names = value._fields if hasattr(value, "_fields") else (f.name for f in dataclasses.fields(value))
    listed = ", ".join(f"{name}={described(getattr(value, name))}" for name in names)
    return f"{type(value).__name__}({listed})"


def described(value: Any) -> str:
    """Return the text of a value for `brief_fields`: an array's dtype and shape, a tree's size, or a short `repr`."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _describe_array(value)
    if isinstance(value, Mapping):
        listed = ", ".join(f"{key!r}: {_describe_item(item)}" for key, item in value.items())
        return shortened("{" + listed + "}", MAX_FIELD)
    if callable(value) and hasattr(value, "__qualname__"):
        return f"<{value.__qualname__.rsplit('.', 1)[-1]}>"
    if isinstance(value, tuple) and not _is_plain(value):
        return _describe_item(value)
    return shortened(printable(repr(value)), MAX_FIELD)


def _describe_item(value: Any) -> str:
    if isinstance(value, (Mapping, tuple, list)) and not _is_plain(value):
        return f"{count_numbers(value):,} numbers"
    return described(value)


def _is_plain(value: Any) -> bool:
    """Return whether a container holds only strings, numbers, booleans and None."""
    items = value.values() if isinstance(value, Mapping) else value
    return all(isinstance(item, (str, int, float, bool, type(None))) for item in items)


def _describe_array(array: Any) -> str:
    if array.shape == ():
        try:
            return repr(array.item())
        except Exception:  # traced, or a random key
            return str(array.dtype)
    return f"{array.dtype}[{','.join(map(str, array.shape))}]"


def count_numbers(tree: Any) -> int:
    """Return the total size of the arrays in nested mappings, tuples and lists."""
    return sum(int(array.size) for array in _arrays_in(tree))


def _arrays_in(tree: Any) -> Iterator[Any]:
    if hasattr(tree, "shape") and hasattr(tree, "size"):
        yield tree
    elif isinstance(tree, Mapping):
        for item in tree.values():
            yield from _arrays_in(item)
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            yield from _arrays_in(item)


def brief_config(config: Any) -> str:
    """Return the call that constructs a configuration, with only the fields that differ from their defaults."""
    listed = []
    for item in dataclasses.fields(config):
        value, default = getattr(config, item.name), item.default
        if item.default_factory is not dataclasses.MISSING:
            default = item.default_factory()
        if default is dataclasses.MISSING or value != default:
            nested = dataclasses.is_dataclass(value) and not isinstance(value, type)
            listed.append(f"{item.name}={brief_config(value) if nested else repr(value)}")
    return f"{type(config).__qualname__}({', '.join(listed)})"


def duration(seconds: float) -> str:
    """Format a number of seconds, 75 as `1:15`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
