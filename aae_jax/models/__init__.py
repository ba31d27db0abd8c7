"""Models: one folder each, registered in `MODELS`.

The command line, its usage text, presets, figures and tests read this list. Each folder contains `config.py`
(configuration and validation), `presets.py`, `phases.py` (networks and phases) and `experiment.py` (the `ModelSpec`).
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from aae_jax.errors import InputError, did_you_mean, known_name

if TYPE_CHECKING:
    from aae_jax.models.spec import ModelSpec

__all__ = ["MODELS", "ModelEntry", "choose_preset", "find_model", "preset"]


class ModelEntry(NamedTuple):
    """An entry of `MODELS`; the model's modules are imported on first access.

    Attributes:
        name: Name of the model's folder, of its script in `experiments/` and of the folder of its runs.
        summary: One-line summary for the usage text.
    """

    name: str
    summary: str

    @property
    def spec(self) -> "ModelSpec":
        """Specification of the model."""
        found: ModelSpec = importlib.import_module(f"aae_jax.models.{self.name}.experiment").SPEC
        return found

    @property
    def presets(self) -> Mapping[str, tuple[Any, str]]:
        """Configuration and one-line description by preset name, including "default"."""
        found: Mapping[str, tuple[Any, str]] = importlib.import_module(f"aae_jax.models.{self.name}.presets").PRESETS
        return found


MODELS = (
    ModelEntry("semi_supervised", "classification with few labels"),
    ModelEntry("unsupervised", "no labels, any prior"),
    ModelEntry("supervised", "labels for the decoder, style in the code"),
    ModelEntry("label_regularized", "a part of the prior for each class"),
    ModelEntry("clustering", "clusters without labels"),
    ModelEntry("dim_reduction", "images around cluster heads in few dimensions"),
    ModelEntry("likelihood", "log-likelihood of the AAE's samples"),
    ModelEntry("autoencoder", "plain, denoising or variational autoencoder"),
)


def find_model(name: str) -> ModelEntry:
    """Return the model with the given name; words may be joined by hyphens or underscores.

    Raises:
        InputError: No model has this name.
    """
    known = {entry.name: entry for entry in MODELS}
    found = known.get(known_name(name, known))
    if found is None:
        raise InputError(f"There is no experiment {name!r}; {did_you_mean(name, known)}")
    return found


def preset(name: str, experiment: str = "semi_supervised") -> Any:
    """Return the configuration of a preset of an experiment, e.g. of `unsupervised`.

    Raises:
        InputError: The experiment or the preset does not exist.
    """
    return choose_preset(find_model(experiment).presets, name)


def choose_preset(presets: Mapping[str, tuple[Any, str]], name: str) -> Any:
    """Return the configuration of the preset with the given name.

    Raises:
        InputError: No preset has this name.
    """
    name = known_name(name, presets)
    if name not in presets:
        raise InputError(f"There is no preset {name!r}; {did_you_mean(name, presets)}")
    return presets[name][0]
