"""What a graph says of a run's pool, for each of its seeds or members: propagated labels, or clusters."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aae_jax.config import ClusteringConfig, DimReductionConfig, SemiSupervisedConfig
from aae_jax.data import Dataset, Reporter
from aae_jax.experiments.problem import indices_for_seed

__all__ = ["propagated_labels"]


def propagated_labels(
    dataset: Dataset,
    members: Sequence[tuple[SemiSupervisedConfig | DimReductionConfig | ClusteringConfig, int]],
    max_shift: int,
    reporter: Reporter,
) -> NDArray[np.float32] | None:
    """Return propagated labels of the pool for each configuration with its seed, `[members, pool, classes]`.

    Where a configuration has clusters instead of labels, they are the graph's clusters, by the seed. None where no
    configuration has a weight for them. Where views are shifted, by `max_shift` at the most, so are images to find
    their neighbours, by `graph_shift` of it. The `reporter` is told: that of 50,000 images takes half a minute.
    """
    if not any(config.weights.propagation > 0 for config, _ in members):
        return None
    from aae_jax.propagation import (  # SciPy takes a third of a second
        cluster_targets_of,
        graph_clusters,
        graph_directions,
        graph_of,
        graph_shift,
        targets_of,
    )

    graph, found, made, directions = None, [], {}, {}
    for config, seed in members:
        splits = indices_for_seed(config, dataset, seed)
        clusters = None if isinstance(config, SemiSupervisedConfig) else config.num_clusters
        if graph is None:  # the pool is the same for all
            reporter.working(f"linking {len(splits.unlabelled):,} images to their nearest neighbours")
            graph = graph_of(dataset.train_images[splits.unlabelled], graph_shift(max_shift))
        if clusters is not None:
            if clusters not in directions:
                directions[clusters] = graph_directions(graph, clusters)
            named = graph_clusters(directions[clusters], seed)
            found.append(cluster_targets_of(graph, named, clusters))
            continue
        subset = splits.labelled.tobytes()
        if subset not in made:
            places = np.searchsorted(splits.unlabelled, splits.labelled)
            made[subset] = targets_of(graph, places, dataset.train_labels[splits.labelled], dataset.num_classes)
        found.append(made[subset])
    return np.stack(found)
