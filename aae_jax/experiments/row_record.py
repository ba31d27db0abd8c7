"""What is published of a finished row: one JSON file of its configuration, subsets, curve, errors and answers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from aae_jax.config.text import from_mapping, read_yaml
from aae_jax.data import Dataset
from aae_jax.errors import InputError
from aae_jax.evaluation import confusion_counts, describe_calibration
from aae_jax.experiments.table_rows import Row
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.models.shared.splits import indices_for_seed, split_for_seed
from aae_jax.run.console import Console, DataReporter
from aae_jax.run.run_dir import CONFIG_FILE, SUMMARY_FILE, RunFolder, write_text
from aae_jax.run.setup import load_data
from aae_jax.saved.model import Model, load

__all__ = ["PLAN_FILE", "compact", "record"]

PLAN_FILE = "plan.json"
SAME = 0.002
"""Difference of a saved model's error from its run's that is rounding: another device, or one seed at a time."""


def record(row: Row, folder: Path, results: Path, console: Console) -> Path:
    """Write a finished row's configuration, subsets, curve, errors and answers into `results`; return the file.

    Raises:
        InputError: The data, or the saved models, are not those of the run.
    """
    run = RunFolder(folder / "run")
    summary = json.loads((run.path / SUMMARY_FILE).read_text(encoding="utf-8"))
    plan = json.loads((folder / PLAN_FILE).read_text(encoding="utf-8"))
    config = from_mapping(SemiSupervisedConfig, read_yaml(run.path / CONFIG_FILE))
    dataset = load_data(config, DataReporter(console))
    if dataset.sha256 != summary["data"]["sha256"]:
        raise InputError(
            f"The data have changed since {run.path} was trained: SHA-256 {summary['data']['sha256'][:9]}… then, "
            f"{dataset.sha256[:9]}… now; bring the old ones back, or remove that folder."
        )
    subsets = {str(seed): indices_for_seed(config, dataset, seed).labelled.tolist() for seed in summary["seeds"]}
    curve = [(entry["update"], entry["validation_error"]) for entry in run.read_metrics()]
    found = {
        "row": row.name,
        "recipe": row.recipe,
        "shifts": row.shifts,
        "preset": row.preset,
        "budget_minutes": plan["budget_minutes"],
        "full_updates": row.epochs * summary["updates"] // summary["epochs"],
        **summary,
        "config": read_yaml(run.path / CONFIG_FILE),
        "curve": {"update": [update for update, _ in curve], "validation_error": [error for _, error in curve]},
        "subsets": "all" if config.labels == "all" else subsets,
        "answers": _answers(run, config, dataset, summary),
    }
    path = results / f"{row.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, compact(found))
    return path


def _answers(
    run: RunFolder, config: SemiSupervisedConfig, dataset: Dataset, summary: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the saved models take each class for, and how sure they are, by seed; None where one failed.

    Counts of the confusion are `[true class][answer]`; bins of certainty are those of `describe_calibration`. They
    are those of the test images, or where the run was told not to look at them of the validation images.
    """
    found: dict[str, Any] = {"measured_on": "test" if config.test else "validation"}
    found |= {"confusion": [], "as_trained": [], "calibrated": []}
    images, labels = dataset.test_images, dataset.test_labels
    if not config.test:
        arrays = split_for_seed(config, dataset, config.seed)
        images, labels = arrays.validation_images, arrays.validation_labels
    alive = [seed for seed in summary["seeds"] if str(seed) not in summary["failed_seeds"]]
    for seed, error in zip(summary["seeds"], summary[f"{found['measured_on']}_error"]["per_seed"], strict=True):
        own: dict[str, Any] = dict.fromkeys(found)
        if seed in alive:
            path = run.model(seed, alive[0])
            own = _answers_of(load(path), images, labels)
            wrong = 1.0 - np.trace(own["confusion"]) / len(labels)
            if abs(wrong - error) > SAME:
                raise InputError(
                    f"The model in {path} is wrong for {100 * wrong:.2f} % of the images, its run for "
                    f"{100 * error:.2f} %; train the row anew."
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


def compact(found: dict[str, Any]) -> str:
    """Return JSON with a line for each entry, and for each entry of an entry."""
    lines = []
    for name, value in found.items():
        if isinstance(value, dict) and value:
            inner = ",\n".join(f"  {json.dumps(str(key))}: {json.dumps(item)}" for key, item in value.items())
            lines.append(f" {json.dumps(name)}: {{\n{inner}\n }}")
        else:
            lines.append(f" {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
