"""Adversarial autoencoders (Makhzani et al. 2016) as pure functions in JAX.

Names are imported on first access, so that commands start quickly.
"""

import importlib
from typing import TYPE_CHECKING, Any

from aae_jax.compat import module_names

if TYPE_CHECKING:
    __version__: str
    from aae_jax import losses, models, priors
    from aae_jax.api import TrainingFailed, train
    from aae_jax.config import AveragingConfig, NetworkConfig, OptimizerConfig, PriorConfig, ViewConfig, resolve
    from aae_jax.data import Dataset, load_dataset, split_indices, training_arrays
    from aae_jax.errors import InputError
    from aae_jax.evaluation import evaluate
    from aae_jax.export import export_model
    from aae_jax.models import MODELS, preset
    from aae_jax.models.autoencoder.config import AutoencoderConfig
    from aae_jax.models.semi_supervised.config import OptimizersConfig, SemiSupervisedConfig, WeightsConfig, validate
    from aae_jax.models.semi_supervised.phases import build_baseline_phases, build_phases
    from aae_jax.models.semi_supervised.presets import PRESETS
    from aae_jax.models.unsupervised.config import UnsupervisedConfig
    from aae_jax.networks import Codes, EncoderOutput, Modules, Networks, build_mlp_networks, build_networks
    from aae_jax.run.callbacks import Stop
    from aae_jax.run.training import Run
    from aae_jax.run.user_callbacks import EarlyStopping, LogTo
    from aae_jax.saved.model import Model
    from aae_jax.saved.storage import load, save_model
    from aae_jax.train.epoch import TrainData, build_train_epoch, over_seeds, to_device
    from aae_jax.train.fit import compile_epoch, fit
    from aae_jax.train.hyper import Numbers, traced
    from aae_jax.train.optimizers import build_schedule
    from aae_jax.train.phases import Phase, build_train_step, init_state, phase_step
    from aae_jax.train.state import AAEState, evaluation_variables
    from aae_jax.tuning import search
    from aae_jax.types import Batch

__all__ = [
    "MODELS",
    "PRESETS",
    "AAEState",
    "AutoencoderConfig",
    "AveragingConfig",
    "Batch",
    "Codes",
    "Dataset",
    "EarlyStopping",
    "EncoderOutput",
    "InputError",
    "LogTo",
    "Model",
    "Modules",
    "NetworkConfig",
    "Networks",
    "Numbers",
    "OptimizerConfig",
    "OptimizersConfig",
    "Phase",
    "PriorConfig",
    "Run",
    "SemiSupervisedConfig",
    "Stop",
    "TrainData",
    "TrainingFailed",
    "UnsupervisedConfig",
    "ViewConfig",
    "WeightsConfig",
    "build_baseline_phases",
    "build_mlp_networks",
    "build_networks",
    "build_phases",
    "build_schedule",
    "build_train_epoch",
    "build_train_step",
    "compile_epoch",
    "evaluate",
    "evaluation_variables",
    "export_model",
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
    "search",
    "split_indices",
    "to_device",
    "traced",
    "train",
    "training_arrays",
    "validate",
]

_SUBMODULES = (
    "augment",
    "config",
    "data",
    "errors",
    "estimators",
    "evaluation",
    "export",
    "figures",
    "files",
    "graph",
    "losses",
    "models",
    "networks",
    "priors",
    "run",
    "saved",
    "train",
    "types",
)
_HOMES = {
    "api": ("TrainingFailed",),
    "config": ("AveragingConfig", "NetworkConfig", "OptimizerConfig", "PriorConfig", "ViewConfig", "resolve"),
    "data": ("Dataset", "load_dataset", "split_indices", "training_arrays"),
    "errors": ("InputError",),
    "evaluation": ("evaluate",),
    "export": ("export_model",),
    "models": ("MODELS", "preset"),
    "models.autoencoder.config": ("AutoencoderConfig",),
    "models.semi_supervised.config": ("OptimizersConfig", "SemiSupervisedConfig", "WeightsConfig", "validate"),
    "models.semi_supervised.phases": ("build_baseline_phases", "build_phases"),
    "models.semi_supervised.presets": ("PRESETS",),
    "models.unsupervised.config": ("UnsupervisedConfig",),
    "networks": ("Codes", "EncoderOutput", "Modules", "Networks", "build_mlp_networks", "build_networks"),
    "run.callbacks": ("Stop",),
    "run.training": ("Run",),
    "run.user_callbacks": ("EarlyStopping", "LogTo"),
    "saved.model": ("Model",),
    "saved.storage": ("load", "save_model"),
    "train.epoch": ("TrainData", "build_train_epoch", "over_seeds", "to_device"),
    "train.fit": ("compile_epoch", "fit"),
    "train.hyper": ("Numbers", "traced"),
    "train.optimizers": ("build_schedule",),
    "train.phases": ("Phase", "build_train_step", "init_state", "phase_step"),
    "train.state": ("AAEState", "evaluation_variables"),
    "tuning": ("search",),
    "types": ("Batch",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

module_names.install()


def __getattr__(name: str) -> Any:
    """Import a public name's module, and cache the name in this one."""
    if name == "__version__":
        version = globals()[name] = _read_version()
        return version
    if name in module_names.RENAMED:
        return module_names.current_object("aae_jax", name)
    if name in _SUBMODULES or name in module_names.MOVED:
        return importlib.import_module(f"aae_jax.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'aae_jax' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"aae_jax.{_HOME_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    """List the public names."""
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
    except (OSError, ValueError, KeyError):  # a copy of the package only
        return "0+unknown"
