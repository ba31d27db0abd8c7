"""The `aae-jax` command: `aae-jax train semi-supervised …` is `python experiments/semi_supervised.py …`."""

import importlib
import sys
from collections.abc import Callable, Sequence

import aae_jax
from aae_jax.errors import InputError, did_you_mean, known_name
from aae_jax.models import MODELS
from aae_jax.plotting_backend import neutral_backend
from aae_jax.run.process import quick_start, start_is_over

__all__ = ["main"]

_USAGE = """usage: aae-jax COMMAND [options; --help after a command lists them]

{train}  doctor RUN              diagnosis of a run from its metrics, with advice
  evaluate MODEL          test error, or reconstruction error without labels
  predict MODEL IMAGES    class probabilities of images, as CSV
  reconstruct MODEL IMAGES
  generate MODEL          decoded samples of the prior, in every class
  interpolate MODEL IMAGES
  score MODEL IMAGES      how strange images are
  export MODEL            encoder, classifier, decoder as ONNX or StableHLO
  visualize MODEL         figures of a saved model: t-SNE of codes, labels, styles
  init-datasets           files of labelled, validation and test images
  data list|fetch|check   list known data sets, fetch one, describe one

train_semi_supervised, train_unsupervised, generate_model_visualization and
init_datasets take the options of adversarial-autoencoder-classifier."""

ON_MODELS = {
    "doctor": "doctor:run_doctor",
    "evaluate": "evaluate:run_evaluate",
    "predict": "model:run_predict",
    "reconstruct": "model:run_reconstruct",
    "generate": "model:run_generate",
    "interpolate": "interpolate:run_interpolate",
    "score": "score:run_score",
    "export": "export:run_export",
    "visualize": "visualize:run_visualize",
    "init-datasets": "splits:run_init_datasets",
    "data": "data:main",
}
"""Where the function of each command is, below `aae_jax.commands`."""
COMMANDS = ("train", *ON_MODELS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 2 for input that cannot be used."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if arguments[0] == "--version":
        print(f"aae-jax {aae_jax.__version__}")
        return 0
    with quick_start(), neutral_backend():
        from aae_jax.run.arguments import run_guarded

        return run_guarded(lambda: _find(arguments)())


def _find(arguments: Sequence[str]) -> Callable[[], int]:
    """Return the command that the first words name, with the rest; modules are imported when they are wanted."""
    name, rest = arguments[0], list(arguments[1:])
    if "_" in name:
        from aae_jax.compat.command_names import SEED_COMMANDS, translate

        if name in SEED_COMMANDS:
            name, *rest = translate(name, rest)
    if name not in COMMANDS:
        raise InputError(f"There is no command {name!r}; {did_you_mean(name, COMMANDS)}")
    if name in ON_MODELS:
        home, function = ON_MODELS[name].split(":")
        run: Callable[[Sequence[str]], int] = getattr(importlib.import_module(f"aae_jax.commands.{home}"), function)
        start_is_over()
        return lambda: run(rest)
    experiment = known_name(rest[0], _experiments()) if rest else ""
    if experiment in ("-h", "--help"):
        print("usage: aae-jax train {" + ",".join(_experiments()) + "} [options; --help lists them]")
        return lambda: 0
    launcher = f"aae-jax train {experiment}"
    if experiment == "sweep":
        from aae_jax.run.sweep.command import main as sweep

        return lambda: sweep(rest[1:], launcher=launcher)
    if experiment not in _experiments():
        raise InputError(f"There is no experiment {experiment!r}; {did_you_mean(experiment, _experiments())}")
    from aae_jax.run.run import main as train

    return lambda: train(experiment, rest[1:], launcher=launcher)


def _experiments() -> list[str]:
    """Return the words that may follow `train`."""
    return [*(entry.name.replace("_", "-") for entry in MODELS), "sweep"]


def _usage() -> str:
    """Return the text of --help."""
    lines = [f"  train {entry.name.replace('_', '-'):18}{entry.summary}" for entry in MODELS]
    lines.append(f"  train {'sweep':18}many settings in one program")
    scripts = "                          (scripts too: python experiments/semi_supervised.py)"
    return _USAGE.format(train="\n".join([*lines, scripts, ""]))
