"""Configuration of dimensionality reduction around cluster heads."""

from dataclasses import dataclass, field

from aae_jax.config.parts import OptimizerConfig, check_bounds, validate_reconstruction
from aae_jax.config.prior import PriorConfig, validate_trained_prior
from aae_jax.config.run import (
    LabelCount,
    LabelledConfig,
    refuse_noise_in_one_view,
    validate_labels,
    validate_optimizers,
    validate_run,
)
from aae_jax.config.traced import Traced, TracedPhase
from aae_jax.errors import InputError
from aae_jax.models.clustering.config import MAX_CLUSTERS
from aae_jax.models.semi_supervised.config import OptimizersConfig
from aae_jax.models.shared.label_code_config import (
    ClassPrior,
    FoundClusterWeights,
    PropagationWeights,
    validate_class_prior,
    validate_found_clusters,
    validate_propagation,
)
from aae_jax.text import brief_config, quoted

__all__ = ["DimReductionConfig", "DimReductionOptimizers", "DimReductionWeights", "validate_dim_reduction"]


@dataclass(frozen=True, kw_only=True)
class DimReductionOptimizers(OptimizersConfig):
    """Optimizers by phase."""

    head_distance: OptimizerConfig = field(default_factory=OptimizerConfig)


@dataclass(frozen=True, kw_only=True)
class DimReductionWeights(PropagationWeights, FoundClusterWeights):
    """Weights of the loss terms."""

    head_distance: TracedPhase[float] = 1.0
    """Weight of the cost of cluster heads that are too close to each other, a separate phase. 0: off."""


@dataclass(frozen=True, kw_only=True)
class DimReductionConfig(LabelledConfig):
    """Codes in few dimensions: the image's cluster head plus its style (section 7 and figure 10)."""

    num_clusters: int | None = None
    """Number of clusters to find without labels. None: learn the classes from labels."""
    class_prior: ClassPrior = "uniform"
    """Class frequencies of the unlabelled images, assumed by the discriminator of y, the classification loss and
    propagated labels. validation: estimated from the held-out labels. auto: the same if these differ significantly
    from equal frequencies, else uniform. Or one frequency per class, e.g. 0.1 0.9. Clusters found without labels
    always get equal frequencies."""
    least_distance: Traced[float] = 2.0
    """Minimum distance between two cluster heads; the cost is the shortfall of closer pairs."""
    conditional: bool = False
    """Show the style discriminator the label as well: the styles of each class, not only of all classes together,
    match the prior. Otherwise, as in the paper, it sees the style alone."""
    prior: PriorConfig = field(default_factory=lambda: PriorConfig(std=1.0))
    """Prior of the style."""
    optimizers: DimReductionOptimizers = field(default_factory=DimReductionOptimizers)
    weights: DimReductionWeights = field(default_factory=DimReductionWeights)

    @property
    def drawn_labels(self) -> LabelCount | None:
        """Number of labelled images; None if clusters are found without labels."""
        return None if self.num_clusters is not None else self.labels

    __repr__ = brief_config


def validate_dim_reduction(config: DimReductionConfig) -> None:
    """Check that cluster heads and styles can be trained with the configuration.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    validate_run(config)
    validate_labels(config)
    validate_class_prior(config.class_prior)
    check_bounds(
        ("num_clusters", config.num_clusters, 2, MAX_CLUSTERS),
        ("least_distance", config.least_distance, 0, 10**6),
        ("weights.head_distance", config.weights.head_distance, 0, 10**6),
    )
    if config.num_clusters is not None and config.class_prior not in ("auto", "uniform"):
        raise InputError(
            f"class_prior is {quoted(config.class_prior)}, but {config.num_clusters} clusters are found without "
            "labels; give uniform."
        )
    validate_propagation(config.weights, config.views)
    validate_found_clusters(config.weights, config.num_clusters)
    validate_optimizers(config.optimizers)
    validate_reconstruction(config.weights, config.network)
    validate_trained_prior(config.prior, config.network)
    refuse_noise_in_one_view(config)
