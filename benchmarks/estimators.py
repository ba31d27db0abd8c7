"""Estimators against scikit-learn's and PyOD's: errors with few labels, and outliers.

`python benchmarks/estimators.py [--toy] [--splits 10] [--data-dir FOLDER] [--out results/estimators.json]`

Classification: each split has its own labelled rows and test rows; the other training rows are unlabelled. Every
method has its default settings, or those named in `CLASSIFIERS`; none is chosen on test rows. Outliers: the ordinary
class is trained on, the other has to be told apart from its held-out rows. Prints the tables of docs/estimators.md.
MNIST is left out without the folder of its files, PyOD's autoencoder without benchmarks/requirements-pyod.txt.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from machine import describe_machine
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification, make_moons
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

try:
    from pyod.models.auto_encoder import AutoEncoder
except ImportError:
    AutoEncoder = None

from aae_jax import load_dataset
from aae_jax.estimators import AAEClassifier, AAEOutlierDetector, GraphLabelSpreading

OUTLIER_SPLITS = 3
"""Splits for outliers, and for MNIST."""
MNIST_ROWS = 10_000
BEST = 1.0
"""Standard deviations within which a mean counts as the best."""


class Data(NamedTuple):
    """A data set: rows, classes, labels per class, and the shape of images."""

    rows: np.ndarray
    labels: np.ndarray
    per_class: int
    image_shape: tuple[int, ...] | None = None


def load_sets(data_dir: str | None = None) -> dict[str, Data]:
    """Return the data sets by the name in the table; with the folder of MNIST's files, rows of these too."""
    digits, cancer, wine = load_digits(), load_breast_cancer(), load_wine()
    made = make_classification(5000, 20, n_informative=8, n_classes=4, class_sep=1.5, random_state=0)
    moons, side = make_moons(5000, noise=0.2, random_state=0)
    wide = np.random.default_rng(0).normal(size=(5000, 6))
    sets = {
        "digits, 100 labels": Data(digits.data, digits.target, 10, (8, 8)),
        "breast cancer, 6 labels": Data(cancer.data, cancer.target, 3),
        "wine, 6 labels": Data(wine.data, wine.target, 2),
        "made up, 52 labels": Data(*made, 13),
        "moons and noise, 50 labels": Data(np.concatenate([moons, 0.3 * wide], axis=1), side, 25),
    }
    if data_dir is not None:
        mnist = load_dataset("mnist", data_dir=data_dir)
        chosen = np.random.default_rng(0).permutation(len(mnist.train_images))[:MNIST_ROWS]
        rows = mnist.train_images[chosen].reshape(MNIST_ROWS, -1)
        sets[f"MNIST ({MNIST_ROWS:,}), 100 labels"] = Data(rows, mnist.train_labels[chosen], 10, (28, 28))
    return sets


Build = Callable[[Data, int], Any]


class PyODAutoEncoder:
    """PyOD's autoencoder, with scikit-learn's sign."""

    def __init__(self, data: Data, seed: int) -> None:
        """Build it with its default settings."""
        self.model = AutoEncoder(random_state=seed, verbose=0)

    def fit(self, rows: np.ndarray) -> None:
        """Train on rows, which it standardises itself."""
        self.model.fit(np.asarray(rows, np.float64))

    def score_samples(self, rows: np.ndarray) -> np.ndarray:
        """Return how ordinary rows are."""
        return -np.asarray(self.model.decision_function(np.asarray(rows, np.float64)))


class PCALogistic:
    """Logistic regression on principal components of all rows."""

    def __init__(self, components: int) -> None:
        """Store the number of components."""
        self.axes = make_pipeline(StandardScaler(), PCA(components))
        self.classifier = LogisticRegression(max_iter=2000)

    def fit(self, rows: np.ndarray, labels: np.ndarray) -> None:
        """Fit components to all rows and the classifier to those with a label other than -1."""
        codes = self.axes.fit_transform(rows)
        self.classifier.fit(codes[labels >= 0], labels[labels >= 0])

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return the class of each row."""
        return np.asarray(self.classifier.predict(self.axes.transform(rows)))


def _scaled(model: Any, data: Data) -> Any:
    return model if data.image_shape else make_pipeline(StandardScaler(), model)


CLASSIFIERS: dict[str, tuple[Build, bool]] = {
    "AAEClassifier": (lambda data, seed: AAEClassifier(image_shape=data.image_shape, random_state=seed), True),
    "GraphLabelSpreading": (lambda data, seed: _scaled(GraphLabelSpreading(), data), True),
    "LabelSpreading, 7 neighbours": (
        lambda data, seed: _scaled(LabelSpreading(kernel="knn", n_neighbors=7), data),
        True,
    ),
    "SelfTraining, logistic": (
        lambda data, seed: make_pipeline(StandardScaler(), SelfTrainingClassifier(LogisticRegression(max_iter=2000))),
        True,
    ),
    "PCA, logistic": (lambda data, seed: PCALogistic(min(20, data.rows.shape[1])), True),
    "MLP": (
        lambda data, seed: make_pipeline(StandardScaler(), MLPClassifier(max_iter=1000, random_state=seed)),
        False,
    ),
    "HistGradientBoosting": (lambda data, seed: HistGradientBoostingClassifier(random_state=seed), False),
}
"""Methods by name, and whether they get the unlabelled rows too."""
DETECTORS: dict[str, Build] = {
    "AAEOutlierDetector": lambda data, seed: AAEOutlierDetector(image_shape=data.image_shape, random_state=seed),
    "IsolationForest": lambda data, seed: IsolationForest(random_state=seed),
    "LocalOutlierFactor": lambda data, seed: _scaled(LocalOutlierFactor(novelty=True), data),
}

if AutoEncoder is not None:
    DETECTORS["AutoEncoder (PyOD)"] = PyODAutoEncoder


def split(data: Data, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return training rows, their labels with -1 for none, test rows and their labels; a quarter is tested."""
    train, test, labels, truth = train_test_split(data.rows, data.labels, stratify=data.labels, random_state=seed)
    generator, known = np.random.default_rng(seed), np.full(len(labels), -1)
    for label in np.unique(labels):
        chosen = generator.permutation(np.flatnonzero(labels == label))[: data.per_class]
        known[chosen] = label
    return train, known, test, truth


