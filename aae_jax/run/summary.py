"""What a finished run reports: test errors, the baseline's, sizes, times, versions."""

import functools
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.augment import OutputKind
from aae_jax.config import LabelledConfig
from aae_jax.evaluation import build_encode, calibration_error, error_rate, exact_share, fit_temperature, reliability
from aae_jax.evaluation.health import VALIDATION
from aae_jax.networks import EncoderOutput, Networks
from aae_jax.run.setup import Problem
from aae_jax.run.trainer import Outcome
from aae_jax.train.compile import compiler_options
from aae_jax.types import Params, Stats

__all__ = [
    "best_epochs",
    "calibrate",
    "errors_on_test_images",
    "last_measures",
    "over_seeds",
    "seed_errors",
    "seed_logits",
    "source_commit",
    "summarise",
]

CODE = (":/aae_jax", ":/experiments", ":/pyproject.toml")
"""What decides what a run does, as Git names it from the top."""
PACKAGES = ("aae-jax", "jax", "jaxlib", "flax", "optax", "numpy")


def seed_logits(problem: Problem, params: Params, stats: Stats, images: Any) -> jax.Array:
    """Return each seed's logits of images as they are stored, `[seeds, count, classes]`."""
    encode = _encode_seeds(problem.networks, problem.config.network.output)
    return encode({"encoder": params["encoder"]}, dict(stats), jnp.asarray(images)).logits


def seed_errors(problem: Problem, params: Params, stats: Stats, images: Any, labels: Any) -> np.ndarray:
    """Return each seed's share of misclassified images, exact: a count over `len(labels)`; `[seeds]`."""
    logits = seed_logits(problem, params, stats, images)
    return exact_share(error_rate(logits, jnp.asarray(labels)), len(labels))


def errors_on_test_images(problem: Problem, params: Params, stats: Stats) -> np.ndarray:
    """Return each seed's error on the test images, `[seeds]`; NaN where the run was told not to look at them."""
    if not problem.config.test:
        return np.full(len(problem.seeds), np.nan)
    return seed_errors(problem, params, stats, problem.dataset.test_images, problem.dataset.test_labels)


def calibrate(problem: Problem, params: Params, stats: Stats, survivors: Sequence[bool]) -> dict[str, Any]:
    """Fit each seed's temperature on the validation images; return what the summary says of calibration.

    `temperature` is by seed, None where it failed; the expected errors are those on the test images, or where the run
    was told not to look at them on the validation images, on which the temperature was fitted.
    """
    validation = np.asarray(seed_logits(problem, params, stats, problem.validation_images))
    tested, dataset = problem.config.test, problem.dataset
    truth = dataset.test_labels if tested else np.asarray(problem.validation_labels)
    measured = np.asarray(seed_logits(problem, params, stats, dataset.test_images)) if tested else validation
    temperatures, before, after = [], [], []
    for own, logits, alive in zip(validation, measured, survivors, strict=True):
        alive = alive and bool(np.isfinite(own).all() and np.isfinite(logits).all())
        found = fit_temperature(own, problem.validation_labels) if alive else None
        temperatures.append(found)
        before.append(calibration_error(reliability(logits, truth)) if alive else np.nan)
        after.append(calibration_error(reliability(logits, truth, temperature=found)) if found else np.nan)
    return {
        "temperature": temperatures,
        "measured_on": "test" if tested else "validation",
        "expected_error": over_seeds(before, survivors),
        "calibrated_error": over_seeds(after, survivors),
    }


@functools.cache
def _encode_seeds(networks: Networks, output: OutputKind) -> Callable[..., EncoderOutput]:
    """Return the compiled encoder of many seeds; cached, because a report asks for it of several weights."""
    encode = jax.vmap(build_encode(networks, output), in_axes=(0, 0, None))
    return jax.jit(encode, compiler_options=compiler_options())


def over_seeds(errors: Sequence[float] | np.ndarray, survivors: Sequence[bool]) -> dict[str, Any]:
    """Return `{per_seed, mean, std}` of errors or other measures; failed seeds are null and left out of mean and std.

    So are errors of NaN, which were not measured. The standard deviation is the sample's (n − 1), null for
    fewer than two seeds.
    """
    per_seed = [
        float(error) if alive and np.isfinite(error) else None for error, alive in zip(errors, survivors, strict=True)
    ]
    kept = [error for error in per_seed if error is not None]
    return {
        "per_seed": per_seed,
        "mean": float(np.mean(kept)) if kept else None,
        "std": float(np.std(kept, ddof=1)) if len(kept) > 1 else None,
    }


def per_seed(result: Mapping[str, Any]) -> np.ndarray:
    """Return each seed's value of what `over_seeds` gave, NaN for a seed that has none."""
    return np.asarray([np.nan if value is None else value for value in result["per_seed"]])


def last_measures(rows: Sequence[Mapping[str, Any]], survivors: Sequence[bool]) -> dict[str, dict[str, Any]]:
    """Return what was measured on the validation images at the end, `{per_seed, mean, std}` by the measure's name."""
    found = {name.removeprefix(VALIDATION): value for name, value in rows[-1].items() if name.startswith(VALIDATION)}
    return {
        name: over_seeds([np.nan if each is None else each for each in value], survivors)
        for name, value in found.items()
    }


def summarise(
    problem: Problem, outcome: Outcome, origin: Mapping[str, Any], results: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the summary of a run: where it comes from, what was trained, its `results`, its times and versions."""
    config = problem.config
    return {
        "experiment": problem.experiment.name,
        **origin,
        **_what_was_trained(problem),
        "failed_seeds": {str(seed): failure for seed, failure in outcome.failed.items()},
        "updates": outcome.updates,
        "epochs": problem.epochs,
        "width": list(config.network.hidden),
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


def _what_was_trained(problem: Problem) -> dict[str, Any]:
    dataset = problem.dataset
    return {
        "data": {"name": dataset.name, "source": dataset.source, "sha256": dataset.sha256},
        "splits": {
            "labelled": int(problem.data.labels.shape[1]),
            "pool": int(problem.data.pool.shape[0]),
            "validation": len(problem.validation_labels),
            "test": len(dataset.test_labels),
            **({"unlabelled": dataset.num_unlabelled} if dataset.num_unlabelled else {}),
        },
        **_labels_of(problem),
        "seeds": list(problem.seeds),
    }


def _labels_of(problem: Problem) -> dict[str, Any]:
    config = problem.config
    if not isinstance(config, LabelledConfig) or config.drawn_labels is None:
        return {}
    seeds = [s if config.label_seed is None else config.label_seed for s in problem.seeds]
    return {"labels": config.labels, "label_seeds": seeds}


def best_epochs(outcome: Outcome, survivors: Sequence[bool]) -> list[int | None]:
    """Return after which epoch, counted from 0, each seed did best on the validation images; None if it failed."""
    return [int(e) if alive else None for e, alive in zip(np.asarray(outcome.best.epoch), survivors, strict=True)]


def _cpu_cores() -> int:
    """Return how many cores this process may be scheduled on: fewer than all under `taskset`."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def source_commit() -> str | None:
    """Return the commit of the checkout that this package runs from, `-dirty` when its code is changed.

    Pages and results do not count: a table's row writes them before the next begins. None outside a checkout.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        commit = _git("describe", "--always", "--abbrev=12", "--exclude=*")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *CODE)
        return f"{commit}-dirty" if changed else commit or None
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
