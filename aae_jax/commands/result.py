"""What the commands on saved models share: how flags are read and files are written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import tyro

from aae_jax.errors import InputError
from aae_jax.experiments.flags import parse_flags
from aae_jax.files import write_whole

__all__ = ["ModelPath", "parse", "write"]

Flags = TypeVar("Flags")
ModelPath = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]


def parse(kind: type[Flags], argv: Sequence[str], name: str, description: str | None) -> Flags:
    """Return the flags of `aae-jax <name>`.

    Raises:
        InputError: They cannot be read.
    """
    return parse_flags(kind, argv, prog=f"aae-jax {name}", description=description or "", default=None)


def write(out: str, content: bytes) -> None:
    """Write a result's file whole.

    Raises:
        InputError: It cannot be written.
    """
    if Path(out).name in ("", "..") or Path(out).is_dir():
        raise InputError(f"--out is {out}, which is a folder; give the name of a file.")
    try:
        write_whole(Path(out), content)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror or error}); give --out another name.") from error
