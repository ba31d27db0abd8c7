"""What a run is: frozen dataclasses, one per concern. Named ones are in `presets.py`.

`None` in a field means "by the data"; `resolve` replaces it, and a run records the result.
"""

from aae_jax.config.clustering import (
    ClusteringConfig,
    ClusteringOptimizers,
    ClusteringWeights,
    DimReductionConfig,
    DimReductionOptimizers,
    DimReductionWeights,
    validate_clustering,
    validate_dim_reduction,
)
from aae_jax.config.label_code import FoundClusterWeights, LabelCodeWeights, PropagationWeights
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
from aae_jax.config.run import LabelledConfig, RunConfig, ScheduledOptimizers, require_resolved, resolve, validate_run
from aae_jax.config.semi_supervised import OptimizersConfig, SemiSupervisedConfig, WeightsConfig, validate
from aae_jax.config.supervised import (
    LabelRegularizedConfig,
    SupervisedConfig,
    validate_label_regularized,
    validate_supervised,
)
from aae_jax.config.unsupervised import (
    AutoencoderConfig,
    AutoencoderOptimizers,
    AutoencoderWeights,
    LikelihoodConfig,
    PriorConfig,
    UnsupervisedConfig,
    UnsupervisedOptimizers,
    UnsupervisedWeights,
    validate_autoencoder,
    validate_likelihood,
    validate_prior,
    validate_unsupervised,
)

__all__ = [
    "AutoencoderConfig",
    "AutoencoderOptimizers",
    "AutoencoderWeights",
    "AveragingConfig",
    "ClusteringConfig",
    "ClusteringOptimizers",
    "ClusteringWeights",
    "DimReductionConfig",
    "DimReductionOptimizers",
    "DimReductionWeights",
    "FoundClusterWeights",
    "LabelCodeWeights",
    "LabelRegularizedConfig",
    "LabelledConfig",
    "LikelihoodConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "OptimizersConfig",
    "Precision",
    "PriorConfig",
    "PropagationWeights",
    "ReconstructionWeights",
    "RunConfig",
    "ScheduledOptimizers",
    "SemiSupervisedConfig",
    "SupervisedConfig",
    "UnsupervisedConfig",
    "UnsupervisedOptimizers",
    "UnsupervisedWeights",
    "UpdateOrder",
    "ViewConfig",
    "WeightsConfig",
    "require_resolved",
    "resolve",
    "validate",
    "validate_autoencoder",
    "validate_clustering",
    "validate_dim_reduction",
    "validate_label_regularized",
    "validate_likelihood",
    "validate_network",
    "validate_prior",
    "validate_run",
    "validate_supervised",
    "validate_unsupervised",
]
