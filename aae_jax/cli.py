"""The `aae-jax` command: `aae-jax train semi-supervised …` is `python experiments/semi_supervised.py …`."""

import sys
from collections.abc import Callable, Sequence

from aae_jax.errors import InputError, did_you_mean
from aae_jax.experiments import semi_supervised
from aae_jax.experiments.command import run_guarded

__all__ = ["main"]

EXPERIMENTS: dict[str, Callable[[Sequence[str]], int]] = {"semi-supervised": semi_supervised.main}
USAGE = "usage: aae-jax train {" + ",".join(EXPERIMENTS) + "} [options; --help lists them]"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 2 for input that cannot be used."""
    arguments = sys.argv[1:] if argv is None else list(argv)

    def command() -> int:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(USAGE)
            return 0
        if arguments[0] != "train":
            raise InputError(f"There is no command {arguments[0]!r}; {did_you_mean(arguments[0], ['train'])}")
        name = arguments[1] if len(arguments) > 1 else ""
        if name not in EXPERIMENTS:
            raise InputError(f"There is no experiment {name!r}; {did_you_mean(name, EXPERIMENTS)}")
        return EXPERIMENTS[name](arguments[2:])

    return run_guarded(command)
