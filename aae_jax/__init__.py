"""Adversarial autoencoders (Makhzani et al. 2016) as pure functions in JAX."""

from aae_jax import losses, models, priors
from aae_jax.bundle import Model, load, save_model
from aae_jax.config import (
    AveragingConfig,
    NetworkConfig,
    OptimizerConfig,
    OptimizersConfig,
    SemiSupervisedConfig,
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
from aae_jax.networks import EncoderOutput, Networks, build_mlp_networks
from aae_jax.phases import Phase, build_train_step, phase_step
from aae_jax.presets import PRESETS, preset
from aae_jax.state import AAEState, evaluation_variables, init_state
from aae_jax.training import TrainData, build_train_epoch, compile_epoch, fit, over_seeds, to_device
from aae_jax.types import Batch

__all__ = [
    "PRESETS",
    "AAEState",
    "AveragingConfig",
    "Batch",
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
    "SemiSupervisedConfig",
    "TrainData",
    "ViewConfig",
    "WeightsConfig",
    "build_baseline_phases",
    "build_hyper",
    "build_mlp_networks",
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
