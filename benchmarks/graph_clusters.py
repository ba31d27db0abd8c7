"""Error of the clusters of a graph of neighbours by themselves, before any training (ADR 0014).

`python benchmarks/graph_clusters.py --data-dir FOLDER`

The images are those of clustering's pool, and a cluster's class is that of most of its images; test images are not
looked at. Writes JSON (`--out`). With `--dataset digits` it takes seconds.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aae_jax.data import load_dataset, split_indices
from aae_jax.graph.clusters import graph_clusters, graph_directions
from aae_jax.graph.propagation import graph_of

COUNTS, SHIFTS, SEEDS = (10, 16, 20, 30), (0, 1), range(3)


def majority_error(clusters: np.ndarray, labels: np.ndarray, num_clusters: int) -> float:
    """Return the share of images that are not of their cluster's most frequent class."""
    counts = np.zeros((num_clusters, int(labels.max()) + 1))
    np.add.at(counts, (clusters, labels), 1)
    return float(1 - counts.max(axis=1).sum() / len(labels))


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--data-dir", help="folder with the data set's files")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/graph_clusters.json"))
    return parser.parse_args(argv)


def main() -> int:
    """Find clusters on both graphs and write their errors."""
    flags = parse_flags()
    data = load_dataset(flags.dataset, data_dir=flags.data_dir)
    pool = split_indices(data.train_labels, num_classes=data.num_classes, num_labels=None, label_seed=0).unlabelled
    rows: list[dict[str, Any]] = []
    for shift in SHIFTS:
        begun = time.perf_counter()
        graph = graph_of(data.train_images[pool], shift)
        built = time.perf_counter() - begun
        for count in COUNTS:
            begun = time.perf_counter()
            directions = graph_directions(graph, count)
            errors = [
                majority_error(graph_clusters(directions, seed), data.train_labels[pool], count) for seed in SEEDS
            ]
            row = {"shift": shift, "clusters": count, "errors": errors, "graph_seconds": round(built, 1)}
            rows.append({**row, "clusters_seconds": round((time.perf_counter() - begun) / len(errors), 1)})
            print(f"{rows[-1]}", flush=True)
    found = {"dataset": flags.dataset, "images": len(pool), "seeds": list(SEEDS), "rows": rows}
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    flags.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"written to {flags.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
