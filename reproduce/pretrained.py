"""Models that come with the library, one for each kind of figure: training, rounding to float16, and their record.

`python -m reproduce.pretrained --runs runs/pretrained --data-dir DIR` trains what is missing there, at most ten
minutes each on one core, and writes aae_jax/pretrained/ and results/pretrained.json.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aae_jax.data import Dataset, load_dataset
from aae_jax.errors import InputError
from aae_jax.run.run import main as train
from aae_jax.run.run_dir import SUMMARY_FILE
from aae_jax.saved.card import CARD_FILE, model_card
from aae_jax.saved.format import WEIGHTS_FILE
from aae_jax.saved.model import Model
from aae_jax.saved.storage import PRETRAINED_FOLDER, load

__all__ = ["RECORD", "ROWS", "PretrainedRow", "main", "pack"]

RECORD = Path(__file__).resolve().parent.parent / "results" / "pretrained.json"
HIDDEN = ("--network.hidden", "512", "256")
"""Half as wide as the presets' networks, so that a model takes 2 MB."""

APART = (
    "--conditional",
    *("--weights.style-mmd", "30", "--weights.generated-label", "1", "--views.style-of", "clean"),
    *("--optimizers.encoder-share", "0.1", "--optimizers.reconstruction.learning-rate", "1e-3"),
)
"""What the default of `semi_supervised` separates style and class with (ADR 0022), and a faster reconstruction."""


class PretrainedRow(NamedTuple):
    """A model that comes with the library: its name, what it shows, the experiment and the flags of its run."""

    name: str
    shows: str
    experiment: str
    flags: tuple[str, ...]


ROWS = (
    PretrainedRow(
        "gaussian", "a Gaussian prior in two dimensions (figures 1, 2a)", "unsupervised", ("--epochs", "20")
    ),
    PretrainedRow("mixture", "ten Gaussians (figure 2b)", "unsupervised", ("--preset", "mixture", "--epochs", "16")),
    PretrainedRow(
        "ten-gaussians", "ten Gaussians, one per digit (figures 3, 4a)", "label_regularized", ("--epochs", "10")
    ),
    PretrainedRow(
        "swiss-roll",
        "a swiss roll, a tenth of it per digit (figure 4c)",
        "label_regularized",
        ("--preset", "swiss_roll", "--epochs", "10"),
    ),
    PretrainedRow("supervised", "style apart from a given class (figures 6, 7)", "supervised", ("--epochs", "20")),
    PretrainedRow(
        "semi-supervised",
        "classification from 1,000 labels, style and class (figure 8)",
        "semi_supervised",
        ("--labels", "1000", "--epochs", "20"),
    ),
    PretrainedRow(
        "clustering",
        "thirty clusters (figure 9)",
        "clustering",
        ("--preset", "graph_shifts", "--epochs", "16", *APART),
    ),
    PretrainedRow(
        "dim-reduction", "two dimensions from 1,000 labels (figures 10, 11)", "dim_reduction", ("--epochs", "30")
    ),
)


def pack(row: PretrainedRow, run: Path, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write the model of a run, rounded, with its card, and return what is recorded of it.

    Args:
        row: Which model it is.
        run: Folder of its finished run.
        dataset: Whose test images show what rounding costs.
        folder: Where to write.
    """
    model, summary = load(run), json.loads((run / SUMMARY_FILE).read_text(encoding="utf-8"))
    model.save(folder, weights="float16")
    (folder / CARD_FILE).write_text(model_card(model, summary), encoding="utf-8")
    return {
        "shows": row.shows,
        "experiment": row.experiment,
        "flags": [*row.flags, *HIDDEN],
        "git_commit": summary["git_commit"],
        "data_sha256": summary["data"]["sha256"],
        "updates": summary["updates"],
        "train_seconds": round(summary["train_seconds"], 1),
        "megabytes": round((folder / WEIGHTS_FILE).stat().st_size / 1e6, 2),
        "test": {name: value["mean"] for name, value in summary["test"].items() if "/" not in name},
        "conditional_accuracy": _mean(summary, "conditional_accuracy"),
        "two_sample_accuracy": _mean(summary.get("generation", {}), "two_sample_accuracy", "codes_and_prior"),
        "float32": measure(model, dataset),
        "float16": measure(load(folder), dataset, beside=model),
    }


def _mean(summary: Any, name: str, group: str = "generation") -> float | None:
    measured = (summary.get(group) or {}).get(name)
    return None if measured is None else float(measured["mean"])


def measure(model: Model, dataset: Dataset, beside: Model | None = None) -> dict[str, float]:
    """Return errors of a model on test images, and the share of images that keep the class that `beside` gives."""
    images, labels = dataset.test_images, dataset.test_labels
    given = labels if model.decoded_label and not model.num_classes else None
    made = np.asarray(model.reconstruct(images, given))
    found = {"reconstruction_error": float(np.mean((made - images / 255.0) ** 2))}
    if model.num_classes:
        classes = np.asarray(model.predict(images))
        if not model.clusters:
            found["error"] = float(np.mean(classes != labels))
        if beside is not None:
            found["same_class"] = float(np.mean(classes == np.asarray(beside.predict(images))))
    return found


def main(argv: list[str] | None = None) -> int:
    """Train what is missing, write all models and their record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=Path, default=Path("runs/pretrained"), help="folder of the runs")
    parser.add_argument("--data-dir", help="folder of MNIST's files")
    parser.add_argument("--rows", nargs="*", help="names of models; all others keep their record")
    flags = parser.parse_args(argv)
    unknown = set(flags.rows or ()) - {row.name for row in ROWS}
    if unknown:
        raise InputError(f"There is no row {sorted(unknown)[0]!r}; choose of {', '.join(row.name for row in ROWS)}.")
    where = ["--data-dir", flags.data_dir] if flags.data_dir else []
    dataset = load_dataset("mnist", data_dir=flags.data_dir)
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    for row in ROWS:
        if flags.rows and row.name not in flags.rows:
            continue
        run = flags.runs / row.name
        if not (run / SUMMARY_FILE).is_file():
            status = train(row.experiment, [*row.flags, *HIDDEN, "--dataset", "mnist", *where, "--out-dir", str(run)])
            if status:
                return status
        record[row.name] = pack(row, run, dataset, PRETRAINED_FOLDER / row.name)
        ordered = {each.name: record[each.name] for each in ROWS if each.name in record}
        RECORD.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