def classify(sets: dict[str, Data], splits: int, toy: bool) -> list[dict[str, Any]]:
    """Return errors by set, method and split."""
    found = []
    for name, data in sets.items():
        for method, (build, unlabelled) in CLASSIFIERS.items():
            errors, begun = [], time.perf_counter()
            for seed in range(min(splits, OUTLIER_SPLITS) if name.startswith("MNIST") else splits):
                train, known, test, truth = split(data, seed)
                model = build(data, seed)
                if toy and isinstance(model, AAEClassifier):
                    model.set_params(epochs=2, hidden=(16,))
                rows = slice(None) if unlabelled else known >= 0
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model.fit(train[rows], known[rows])
                errors.append(float(np.mean(model.predict(test) != truth)))
            seconds = (time.perf_counter() - begun) / len(errors)
            found.append({"data": name, "method": method, "errors": errors, "seconds": round(seconds, 2)})
            print(f"{name}: {method} {100 * np.mean(errors):.2f} %, {seconds:.1f} s a fit", flush=True)
    return found


def detect(sets: dict[str, Data], splits: int, toy: bool) -> list[dict[str, Any]]:
    """Return areas under the ROC curve by set, method and split; class `seed` modulo the classes is the stranger."""
    found = []
    for name, data in sets.items():
        short = name.split(",")[0]
        classes = np.unique(data.labels)
        for method, build in DETECTORS.items():
            areas = []
            for seed in range(splits):
                strange = data.labels == classes[seed % len(classes)]
                ordinary = np.random.default_rng(seed).permutation(np.flatnonzero(~strange))
                train, held_out = np.array_split(ordinary, 2)
                model = build(data, seed)
                if toy and isinstance(model, AAEOutlierDetector):
                    model.set_params(epochs=2, hidden=(16,))
                model.fit(data.rows[train])
                tested = np.concatenate([held_out, np.flatnonzero(strange)])
                areas.append(float(roc_auc_score(~strange[tested], model.score_samples(data.rows[tested]))))
            found.append({"data": short, "method": method, "areas": areas})
            print(f"{short}: {method} AUROC {np.mean(areas):.3f}", flush=True)
    return found


def tables(results: dict[str, Any]) -> list[str]:
    """Return both tables in Markdown; the best of a row, and what is within one standard deviation of it, is bold."""
    return [
        *_table(results["classification"], "errors", 100, -1, "error, %"),
        "",
        *_table(results["outliers"], "areas", 1, 1, "AUROC"),
    ]


def _table(rows: Sequence[dict[str, Any]], key: str, scale: float, sign: int, what: str) -> list[str]:
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = [f"| {what} | {' | '.join(methods)} |", "|---" * (len(methods) + 1) + "|"]
    for data in dict.fromkeys(row["data"] for row in rows):
        values = {row["method"]: scale * np.asarray(row[key]) for row in rows if row["data"] == data}
        best = max(values.values(), key=lambda value: sign * value.mean())
        spread = best.std(ddof=1) if len(best) > 1 else 0.0
        cells = []
        for method in methods:
            mean = values[method].mean()
            digits = 2 if scale == 1 else 1
            text = f"{mean:.{digits}f}"
            if len(best) > 1:
                text += f" ± {values[method].std(ddof=1):.{digits}f}"
            cells.append(f"**{text}**" if sign * (best.mean() - mean) <= BEST * spread else text)
        lines.append(f"| {data} | {' | '.join(cells)} |")
    return lines


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="two small sets and tiny networks")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--data-dir", help="folder with MNIST's files; without it MNIST is left out")
    parser.add_argument("--out", default="results/estimators.json")
    return parser.parse_args(argv)


def main() -> None:
    """Run both comparisons and write the numbers."""
    flags = parse_flags()
    sets = load_sets(flags.data_dir)
    if flags.toy:
        sets = {name: sets[name] for name in ("breast cancer, 6 labels", "wine, 6 labels")}
    results = {
        "command": f"python benchmarks/estimators.py --splits {flags.splits}"
        + (" --data-dir FOLDER" if flags.data_dir else ""),
        "machine": describe_machine(),
        "splits": flags.splits,
        "classification": classify(sets, flags.splits, flags.toy),
        "outliers": detect(sets, min(flags.splits, OUTLIER_SPLITS), flags.toy),
    }
    Path(flags.out).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print("\n".join(["", *tables(results)]))


if __name__ == "__main__":
    main()
