"""Graphs of nearest neighbours: label propagation before training, spectral clustering without labels.

Labels are propagated over the graph (Zhou et al. 2004, "Learning with local and global consistency"). Without labels,
the graph is cut into clusters with few common neighbours (Ng, Jordan and Weiss 2002, "On spectral clustering").
`targets_of` and `cluster_targets_of` turn these into the initial targets of the generator phase.
"""

from aae_jax.graph.clusters import cluster_targets_of, graph_clusters, graph_directions
from aae_jax.graph.neighbours import (
    Axes,
    Neighbours,
    graph_shift,
    nearest_neighbours,
    principal_axes,
    principal_components,
)
from aae_jax.graph.propagation import graph_of, propagate_labels, propagated_targets, similarity_graph, targets_of

__all__ = [
    "Axes",
    "Neighbours",
    "cluster_targets_of",
    "graph_clusters",
    "graph_directions",
    "graph_of",
    "graph_shift",
    "nearest_neighbours",
    "principal_axes",
    "principal_components",
    "propagate_labels",
    "propagated_targets",
    "similarity_graph",
    "targets_of",
]
