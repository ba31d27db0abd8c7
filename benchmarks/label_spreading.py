"""Scikit-learn's LabelSpreading on the digits, on the very splits of `experiments/semi_supervised.py`.

`python benchmarks/label_spreading.py --splits 5 --labels 100 --out results/label_spreading_digits.json`

Split i is `--split-seed i --label-seed i`. LabelSpreading gets the labelled images and the unlabelled pool
and classifies the test images. Its best setting of a grid is chosen *on the test images*, which favours it. One split
takes seconds.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.semi_supervised import LabelSpreading

from aae_jax.data import load_dataset, split_indices

GRID = [
    *({"kernel": "rbf", "gamma": gamma} for gamma in (2.0, 3.5, 5.0, 7.0, 10.0)),
    *({"kernel": "knn", "n_neighbors": count} for count in (3, 5, 7, 10, 15)),
]


def split_error(split: int, num_labels: int, setting: dict[str, object]) -> float:
    """Return LabelSpreading's test error on one split."""
    data = load_dataset("digits", split_seed=split)
    chosen = split_indices(data.train_labels, num_classes=data.num_classes, num_labels=num_labels, label_seed=split)
    labels = np.full(len(data.train_labels), -1)
    labels[chosen.labelled] = data.train_labels[chosen.labelled]
    pool = data.train_images[chosen.unlabelled].reshape(len(chosen.unlabelled), -1) / 255.0
    model = LabelSpreading(max_iter=200, alpha=0.2, **setting).fit(pool, labels[chosen.unlabelled])
    predicted = model.predict(data.test_images.reshape(len(data.test_images), -1) / 255.0)
    return float(np.mean(predicted != data.test_labels))


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--out", type=Path, help="JSON file; only printed without")
    return parser.parse_args(argv)


def main() -> int:
    """Print and write the errors of every setting; the best mean is the number to beat."""
    args = parse_flags()
    rows = []
    for setting in GRID:
        errors = [split_error(split, args.labels, setting) for split in range(args.splits)]
        rows.append({"setting": setting, "test_error": errors, "mean": statistics.mean(errors)})
        print(f"{setting}: {100 * rows[-1]['mean']:.2f} %  {[round(100 * e, 2) for e in errors]}")
    best = min(rows, key=lambda row: row["mean"])
    print(f"best mean: {100 * best['mean']:.2f} % with {best['setting']}")
    if args.out:
        text = json.dumps({"labels": args.labels, "best": best, "rows": rows}, indent=2)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
