"""Summary of a finished run: test errors, baseline errors, sizes, times, versions."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import jax
import numpy as np

from aae_jax.config import LabelledConfig
from aae_jax.evaluation.health import VALIDATION
from aae_jax.evaluation.seeds import over_seeds
from aae_jax.models.spec import RunSetup
from aae_jax.run.trainer import Outcome

__all__ = ["best_epochs", "last_measures", "summarise"]

PACKAGES = ("aae-jax", "jax", "jaxlib", "flax", "optax", "numpy")


def last_measures(rows: Sequence[Mapping[str, Any]], survivors: Sequence[bool]) -> dict[str, dict[str, Any]]:
    """Return the last measures on the validation images, `{per_seed, mean, std}` by name."""
    measured = {
        name.removeprefix(VALIDATION): value for name, value in rows[-1].items() if name.startswith(VALIDATION)
    }
    return {
        name: over_seeds([np.nan if each is None else each for each in value], survivors)
        for name, value in measured.items()
    }


def summarise(
    setup: RunSetup, outcome: Outcome, origin: Mapping[str, Any], results: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the summary of a run: origin, training setup, `results`, times and versions."""
    config = setup.config
    return {
        "experiment": setup.spec.name,
        **origin,
        **_what_was_trained(setup),
        "failed_seeds": {str(seed): failure for seed, failure in outcome.failed.items()},
        "updates": outcome.updates,
        "epochs": setup.epochs,
        "width": [*(config.network.channels if config.network.kind == "conv" else ()), *config.network.hidden],
        "max_shift": config.views.max_shift,
        "precision": config.network.precision,
        "tested": config.test,
        **results,
        "train_seconds": round(outcome.seconds, 2),
        "compile_seconds": round(outcome.compile_seconds, 2),
        "updates_per_second": round(outcome.updates / outcome.seconds, 2),
        "device": f"{jax.devices()[0].device_kind} ({jax.devices()[0].platform})",
        "cpu_cores": _cpu_cores(),
        "versions": {"python": platform.python_version(), **_versions()},
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _what_was_trained(setup: RunSetup) -> dict[str, Any]:
    dataset = setup.dataset
    return {
        "data": {"name": dataset.name, "source": dataset.source, "sha256": dataset.sha256},
        "splits": {
            "labelled": int(setup.data.labels.shape[1]),
            "pool": int(setup.data.pool.shape[0]),
            "validation": len(setup.validation_labels),
            "test": len(dataset.test_labels),
            **({"unlabelled": dataset.num_unlabelled} if dataset.num_unlabelled else {}),
        },
        **_labels_of(setup),
        "seeds": list(setup.seeds),
    }


def _labels_of(setup: RunSetup) -> dict[str, Any]:
    config = setup.config
    if not isinstance(config, LabelledConfig) or config.drawn_labels is None:
        return {}
    seeds = [s if config.label_seed is None else config.label_seed for s in setup.seeds]
    return {"labels": config.labels, "label_seeds": seeds}


def best_epochs(outcome: Outcome, survivors: Sequence[bool]) -> list[int | None]:
    """Return each seed's epoch, counted from 0, of its best validation score; None for a failed seed."""
    return [int(e) if alive else None for e, alive in zip(np.asarray(outcome.best.epoch), survivors, strict=True)]


def _cpu_cores() -> int:
    """Return the number of cores available to this process: fewer than all under `taskset`."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed as a package"
    return versions
