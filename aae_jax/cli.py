"""The `aae-jax` command: `aae-jax train semi-supervised …` is `python experiments/semi_supervised.py …`."""

import importlib
import sys
from collections.abc import Callable, Sequence

import aae_jax
from aae_jax.errors import InputError, did_you_mean, known_name
from aae_jax.experiments.startup import quick_start, start_is_over
from aae_jax.plotting_backend import neutral_backend

__all__ = ["main"]

USAGE = """usage: aae-jax COMMAND [options; --help after a command lists them]

  train semi-supervised   few labels; the same as python experiments/semi_supervised.py
  train unsupervised      no labels, any prior; the same as python experiments/unsupervised.py
  train supervised        labels for the decoder, style for the code; experiments/supervised.py
  train label-regularized labels for the adversary, a part of the prior for each; experiments/label_regularized.py
  train clustering        clusters without labels; experiments/clustering.py
  train dim-reduction     images around heads in few dimensions; experiments/dim_reduction.py
  train likelihood        log-likelihood of the AAE's samples; experiments/likelihood.py
  train autoencoder       plain, denoising or variational; the same as python experiments/autoencoder.py
  train sweep             many settings in one program; the same as python experiments/sweep.py
  doctor RUN              says in words whether a run's adversaries look healthy
  evaluate MODEL          test error of a run's or saved model; without labels, of its reconstructions
  predict MODEL IMAGES    class probabilities of images, as CSV
  reconstruct MODEL IMAGES
  generate MODEL          images of styles drawn from the prior, in every class
  interpolate MODEL IMAGES
  visualize MODEL         codes by t-SNE, labels, styles and modes, drawn from the saved model alone
  init-datasets           writes which images are labelled, for validation and for the test, as files
  data list|fetch|check   what data are where, fetch a set, describe a set

train_semi_supervised, train_unsupervised, generate_model_visualization and init_datasets are understood with the
options of adversarial-autoencoder-classifier."""

ON_MODELS = {
    "doctor": "doctor:run_doctor",
    "evaluate": "evaluate:run_evaluate",
    "predict": "model:run_predict",
    "reconstruct": "model:run_reconstruct",
    "generate": "model:run_generate",
    "interpolate": "interpolate:run_interpolate",
    "visualize": "visualize:run_visualize",
    "init-datasets": "splits:run_init_datasets",
    "data": "data:main",
}
"""Where the function of each command is, below `aae_jax.commands`."""
COMMANDS = ("train", *ON_MODELS)
EXPERIMENTS = (
    "semi-supervised",
    "unsupervised",
    "supervised",
    "label-regularized",
    "clustering",
    "dim-reduction",
    "likelihood",
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
        print(f"aae-jax {aae_jax.__version__}")
        return 0
    with quick_start(), neutral_backend():
        from aae_jax.experiments.command import run_guarded

        return run_guarded(lambda: _find(arguments)())


def _find(arguments: Sequence[str]) -> Callable[[], int]:
    """Return the command that the first words name, with the rest; modules are imported when they are wanted."""
    name, rest = arguments[0], list(arguments[1:])
    if "_" in name:
        from aae_jax.commands.seed_names import SEED_COMMANDS, translate

        if name in SEED_COMMANDS:
            name, *rest = translate(name, rest)
    if name not in COMMANDS:
        raise InputError(f"There is no command {name!r}; {did_you_mean(name, COMMANDS)}")
    if name in ON_MODELS:
        home, function = ON_MODELS[name].split(":")
        run: Callable[[Sequence[str]], int] = getattr(importlib.import_module(f"aae_jax.commands.{home}"), function)
        start_is_over()
        return lambda: run(rest)
    experiment = known_name(rest[0], EXPERIMENTS) if rest else ""
    if experiment in ("-h", "--help"):
        print("usage: aae-jax train {" + ",".join(EXPERIMENTS) + "} [options; --help lists them]")
        return lambda: 0
    if experiment not in EXPERIMENTS:
        raise InputError(f"There is no experiment {experiment!r}; {did_you_mean(experiment, EXPERIMENTS)}")
    module = importlib.import_module(f"aae_jax.experiments.{experiment.replace('-', '_')}")
    return lambda: int(module.main(rest[1:], launcher=f"aae-jax train {experiment}"))
