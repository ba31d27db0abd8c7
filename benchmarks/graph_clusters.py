"""What the clusters of a graph of neighbours are wrong for by themselves, before any training (ADR 0014).

`python benchmarks/graph_clusters.py --data-dir FOLDER`

Of the training images of which clustering's pool is, by majority among themselves; the test images are not looked at.
Writes `results/graph_clusters.json`.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from aae_jax.data import load_dataset, split_indices
from aae_jax.propagation import graph_clusters, graph_directions, graph_of

RESULTS = Path(__file__).resolve().parent.parent / "results" / "graph_clusters.json"
COUNTS, SHIFTS, SEEDS = (10, 16, 20, 30), (0, 1), range(3)


def majority_error(clusters: np.ndarray, labels: np.ndarray, num_clusters: int) -> float:
    """Return the share of images that are not of their cluster's most frequent class."""
    counts = np.zeros((num_clusters, int(labels.max()) + 1))
    np.add.at(counts, (clusters, labels), 1)
    return float(1 - counts.max(axis=1).sum() / len(labels))


def main() -> None:
    """Find clusters on both graphs and write their errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--data-dir", default=None)
    flags = parser.parse_args()
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
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
