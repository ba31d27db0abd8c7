"""Adversarial autoencoders (Makhzani et al. 2016) as pure functions in JAX.

Names are imported when they are first asked for, so that a command is quick to say what it does.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aae_jax import losses, models, priors
    from aae_jax.bundle import Model, load, save_model
    from aae_jax.config import (
        AutoencoderConfig,
        AveragingConfig,
        NetworkConfig,
        OptimizerConfig,
        OptimizersConfig,
        PriorConfig,
        SemiSupervisedConfig,
        UnsupervisedConfig,
        ViewConfig,
        WeightsConfig,
        resolve,
        validate,
    )
    from aae_jax.data import Dataset, load_dataset, split_indices, training_arrays
    from aae_jax.errors import InputError
    from aae_jax.evaluation import evaluate
    from aae_jax.hyper import Hyper
    from aae_jax.models.semi_supervised import build_baseline_phases, build_hyper, build_phases, build_schedule
    from aae_jax.networks import Codes, EncoderOutput, Networks, build_mlp_networks, build_networks
    from aae_jax.phases import Phase, build_train_step, phase_step
    from aae_jax.presets import PRESETS, preset
    from aae_jax.state import AAEState, evaluation_variables, init_state
    from aae_jax.training import TrainData, build_train_epoch, compile_epoch, fit, over_seeds, to_device
    from aae_jax.types import Batch

    __version__: str

__all__ = [
    "PRESETS",
    "AAEState",
    "AutoencoderConfig",
    "AveragingConfig",
    "Batch",
    "Codes",
    "Dataset",
    "EncoderOutput",
    "Hyper",
    "InputError",
    "Model",
    "NetworkConfig",
    "Networks",
    "OptimizerConfig",
    "OptimizersConfig",
    "Phase",
    "PriorConfig",
    "SemiSupervisedConfig",
    "TrainData",
    "UnsupervisedConfig",
    "ViewConfig",
    "WeightsConfig",
    "build_baseline_phases",
    "build_hyper",
    "build_mlp_networks",
    "build_networks",
    "build_phases",
    "build_schedule",
    "build_train_epoch",
    "build_train_step",
    "compile_epoch",
    "evaluate",
    "evaluation_variables",
    "fit",
    "init_state",
    "load",
    "load_dataset",
    "losses",
    "models",
    "over_seeds",
    "phase_step",
    "preset",
    "priors",
    "resolve",
    "save_model",
    "split_indices",
    "to_device",
    "training_arrays",
    "validate",
]

_SUBMODULES = (
    "batching",
    "bundle",
    "checkpoint",
    "compiling",
    "config",
    "config_text",
    "data",
    "errors",
    "evaluation",
    "files",
    "hyper",
    "losses",
    "models",
    "networks",
    "optimizers",
    "phases",
    "presets",
    "priors",
    "propagation",
    "state",
    "sweep",
    "training",
    "types",
    "views",
)
_HOMES = {
    "aae_jax.bundle": ("Model", "load", "save_model"),
    "aae_jax.config": (
        "AutoencoderConfig",
        "AveragingConfig",
        "NetworkConfig",
        "OptimizerConfig",
        "OptimizersConfig",
        "PriorConfig",
        "SemiSupervisedConfig",
        "UnsupervisedConfig",
        "ViewConfig",
        "WeightsConfig",
        "resolve",
        "validate",
    ),
    "aae_jax.data": ("Dataset", "load_dataset", "split_indices", "training_arrays"),
    "aae_jax.errors": ("InputError",),
    "aae_jax.evaluation": ("evaluate",),
    "aae_jax.hyper": ("Hyper",),
    "aae_jax.models.semi_supervised": ("build_baseline_phases", "build_hyper", "build_phases", "build_schedule"),
    "aae_jax.networks": ("Codes", "EncoderOutput", "Networks", "build_mlp_networks", "build_networks"),
    "aae_jax.phases": ("Phase", "build_train_step", "phase_step"),
    "aae_jax.presets": ("PRESETS", "preset"),
    "aae_jax.state": ("AAEState", "evaluation_variables", "init_state"),
    "aae_jax.training": ("TrainData", "build_train_epoch", "compile_epoch", "fit", "over_seeds", "to_device"),
    "aae_jax.types": ("Batch",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name's module, and keep the name here."""
    if name == "__version__":
        version = globals()[name] = _read_version()
        return version
    if name in _SUBMODULES:
        return importlib.import_module(f"aae_jax.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'aae_jax' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    """List what is public."""
    return sorted({*globals(), *__all__, *_SUBMODULES, "__version__"})


def _read_version() -> str:
    """Return the version of the installed package, else that of the source tree, else "0+unknown"."""
    from importlib import metadata

    try:
        return metadata.version("aae-jax")
    except metadata.PackageNotFoundError:
        return _source_version()


def _source_version() -> str:
    import tomllib
    from pathlib import Path

    try:
        text = (Path(__file__).resolve().parent.parent / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
        return str(project["version"]) if project["name"] == "aae-jax" else "0+unknown"
    except (OSError, ValueError, KeyError):  # a copy of the package alone
        return "0+unknown"
