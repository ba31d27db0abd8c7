"""Recording of a finished row: one JSON file of its configuration and numbers, and a gallery row's figures."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from aae_jax.commands.visualize import run_visualize
from aae_jax.compat.summaries import current_summary
from aae_jax.config.text import from_mapping, read_yaml
from aae_jax.data import Dataset
from aae_jax.errors import InputError
from aae_jax.evaluation import confusion_counts, describe_calibration
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.models.shared.splits import indices_for_seed, split_for_seed
from aae_jax.run.console import Console, DataReporter
from aae_jax.run.run_dir import CONFIG_FILE, SUMMARY_FILE, RunFolder, write_text
from aae_jax.run.setup import load_data
from aae_jax.saved.model import Model
from aae_jax.saved.storage import load
from reproduce.models import ModelRow
from reproduce.pictures import write_small
from reproduce.recorded_runs import with_named_errors
from reproduce.tables import AnyRow, Row

__all__ = ["PLAN_FILE", "record"]

PLAN_FILE = "plan.json"
LISTED = 1000
"""Labelled images up to which a subset is listed; of a larger one the SHA-256 is recorded."""
TOLERANCE = 0.002
"""Difference of a saved model's error from its run's that is rounding: another device, or one seed at a time."""


def record(row: AnyRow, folder: Path, results: Path, console: Console) -> Path:
    """Write a finished row's configuration and numbers into `results` as `<row>.json` and return that path.

    A row of few labels has its subsets, curve and answers too; a row of the table of all models its figures, as
    `<row>/<figure>.png`.

    Args:
        row: The row.
        folder: Of the row's plan and run.
        results: The folder of the table's results.
        console: Told where the data come from.

    Raises:
        InputError: The data, or the saved models, are not those of the run, or a figure of the gallery is missing.
    """
    run = RunFolder(folder / "run")
    summary = current_summary(json.loads((run.path / SUMMARY_FILE).read_text(encoding="utf-8")))
    config = read_yaml(run.path / CONFIG_FILE)
    found = {
        "row": row.name,
        "preset": row.preset,
        "budget_minutes": json.loads((folder / PLAN_FILE).read_text(encoding="utf-8"))["budget_minutes"],
        "full_updates": row.epochs * summary["updates"] // summary["epochs"],
        **(with_named_errors(summary) if isinstance(row, Row) else summary),
        "config": config,
    }
    if isinstance(row, Row):
        found |= {"recipe": row.recipe, "shifts": row.shifts, **_of_few_labels(run, config, summary, console)}
    else:
        _copy_figures(row, run, config["data_dir"], summary, results / row.name)
    path = results / f"{row.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, _compact(found))
    return path


def _of_few_labels(
    run: RunFolder, settings: Mapping[str, Any], summary: Mapping[str, Any], console: Console
) -> dict[str, Any]:
    """Return the subsets, the validation curve and the answers of a run of the semi-supervised experiment."""
    config = from_mapping(SemiSupervisedConfig, settings)
    dataset = load_data(config, DataReporter(console))
    if dataset.sha256 != summary["data"]["sha256"]:
        raise InputError(
            f"The data have changed since {run.path} was trained: SHA-256 {summary['data']['sha256'][:9]}… then, "
            f"{dataset.sha256[:9]}… now; restore the old data, or remove that folder."
        )
    subsets = {str(seed): _subset(indices_for_seed(config, dataset, seed).labelled) for seed in summary["seeds"]}
    curve = [(entry["update"], entry["validation_error"]) for entry in run.read_metrics()]
    return {
        "curve": {"update": [update for update, _ in curve], "validation_error": [error for _, error in curve]},
        "subsets": "all" if config.labels == "all" else subsets,
        "answers": _answers(run, config, dataset, summary),
    }


def _subset(indices: NDArray[Any]) -> list[int] | str:
    """Return the numbers of the labelled images, or the SHA-256 of many, as little-endian 32-bit integers."""
    return indices.tolist() if len(indices) <= LISTED else hashlib.sha256(indices.astype("<i4").tobytes()).hexdigest()


def _answers(
    run: RunFolder, config: SemiSupervisedConfig, dataset: Dataset, summary: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the saved models take each class for, and how sure they are, by seed; None where one failed.

    Counts of the confusion are `[true class][answer]`; bins of certainty are those of `describe_calibration`. They
    are those of the test images, or of the validation images if the run did not evaluate the test images.
    """
    found: dict[str, Any] = {"measured_on": "test" if config.test else "validation"}
    found |= {"confusion": [], "as_trained": [], "calibrated": []}
    images, labels = dataset.test_images, dataset.test_labels
    if not config.test:
        arrays = split_for_seed(config, dataset, config.seed)
        images, labels = arrays.validation_images, arrays.validation_labels
    alive = [seed for seed in summary["seeds"] if str(seed) not in summary["failed_seeds"]]
    for seed, error in zip(summary["seeds"], summary[found["measured_on"]]["error"]["per_seed"], strict=True):
        own: dict[str, Any] = dict.fromkeys(found)
        if seed in alive:
            path = run.model(seed, alive[0])
            own = _answers_of(load(path), images, labels)
            wrong = 1.0 - np.trace(own["confusion"]) / len(labels)
            if abs(wrong - error) > TOLERANCE:
                raise InputError(
                    f"The model in {path} has an error of {100 * wrong:.2f} % on the images, but its run of "
                    f"{100 * error:.2f} %; train the row again."
                )
        for name in ("confusion", "as_trained", "calibrated"):
            found[name].append(own[name])
    return found


