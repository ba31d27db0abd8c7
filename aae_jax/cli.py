"""The `aae-jax` command: `aae-jax train semi-supervised …` is `python experiments/semi_supervised.py …`."""

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib import metadata

from aae_jax.errors import InputError, did_you_mean
from aae_jax.experiments.startup import quick_start, start_is_over

__all__ = ["main"]

USAGE = """usage: aae-jax COMMAND [options; --help after a command lists them]

  train semi-supervised   few labels; the same as python experiments/semi_supervised.py
  train unsupervised      no labels, any prior; the same as python experiments/unsupervised.py
  train supervised        labels for the decoder, style for the code; experiments/supervised.py
  train label-regularized labels for the adversary, a part of the prior for each; experiments/label_regularized.py
  train clustering        clusters without labels; experiments/clustering.py
  train dim-reduction     images around heads in few dimensions; experiments/dim_reduction.py
  train autoencoder       plain, denoising or variational; the same as python experiments/autoencoder.py
  train sweep             many settings in one program; the same as python experiments/sweep.py
  evaluate MODEL          test error of a run's or saved model; without labels, of its reconstructions
  predict MODEL IMAGES    class probabilities of images, as CSV
  reconstruct MODEL IMAGES
  generate MODEL          images of styles drawn from the prior
  data list|fetch|check   what data are where, fetch a set, describe a set"""

COMMANDS = ("train", "evaluate", "predict", "reconstruct", "generate", "data")
EXPERIMENTS = (
    "semi-supervised",
    "unsupervised",
    "supervised",
    "label-regularized",
    "clustering",
    "dim-reduction",
    "autoencoder",
    "sweep",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 2 for input that cannot be used."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    if arguments[0] == "--version":
        print(f"aae-jax {metadata.version('aae-jax')}")
        return 0
    with quick_start():
        from aae_jax.experiments.command import run_guarded

        return run_guarded(lambda: _find(arguments)())


def _find(arguments: Sequence[str]) -> Callable[[], int]:
    """Return the command that the first words name, with the rest; modules are imported when they are wanted."""
    name, rest = arguments[0], list(arguments[1:])
    if name not in COMMANDS:
        raise InputError(f"There is no command {name!r}; {did_you_mean(name, COMMANDS)}")
    if name == "data":
        from aae_jax.commands import data

        start_is_over()
        return lambda: data.main(rest)
    if name != "train":
        from aae_jax.commands import model

        start_is_over()
        return lambda: model.COMMANDS[name](rest)
    experiment = rest[0] if rest else ""
    if experiment in ("-h", "--help"):
        print("usage: aae-jax train {" + ",".join(EXPERIMENTS) + "} [options; --help lists them]")
        return lambda: 0
    if experiment not in EXPERIMENTS:
        raise InputError(f"There is no experiment {experiment!r}; {did_you_mean(experiment, EXPERIMENTS)}")
    module = importlib.import_module(f"aae_jax.experiments.{experiment.replace('-', '_')}")
    return lambda: int(module.main(rest[1:], launcher=f"aae-jax train {experiment}"))
