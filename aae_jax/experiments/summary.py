"""What a finished run reports: test errors, the baseline's, sizes, times, versions."""

import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.evaluation import build_encode, error_rate
from aae_jax.experiments.problem import Problem
from aae_jax.experiments.trainer import Outcome
from aae_jax.types import Params, Stats

__all__ = ["error_over_seeds", "source_commit", "summarise", "test_error"]

PACKAGES = ("aae-jax", "jax", "jaxlib", "flax", "optax", "numpy")


def test_error(problem: Problem, params: Params, stats: Stats) -> np.ndarray:
    """Return each seed's share of misclassified test images; a seed whose weights are not finite has all wrong."""
    encode = jax.vmap(build_encode(problem.networks, problem.config.network.output), in_axes=(0, 0, None))
    images, labels = jnp.asarray(problem.dataset.test_images), jnp.asarray(problem.dataset.test_labels)
    logits = jax.jit(encode)(params, stats, images).logits
    wrong = np.rint(np.asarray(error_rate(logits, labels), dtype=np.float64) * len(labels))
    return wrong / len(labels)


def error_over_seeds(errors: Sequence[float] | np.ndarray, survivors: Sequence[bool]) -> dict[str, Any]:
    """Return `{per_seed, mean, std}` of error fractions; failed seeds are null and left out of mean and std.

    The standard deviation is the sample's (n − 1), null for fewer than two seeds.
    """
    kept = [float(error) for error, alive in zip(errors, survivors, strict=True) if alive]
    return {
        "per_seed": [float(e) if alive else None for e, alive in zip(errors, survivors, strict=True)],
        "mean": float(np.mean(kept)) if kept else None,
        "std": float(np.std(kept, ddof=1)) if len(kept) > 1 else None,
    }


def summarise(
    problem: Problem,
    outcome: Outcome,
    errors: Mapping[str, np.ndarray],
    baseline: Mapping[str, Any],
    command: str,
) -> dict[str, Any]:
    """Return the summary of a run; `errors` has arrays by seed for `test`, `best_test` and `validation`."""
    survivors = [seed not in outcome.failed for seed in problem.seeds]
    dataset, config = problem.dataset, problem.config
    best_epoch = np.asarray(outcome.best.epoch)
    return {
        "experiment": "semi_supervised",
        "command": command,
        "data": {"name": dataset.name, "source": dataset.source, "sha256": dataset.sha256},
        "splits": {
            "labelled": int(problem.data.labels.shape[1]),
            "pool": int(problem.data.pool.shape[0]),
            "validation": len(problem.validation_labels),
            "test": len(dataset.test_labels),
        },
        "labels": config.labels,
        "label_seeds": [s if config.label_seed is None else config.label_seed for s in problem.seeds],
        "seeds": list(problem.seeds),
        "failed_seeds": {str(seed): failure for seed, failure in outcome.failed.items()},
        "updates": outcome.updates,
        "epochs": problem.epochs,
        "width": list(config.network.hidden),
        "max_shift": config.views.max_shift,
        "precision": config.network.precision,
        "test_error": error_over_seeds(errors["test"], survivors),
        "validation_error": error_over_seeds(errors["validation"], survivors),
        "best_by_validation": {
            "epoch": [int(epoch) + 1 for epoch in best_epoch],
            "validation_error": error_over_seeds(np.asarray(outcome.best.error, np.float64), survivors),
            "test_error": error_over_seeds(errors["best_test"], survivors),
        },
        "baseline": baseline,
        "train_seconds": round(outcome.seconds, 2),
        "compile_seconds": round(outcome.compile_seconds, 2),
        "updates_per_second": round(outcome.updates / outcome.seconds, 2),
        "device": f"{jax.devices()[0].device_kind} ({jax.devices()[0].platform})",
        "versions": {"python": platform.python_version(), **_versions()},
        "git_commit": source_commit(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def source_commit() -> str | None:
    """Return the commit of the checkout that this package runs from, `-dirty` when changed; None outside one."""
    here = Path(__file__).parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=here, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None
