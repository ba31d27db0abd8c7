"""`aae-jax doctor`: diagnosis of the adversarial training of a run, finished or not."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from aae_jax.commands.result import parse
from aae_jax.config.text import coerce, read_yaml
from aae_jax.errors import InputError
from aae_jax.evaluation.diagnosis import Finding, diagnose, diagnose_generation
from aae_jax.evaluation.health import VALIDATION
from aae_jax.files import read_text
from aae_jax.run.run_dir import CONFIG_FILE, SUMMARY_FILE, RunFolder
from aae_jax.saved.storage import load
from aae_jax.streams import say

__all__ = ["run_doctor"]

MAX_CLASSES = 10**6


@dataclass(frozen=True, kw_only=True)
class _Doctor:
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run."""


def run_doctor(argv: Sequence[str]) -> int:
    """Diagnose problems of a run from its metrics, with the numbers that show them and advice."""
    flags = parse(_Doctor, argv, "doctor", run_doctor.__doc__)
    folder = RunFolder(Path(flags.run))
    if not (folder.path / CONFIG_FILE).is_file():
        raise InputError(f"{flags.run} is not the folder of a run ({CONFIG_FILE} is missing); give one.")
    rows = folder.read_metrics()
    if not rows:
        raise InputError(
            f"The run in {flags.run} has no metrics yet, or their first line is damaged; wait for an evaluation."
        )
    if not all(isinstance(row.get("reconstruction/loss"), list) for row in rows):
        raise InputError(
            f"The metrics in {flags.run} lack the reconstruction loss of each seed, which every run records; give "
            "the folder of a run."
        )
    config = read_yaml(folder.path / CONFIG_FILE)
    first_seed = coerce(config.get("seed", 0), int, f"seed in {folder.path / CONFIG_FILE}")
    seeds, classes = len(rows[-1]["reconstruction/loss"]), _classes(folder, config, rows)
    generation = _generation(folder)
    healthy = "healthy: images are reconstructed"
    if any(name.startswith(f"{VALIDATION}code_") for name in rows[0]):
        healthy += ", codes match the prior, and no discriminator wins"
    for place in range(seeds):
        name = f"seed {first_seed + place}: " if seeds > 1 else ""
        findings = [*diagnose(rows, place, classes=classes), *_of_generation(generation, place)]
        if not findings:
            say(f"{name}{healthy}")
        for finding in findings:
            say(f"{name}{finding.name}: {finding.seen}.", f"  {finding.advice}")
    say(f"based on the last quarter of {len(rows)} evaluations, up to update {rows[-1]['update']}")
    return 0


def _generation(folder: RunFolder) -> Any:
    """Return the entry of the summary on generated images; None for a run that has none, or no readable summary."""
    try:
        summary = json.loads(read_text(folder.path / SUMMARY_FILE))
    except (InputError, OSError, ValueError, RecursionError):
        return None
    return summary.get("generation") if isinstance(summary, dict) else None


def _of_generation(generation: Any, place: int) -> list[Finding]:
    accuracy, real, leaked = (
        _number_at(generation, *path)
        for path in (
            ("conditional_accuracy", "per_seed", place),
            ("judge", "accuracy"),
            ("label_leakage", "perceptron", "per_seed", place),
        )
    )
    return [] if accuracy is None or real is None else diagnose_generation(accuracy, real, leaked)


def _number_at(value: Any, *path: str | int) -> float | None:
    """Return the share at a path of keys and indices; None if there is none."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    valid = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if valid else None


def _classes(folder: RunFolder, config: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of classes of the label code: as configured or saved, else the largest number in use."""
    clusters = config.get("num_clusters")
    if isinstance(clusters, int) and not isinstance(clusters, bool):
        return clusters
    used = [count for row in rows for count in _counts(row, f"{VALIDATION}labels_used")]
    try:
        return load(folder.path).num_classes
    except InputError:  # the run has not saved a model yet
        return round(max(used, default=0))


def _counts(row: Mapping[str, Any], name: str) -> list[float]:
    """Return an evaluation's numbers of classes by seed, without nulls."""
    values = row.get(name)
    listed = values if isinstance(values, list) else []
    return [value for value in listed if value is not None and 0 <= value <= MAX_CLASSES]
