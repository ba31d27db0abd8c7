"""Configuration common to all runs, as frozen dataclasses; each model's folder defines further settings.

`None` in a field means that the value depends on the data; `resolve` replaces it, and a run records the result.
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
    LabelCount,
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
    "LabelCount",
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
