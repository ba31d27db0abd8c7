"""Propagated labels, clusters and neighbours from the graph of a run's pool, for each seed or sweep member."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from aae_jax.data import Dataset, Reporter, Splits
from aae_jax.models.clustering.config import ClusteringConfig
from aae_jax.models.dim_reduction.config import DimReductionConfig
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.models.shared.class_frequencies import assumed_frequencies
from aae_jax.models.shared.splits import indices_for_seed

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["forget_graphs", "pool_neighbours", "propagated_labels"]

MAX_KEPT = 64
"""Maximum number of cached results; with 50,000 images, each subset of labelled images takes 2 MB."""

Found = TypeVar("Found")
_kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
_lock = threading.Lock()


def propagated_labels(
    dataset: Dataset,
    members: Sequence[tuple[SemiSupervisedConfig | DimReductionConfig | ClusteringConfig, int]],
    max_shift: int,
    reporter: Reporter,
) -> NDArray[np.float32] | None:
    """Return propagated labels of the pool for each configuration with its seed, `[members, pool, classes]`.

    For a configuration with clusters instead of labels, they are the graph's clusters, found with the seed. None if
    no configuration has a propagation weight. If views are shifted, by at most `max_shift`, so are images in the
    search for neighbours, by `graph_shift(max_shift)`. Progress goes to `reporter`: a graph of 50,000 images takes
    half a minute. Results for the same images and subset are cached in the process.
    """
    if not any(config.weights.propagation > 0 for config, _ in members):
        return None
    splits = [indices_for_seed(config, dataset, seed) for config, seed in members]
    pool = _Pool(dataset.train_images[splits[0].unlabelled], max_shift, reporter)  # all members share the pool
    made: dict[Any, NDArray[np.float32]] = {}
    found = []
    for (config, seed), own in zip(members, splits, strict=True):
        clusters = None if isinstance(config, SemiSupervisedConfig) else config.num_clusters
        frequencies = assumed_frequencies(config, dataset, dataset.train_labels[own.validation])
        known = None if frequencies is None else frequencies.tobytes()
        key = (clusters, seed) if clusters is not None else (own.labelled.tobytes(), known)
        if key not in made:
            made[key] = pool.labels(dataset, own, frequencies) if clusters is None else pool.clusters(clusters, seed)
        found.append(made[key])
    return np.stack(found)


def pool_neighbours(pool: NDArray[Any], k: int, max_shift: int, reporter: Reporter) -> NDArray[np.int32]:
    """Return the indices into the pool of each image's k nearest neighbours, `[pool, k]`; see `propagated_labels`."""
    return _Pool(pool, max_shift, reporter).neighbours(k)


def forget_graphs() -> None:
    """Clear the process's cache of graphs, e.g. when data are no longer needed."""
    with _lock:
        _kept.clear()


class _Pool:
    """The graph of a pool's images and the results derived from it, each computed on first use."""

    def __init__(self, images: NDArray[Any], max_shift: int, reporter: Reporter) -> None:
        from aae_jax.graph.neighbours import graph_shift  # importing SciPy takes 0.3 s

        self._images, self._reporter = images, reporter
        self._shift = graph_shift(max_shift)
        digest = hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
        self._key = (digest, images.shape, images.dtype.str, self._shift)

    def neighbours(self, k: int) -> NDArray[np.int32]:
        from aae_jax.graph.neighbours import neighbours_of

        def compute() -> NDArray[np.int32]:
            self._say()
            return np.asarray(neighbours_of(self._images, k, self._shift).indices)

        return self._once(compute, "neighbours", k)

    def labels(
        self, dataset: Dataset, splits: Splits, frequencies: NDArray[np.float64] | None = None
    ) -> NDArray[np.float32]:
        from aae_jax.graph.propagation import targets_of

        places = np.searchsorted(splits.unlabelled, splits.labelled)
        classes = dataset.train_labels[splits.labelled]

        def compute() -> NDArray[np.float32]:
            return targets_of(self._graph(), places, classes, dataset.num_classes, frequencies)

        known = None if frequencies is None else frequencies.tobytes()
        return self._once(compute, "labels", places.tobytes(), classes.tobytes(), dataset.num_classes, known)

    def clusters(self, count: int, seed: int) -> NDArray[np.float32]:
        from aae_jax.graph.clusters import cluster_targets_of, graph_clusters, graph_directions

        def compute() -> NDArray[np.float32]:
            graph = self._graph()
            directions = self._once(lambda: graph_directions(graph, count), "directions", count)
            return cluster_targets_of(graph, graph_clusters(directions, seed), count)

        return self._once(compute, "clusters", count, seed)

    def _graph(self) -> "csr_matrix":
        from aae_jax.graph.propagation import graph_of

        def compute() -> "csr_matrix":
            self._say()
            return graph_of(self._images, self._shift)

        return self._once(compute, "graph")

    def _say(self) -> None:
        self._reporter.working(f"linking {len(self._images):,} images to their nearest neighbours")

    def _once(self, compute: Callable[[], Found], *what: Any) -> Found:
        """Return the result of `compute`, cached for the same pool and `what`."""
        key = (*self._key, *what)
        with _lock:
            if key in _kept:
                _kept.move_to_end(key)
                found: Found = _kept[key]
                return found
        found = compute()
        with _lock:
            _kept[key] = found
            while len(_kept) > MAX_KEPT:
                _kept.popitem(last=False)
        return found