def _answers_of(model: Model, images: NDArray[Any], labels: NDArray[Any]) -> dict[str, Any]:
    logits = np.asarray(model.encode_stored(jnp.asarray(images)).logits)
    calibration = describe_calibration(logits, labels, model.temperature)
    at = calibration["calibrated"]
    return {
        "confusion": confusion_counts(labels, np.argmax(logits, axis=1), model.num_classes).tolist(),
        "as_trained": calibration["bins"],
        "calibrated": None if at is None else at["bins"],
    }


def _copy_figures(
    row: ModelRow, run: RunFolder, data_dir: str | None, summary: Mapping[str, Any], target: Path
) -> None:
    """Write the gallery's figures of a run into `target`."""
    names = figures_of(row, summary)
    pictures = [run.figures / f"{name}.png" for name in names]
    if row.visualized:
        pictures += [path for path in _visualize(run, data_dir) if path.stem in row.visualized]
    missing = {*names, *row.visualized} - {path.stem for path in pictures if path.is_file()}
    if missing:
        raise InputError(
            f"{run.path} has no {', '.join(sorted(missing))}; remove its {SUMMARY_FILE} and give the command again, "
            "which draws the figures again."
        )
    for picture in pictures:
        write_small(picture, target / picture.name)


def figures_of(row: ModelRow, summary: Mapping[str, Any]) -> list[str]:
    """Return the names of a row's figures that its run drew: of data without labels there is no error to draw."""
    measured = [name for name in summary.get("validation", ["error"]) if name != "reconstruction_error"]
    has_error = any(name.endswith("error") for name in measured)
    return [name for name in row.figures if has_error or name != "validation_error"]


def _visualize(run: RunFolder, data_dir: str | None) -> list[Path]:
    """Return the pictures that `aae-jax visualize` makes of a run's saved model, in a new folder next to the run."""
    folder = run.path.parent / "visualization"
    shutil.rmtree(folder, ignore_errors=True)
    run_visualize([str(run.path), "--out-dir", str(folder), *([] if data_dir is None else ["--data-dir", data_dir])])
    return sorted(folder.glob("*.png"))


def _compact(values: dict[str, Any]) -> str:
    """Return JSON with a line for each entry, and for each entry of an entry."""
    lines = []
    for name, value in values.items():
        if isinstance(value, dict) and value:
            inner = ",\n".join(f"  {json.dumps(str(key))}: {json.dumps(item)}" for key, item in value.items())
            lines.append(f" {json.dumps(name)}: {{\n{inner}\n }}")
        else:
            lines.append(f" {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
