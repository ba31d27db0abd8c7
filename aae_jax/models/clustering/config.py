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
from aae_jax.errors import InputError
from aae_jax.models.shared.label_code_config import (
    FoundClusterWeights,
    PropagationWeights,
    validate_found_clusters,
    validate_propagation,
)
from aae_jax.text import brief_config

__all__ = ["ClusteringConfig", "ClusteringOptimizers", "ClusteringWeights", "validate_clustering"]

MOST_CLUSTERS = 10**4
MOST_NEIGHBOURS = 100


@dataclass(frozen=True, kw_only=True)
class ClusteringOptimizers(ScheduledOptimizers):
    """The optimizers by phase; both discriminators have the same settings, but each its own moments."""

    reconstruction: OptimizerConfig = field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    generator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    cyclic: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(learning_rate=1e-5))
    mode: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(learning_rate=8e-4))
    mode_separation: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(learning_rate=5e-6))


@dataclass(frozen=True, kw_only=True)
class ClusteringWeights(PropagationWeights, FoundClusterWeights):
    """Factors of the terms of the losses; the phases cyclic, mode and mode_separation run where theirs is above 0."""

    cyclic: float = 0.0
    """Of a phase in which the codes of a reconstruction shall be those it was made from (shaharazulay's mutual
    information)."""
    cyclic_style: float = 0.1
    """Of the style's part in that phase, beside the label's."""
    mode: float = 0.0
    """Of a phase in which a second decoder rebuilds images from the label alone: it learns each cluster's mode."""
    mode_separation: float = 0.0
    """Of a phase that moves the decoder's images of any two clusters, with a style of zeros, apart."""
    style_penalty: float = 0.0
    """Of a penalty on large styles, in the generator phase."""
    style_penalty_kind: Literal["mean_square", "frobenius"] = "mean_square"
    """mean_square: the sum of squares, batch mean. frobenius: the root of the batch's whole sum (shaharazulay)."""


@dataclass(frozen=True, kw_only=True)
class ClusteringConfig(RunConfig):
    """Clusters without labels (Makhzani et al. 2016, section 6 and figure 9)."""

    num_clusters: int = 30
    """Classes of the label code."""
    inverse_frequency: bool = False
    """Draw the labels of the adversary's real batch from the classes that are rare in the other one, as shaharazulay
    does, instead of all alike."""
    neighbours: int = 0
    """Take for the second view of the consistency term not the image itself, but one of so many that are nearest to
    it in the pool, drawn anew every time, so that images that are alike come together. 0: the image itself."""
    prior: PriorConfig = field(default_factory=lambda: PriorConfig(std=1.0))
    """Of the style."""
    optimizers: ClusteringOptimizers = field(default_factory=ClusteringOptimizers)
    weights: ClusteringWeights = field(default_factory=ClusteringWeights)

    __repr__ = brief_config


def validate_clustering(config: ClusteringConfig) -> None:
    """Refuse values that clusters cannot be found with.

    Raises:
        InputError: Names the first such value.
    """
    validate_run(config)
    weights = config.weights
    names = ("cyclic", "cyclic_style", "mode", "mode_separation", "style_penalty")
    check_bounds(
        ("num_clusters", config.num_clusters, 2, MOST_CLUSTERS),
        *((f"weights.{name}", getattr(weights, name), 0, 10**6) for name in names),
    )
    validate_propagation(weights, config.views)
    validate_found_clusters(weights, config.num_clusters)
    validate_optimizers(config.optimizers)
    validate_reconstruction(weights, config.network)
    validate_trained_prior(config.prior, config.network)
    refuse_noise_in_one_view(config)
    check_bounds(("neighbours", config.neighbours, 0, MOST_NEIGHBOURS))
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
