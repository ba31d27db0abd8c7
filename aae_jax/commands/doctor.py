"""`aae-jax doctor`: says of a run, finished or not, whether its adversaries look healthy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from aae_jax.bundle import load
from aae_jax.commands.result import parse
from aae_jax.config_text import read_yaml
from aae_jax.errors import InputError
from aae_jax.experiments.diagnosis import diagnose
from aae_jax.experiments.measures import VALIDATION
from aae_jax.experiments.run_folder import CONFIG_FILE, RunFolder

__all__ = ["run_doctor"]


@dataclass(frozen=True, kw_only=True)
class _Doctor:
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run."""


def run_doctor(argv: Sequence[str]) -> int:
    """Say which troubles a run's metrics show, by which numbers, and what helps; or that there are none."""
    flags = parse(_Doctor, argv, "doctor", run_doctor.__doc__)
    folder = RunFolder(Path(flags.run))
    if not (folder.path / CONFIG_FILE).is_file():
        raise InputError(f"{flags.run} is not the folder of a run ({CONFIG_FILE} is missing); name one.")
    rows = folder.read_metrics()
    if not rows:
        raise InputError(f"The run in {flags.run} has not been evaluated yet; wait for its first line of metrics.")
    config = read_yaml(folder.path / CONFIG_FILE)
    seeds, classes = len(rows[-1]["reconstruction/loss"]), _classes(folder, config, rows)
    healthy = "healthy: images are rebuilt"
    if any(name.startswith(f"{VALIDATION}code_") for name in rows[0]):
        healthy += ", codes lie as the prior does, and no adversary wins"
    for place in range(seeds):
        name = f"seed {config.get('seed', 0) + place}: " if seeds > 1 else ""
        found = diagnose(rows, place, classes=classes)
        if not found:
            print(f"{name}{healthy}")
        for finding in found:
            print(f"{name}{finding.name}: {finding.seen}.\n  {finding.advice}")
    print(f"by the last quarter of {len(rows)} evaluations, up to update {rows[-1]['update']}")
    return 0


def _classes(folder: RunFolder, config: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> int:
    """Return how many classes the label code has: as configured or saved; else as many as were ever in use."""
    clusters = config.get("num_clusters")
    if isinstance(clusters, int):
        return clusters
    used = [count for row in rows for count in row.get(f"{VALIDATION}labels_used", []) if count is not None]
    try:
        return load(folder.path).num_classes
    except InputError:  # the run has saved no model yet
        return round(max(used, default=0))
