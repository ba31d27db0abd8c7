"""Named configurations of every model: ours, the paper's, and those of earlier implementations."""

from collections.abc import Mapping
from typing import Any

from aae_jax.errors import InputError, did_you_mean, known_name
from aae_jax.presets.label_code import CLUSTERING_PRESETS, DIM_REDUCTION_PRESETS
from aae_jax.presets.labelled_style import LABEL_REGULARIZED_PRESETS, SUPERVISED_PRESETS
from aae_jax.presets.semi_supervised import PRESETS
from aae_jax.presets.unlabelled import AUTOENCODER_PRESETS, LIKELIHOOD_PRESETS, UNSUPERVISED_PRESETS

__all__ = [
    "AUTOENCODER_PRESETS",
    "BY_EXPERIMENT",
    "CLUSTERING_PRESETS",
    "DIM_REDUCTION_PRESETS",
    "LABEL_REGULARIZED_PRESETS",
    "LIKELIHOOD_PRESETS",
    "PRESETS",
    "SUPERVISED_PRESETS",
    "UNSUPERVISED_PRESETS",
    "choose_preset",
    "preset",
]

BY_EXPERIMENT: Mapping[str, Mapping[str, tuple[Any, str]]] = {
    "semi_supervised": PRESETS,
    "unsupervised": UNSUPERVISED_PRESETS,
    "autoencoder": AUTOENCODER_PRESETS,
    "supervised": SUPERVISED_PRESETS,
    "label_regularized": LABEL_REGULARIZED_PRESETS,
    "clustering": CLUSTERING_PRESETS,
    "likelihood": LIKELIHOOD_PRESETS,
    "dim_reduction": DIM_REDUCTION_PRESETS,
}


def preset(name: str, experiment: str = "semi_supervised") -> Any:
    """Return the configuration of a named preset of an experiment, e.g. of `unsupervised`.

    Raises:
        InputError: There is no such experiment or preset.
    """
    experiment = known_name(experiment, BY_EXPERIMENT)
    if experiment not in BY_EXPERIMENT:
        raise InputError(f"There is no experiment {experiment!r}; {did_you_mean(experiment, BY_EXPERIMENT)}")
    return choose_preset(BY_EXPERIMENT[experiment], name)


def choose_preset(presets: Mapping[str, tuple[Any, str]], name: str) -> Any:
    """Return the configuration of that name.

    Raises:
        InputError: There is none.
    """
    name = known_name(name, presets)
    if name not in presets:
        raise InputError(f"There is no preset {name!r}; {did_you_mean(name, presets)}")
    return presets[name][0]
