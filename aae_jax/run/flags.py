"""Flag parsing with tyro, its error box reduced to one sentence."""

import contextlib
import io
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import tyro

from aae_jax.errors import InputError

__all__ = ["parse_flags"]

Flags = TypeVar("Flags")

FLAG = re.compile(r"--[A-Za-z][A-Za-z0-9_.-]*")


def parse_flags(
    kind: Callable[..., Flags], argv: Sequence[str], *, prog: str, description: str, default: Flags | None
) -> Flags:
    """Parse a command line into a dataclass, with the values of `default` where one is given.

    Raises:
        InputError: A flag is unknown, lacks its value, or has an invalid one.
        SystemExit: With status 0 after `--help`.
    """
    said = io.StringIO()
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
    return first + (f"; did you mean {' or '.join(offered)}?" if offered else "; --help lists what there is.")
