"""Results of trained models for a run's summary: errors and calibration by seed."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.augment import OutputKind
from aae_jax.evaluation import build_encode, calibration_error, error_rate, exact_share, fit_temperature, reliability
from aae_jax.evaluation.seeds import over_seeds
from aae_jax.models.spec import RunSetup, Trained
from aae_jax.networks import EncoderOutput, Networks
from aae_jax.saved.model import Model
from aae_jax.train.compile import compiler_options
from aae_jax.types import Params, Stats

__all__ = [
    "Labelled",
    "by_seed",
    "calibrate",
    "chosen_and_judged",
    "errors_on_test_images",
    "seed_errors",
    "seed_logits",
]

Labelled = tuple[np.ndarray, np.ndarray]
"""Images, as stored, and their classes."""


def seed_logits(setup: RunSetup, params: Params, stats: Stats, images: Any) -> jax.Array:
    """Return each seed's logits of stored images, `[seeds, count, classes]`."""
    encode = _encode_seeds(setup.networks, setup.config.network.output)
    return encode({"encoder": params["encoder"]}, dict(stats), jnp.asarray(images)).logits


def seed_errors(setup: RunSetup, params: Params, stats: Stats, images: Any, labels: Any) -> np.ndarray:
    """Return each seed's share of misclassified images, `[seeds]`, exact: a count divided by `len(labels)`."""
    logits = seed_logits(setup, params, stats, images)
    return exact_share(error_rate(logits, jnp.asarray(labels)), len(labels))


def errors_on_test_images(setup: RunSetup, params: Params, stats: Stats) -> np.ndarray:
    """Return each seed's error on the test images, `[seeds]`; NaN if the run must not use them."""
    if not setup.config.test:
        return np.full(len(setup.seeds), np.nan)
    return seed_errors(setup, params, stats, setup.dataset.test_images, setup.dataset.test_labels)


def calibrate(setup: RunSetup, params: Params, stats: Stats, survivors: Sequence[bool]) -> dict[str, Any]:
    """Fit each seed's temperature on the validation images; return the summary's entry on calibration.

    `temperature` is by seed, None for a failed seed, or if no validation image has a label. The expected calibration
    errors are those on the test images, or, if the run must not use them, on the validation images, to which the
    temperature was fitted.
    """
    validation = np.asarray(seed_logits(setup, params, stats, setup.validation_images))
    tested, dataset = setup.config.test, setup.dataset
    truth = dataset.test_labels if tested else np.asarray(setup.validation_labels)
    measured = np.asarray(seed_logits(setup, params, stats, dataset.test_images)) if tested else validation
    temperatures, before, after = [], [], []
    for own, logits, alive in zip(validation, measured, survivors, strict=True):
        alive = alive and bool(np.isfinite(own).all() and np.isfinite(logits).all())
        found = fit_temperature(own, setup.validation_labels) if alive and setup.validates_labels else None
        alive = alive and (tested or setup.validates_labels)
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
    """Return the compiled encoder of all seeds; cached, because a report calls it with several sets of weights."""
    encode = jax.vmap(build_encode(networks, output), in_axes=(0, 0, None))
    return jax.jit(encode, compiler_options=compiler_options())


def chosen_and_judged(setup: RunSetup) -> tuple[Labelled, Labelled]:
    """Return labelled images to choose something on, and others to evaluate it on.

    These are the validation and test images; if the latter must not be used, the halves of the validation images.
    """
    dataset = setup.dataset
    images, labels = np.asarray(setup.validation_images), np.asarray(setup.validation_labels)
    if setup.config.test:
        return (images, labels), (dataset.test_images, dataset.test_labels)
    first, second = np.array_split(np.random.default_rng(0).permutation(len(labels)), 2)  # data may be sorted
    return (images[first], labels[first]), (images[second], labels[second])


def by_seed(trained: Trained, measure: Callable[[Model, int], Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Return the metrics `measure(model, index of its seed)` of all seeds, `{name: {per_seed, mean, std}}`."""
    found = {place: measure(model, place) for model, place in zip(trained.models, trained.places(), strict=True)}
    alive = trained.survivors
    names = next(iter(found.values()))
    return {
        name: over_seeds([found[i][name] if i in found else np.nan for i in range(len(alive))], alive)
        for name in names
    }
