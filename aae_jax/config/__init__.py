"""Configuration that every run has, as frozen dataclasses; each model adds its own in its folder.

`None` in a field means "by the data"; `resolve` replaces it, and a run records the result.
"""

from aae_jax.config.parts import (
    AveragingConfig,
    NetworkConfig,
    OptimizerConfig,
    Precision,
    ReconstructionWeights,
    UpdateOrder,
    ViewConfig,
    validate_network,
)
from aae_jax.config.prior import PriorConfig, validate_prior
from aae_jax.config.run import (
    LabelledConfig,
    RunConfig,
    ScheduledOptimizers,
    default_shift,
    require_resolved,
    resolve,
    validate_run,
)

__all__ = [
    "AveragingConfig",
    "LabelledConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "Precision",
    "PriorConfig",
    "ReconstructionWeights",
    "RunConfig",
    "ScheduledOptimizers",
    "UpdateOrder",
    "ViewConfig",
    "default_shift",
    "require_resolved",
    "resolve",
    "validate_network",
    "validate_prior",
    "validate_run",
]
