"""Flag parsing with tyro, its error box reduced to one sentence."""

import contextlib
import dataclasses
import inspect
import io
import re
import shutil
import textwrap
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, cast

import tyro

from aae_jax.errors import InputError, known_name

__all__ = ["parse_flags"]

Flags = TypeVar("Flags")

FLAG = re.compile(r"--[A-Za-z][A-Za-z0-9_.-]*")


def _reflowed(text: str) -> str:
    """Wrap the paragraphs of a docstring to the terminal; tyro would join lines that begin with letters."""
    width = shutil.get_terminal_size().columns
    wrapped = (
        textwrap.fill(paragraph, width, initial_indent=" ", subsequent_indent=" ")
        for paragraph in inspect.cleandoc(text).split("\n\n")
    )
    return "\n\n".join(wrapped)


def parse_flags(
    kind: Callable[..., Flags], argv: Sequence[str], *, prog: str, description: str, default: Flags | None
) -> Flags:
    """Parse a command line into a dataclass, with the values of `default` where one is given.

    Raises:
        InputError: A flag is unknown, lacks its value, or has an invalid one.
        SystemExit: With status 0 after `--help`.
    """
    description = _reflowed(description)
    said, argv = io.StringIO(), _with_known_values(argv, _choices(kind if default is None else default))
    try:
        with contextlib.redirect_stderr(said):
            form: Any = kind
            if default is None:
                return cast(Flags, tyro.cli(form, args=list(argv), prog=prog, description=description))
            return cast(Flags, tyro.cli(form, args=list(argv), prog=prog, description=description, default=default))
    except SystemExit as end:
        if end.code in (0, None):
            raise
        raise InputError(_sentence(said.getvalue())) from end


def _choices(form: Any, where: str = "") -> dict[str, list[str]]:
    """Return the words that flags of a dataclass, or of one's fields, choose from, by the flag's name."""
    choices: dict[str, list[str]] = {}
    hints = typing.get_type_hints(form if isinstance(form, type) else type(form))
    for name, hint in hints.items():
        value = None if isinstance(form, type) else getattr(form, name)
        if dataclasses.is_dataclass(value):
            choices |= _choices(value, "" if not where and name == "config" else f"{where}{name}.")
            continue
        kinds = (hint, *typing.get_args(hint))
        words = [word for kind in kinds if typing.get_origin(kind) is Literal for word in typing.get_args(kind)]
        if words:
            choices[f"--{where}{name}".replace("_", "-")] = [word for word in words if isinstance(word, str)]
    return choices


def _with_known_values(argv: Sequence[str], choices: Mapping[str, list[str]]) -> list[str]:
    """Return a command line in which a flag's value has the hyphens or underscores of the word that it means."""
    words: list[str] = []
    for number, word in enumerate(argv):
        flag, equals, value = word.partition("=")
        before = argv[number - 1].replace("_", "-") if number else ""
        if before in choices:
            word = known_name(word, choices[before])
        elif equals and flag.replace("_", "-") in choices:
            word = f"{flag}={known_name(value, choices[flag.replace('_', '-')])}"
        words.append(word)
    return words


def _sentence(box: str) -> str:
    """Return the first paragraph of tyro's error box on one line, with the flags that it suggests."""
    paragraphs: list[list[str]] = [[]]
    for line in box.splitlines():
        inner = line.strip().strip("│").strip()
        if not inner or line[:1] in "╭╰" or not inner.strip("─-"):
            paragraphs.append([])
        else:
            paragraphs[-1].append(inner)
    texts = [" ".join(lines) for lines in paragraphs if lines]
    if "╭" not in box:  # without a frame the title is a paragraph
        del texts[:1]
    first = texts[0].rstrip(".") if texts else "The flags cannot be read"
    meant = next((text for text in texts if text.startswith("Perhaps you meant")), "")
    offered = list(dict.fromkeys(FLAG.findall(meant)))[:3]
    return first + (f"; did you mean {' or '.join(offered)}?" if offered else "; --help lists the options.")
