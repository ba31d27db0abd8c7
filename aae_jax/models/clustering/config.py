"""Configuration of clustering without labels."""

from dataclasses import dataclass, field
from typing import Literal

from aae_jax.config.parts import OptimizerConfig, check_bounds, validate_reconstruction
from aae_jax.config.prior import PriorConfig, validate_trained_prior
from aae_jax.config.run import (
    RunConfig,
    ScheduledOptimizers,
    refuse_noise_in_one_view,
    validate_optimizers,
    validate_run,
)
from aae_jax.config.traced import Traced, TracedPhase, TracedTerm
from aae_jax.errors import InputError
from aae_jax.models.shared.label_code_config import (
    FoundClusterWeights,
    PropagationWeights,
    validate_found_clusters,
    validate_propagation,
)
from aae_jax.text import brief_config

__all__ = ["ClusteringConfig", "ClusteringOptimizers", "ClusteringWeights", "validate_clustering"]

MAX_CLUSTERS = 10**4
MAX_NEIGHBOURS = 100


@dataclass(frozen=True, kw_only=True)
class ClusteringOptimizers(ScheduledOptimizers):
    """Optimizers by phase; both discriminators share the settings but keep separate moments."""

    reconstruction: OptimizerConfig = field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    generator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    cyclic: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(learning_rate=1e-5))
    mode: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(learning_rate=8e-4))
    mode_separation: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(learning_rate=5e-6))


@dataclass(frozen=True, kw_only=True)
class ClusteringWeights(PropagationWeights, FoundClusterWeights):
    """Weights of the loss terms; the phases cyclic, mode and mode_separation run if their weight is above 0."""

    cyclic: TracedPhase[float] = 0.0
    """Weight of a phase that trains the codes of a reconstruction to match those it was decoded from (shaharazulay's
    mutual information)."""
    cyclic_style: Traced[float] = 0.1
    """Weight of the style term in that phase, relative to the label term."""
    mode: TracedPhase[float] = 0.0
    """Weight of a phase in which a second decoder reconstructs images from the label alone: it learns each cluster's
    mode."""
    mode_separation: TracedPhase[float] = 0.0
    """Weight of a phase that pushes apart the decoder's outputs for every two clusters, with a style of zeros."""
    style_penalty: TracedTerm[float] = 0.0
    """Weight of a penalty on large styles, in the generator phase."""
    style_penalty_kind: Literal["mean_square", "frobenius"] = "mean_square"
    """mean_square: sum of squares, batch mean. frobenius: square root of the sum over the batch (shaharazulay)."""


@dataclass(frozen=True, kw_only=True)
class ClusteringConfig(RunConfig):
    """Clustering without labels (Makhzani et al. 2016, section 6 and figure 9)."""

    num_clusters: int = 30
    """Number of clusters: classes of the label code."""
    inverse_frequency: bool = False
    """Draw the discriminator's real labels from the classes that are rare in the fake batch, as shaharazulay does,
    instead of uniformly."""
    neighbours: int = 0
    """Number of nearest neighbours in the pool from which the image of the consistency term's second view is drawn,
    anew every time, so that similar images share a cluster. 0: the image itself."""
    conditional: bool = False
    """Show the style discriminator the label as well: the styles of each class, not only of all classes together,
    match the prior. Otherwise, as in the paper, it sees the style alone."""
    prior: PriorConfig = field(default_factory=lambda: PriorConfig(std=1.0))
    """Prior of the style."""
    optimizers: ClusteringOptimizers = field(default_factory=ClusteringOptimizers)
    weights: ClusteringWeights = field(default_factory=ClusteringWeights)

    __repr__ = brief_config


def validate_clustering(config: ClusteringConfig) -> None:
    """Check that a clustering model can be trained with the configuration.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    validate_run(config)
    weights = config.weights
    names = ("cyclic", "cyclic_style", "mode", "mode_separation", "style_penalty")
    check_bounds(
        ("num_clusters", config.num_clusters, 2, MAX_CLUSTERS),
        *((f"weights.{name}", getattr(weights, name), 0, 10**6) for name in names),
    )
    validate_propagation(weights, config.views)
    validate_found_clusters(weights, config.num_clusters)
    validate_optimizers(config.optimizers)
    validate_reconstruction(weights, config.network)
    validate_trained_prior(config.prior, config.network)
    refuse_noise_in_one_view(config)
    check_bounds(("neighbours", config.neighbours, 0, MAX_NEIGHBOURS))
    if config.neighbours and (not weights.consistency or weights.consistency_target == "clean"):
        raise InputError(
            f"neighbours is {config.neighbours}, but weights.consistency is {weights.consistency:g} with the target "
            f"{weights.consistency_target}; give it a weight and the target view."
        )
    if weights.mode_separation and config.network.output != "sigmoid":
        raise InputError(
            f"weights.mode_separation is {weights.mode_separation:g}, but network.output is {config.network.output}; "
            "give --network.output sigmoid, whose pixels are probabilities."
        )
