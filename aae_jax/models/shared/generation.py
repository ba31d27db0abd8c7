"""Generative measures of a finished run: judged samples, label leakage, match of codes and prior, probes."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.augment import activate, unscale_pixels
from aae_jax.evaluation import (
    Judge,
    frechet_distance,
    measure_leakage,
    precision_recall,
    probe_codes,
    sliced_wasserstein,
    two_sample_accuracy,
)
from aae_jax.evaluation.seeds import per_seed
from aae_jax.models.shared.judging import judge_of
from aae_jax.models.shared.measures import draw_views
from aae_jax.models.shared.results import by_seed
from aae_jax.models.spec import RunSetup, Trained
from aae_jax.networks.classifier import Classified
from aae_jax.saved.model import Model
from aae_jax.train.compile import quick_compiler_options
from aae_jax.train.hyper import traced
from aae_jax.types import Array, Params, PRNGKey

__all__ = ["measure_generation", "say_generation"]

SAMPLES = 10_000
"""Number of images decoded from the prior, and the maximum number of codes and images that are compared."""
BATCH = 1_000
COMPARED = 5_000
"""Maximum number of images whose distances are all computed."""


def measure_generation(setup: RunSetup, trained: Trained, say: Callable[[str], None]) -> dict[str, Any]:
    """Return the summary's entry `generation`: what the models generate, and what their codes contain.

    Held-out images are the test images, or the validation images if the former must not be used. The classifiers
    of `label_leakage` and `representation` are fitted on one half of them and scored on the other.

    - `judge` (`accuracy` on real held-out images), `conditional_accuracy` (share of images, decoded from the prior
      and a class, that the judge assigns to the class) and `samples` (Fréchet distance, precision and recall in the
      judge's features) need `config.judge_updates` above 0, classes, and a prior.
    - `label_leakage` is of models whose decoder receives the class with the style.
    - `codes_and_prior` (accuracy of a fresh classifier; sliced Wasserstein distance) is of models with a prior, and
      of codes of views, augmented as in training, like the other measures of codes and prior.
    - `representation` (linear and nearest-neighbour probes, macro AUROC) needs classes.
    """
    if not setup.config.judge_updates:
        return {}
    dataset, tested = setup.dataset, setup.config.test
    images = dataset.test_images if tested else np.asarray(setup.validation_images)
    labels = dataset.test_labels if tested else np.asarray(setup.validation_labels)
    kept = np.random.default_rng(0).permutation(len(images))[:SAMPLES]
    images, labels = images[kept], labels[kept]
    judged = dataset.num_classes > 1 and setup.prior is not None
    judge = None
    if judged:
        say("judge of generated images: a classifier of real images …")
        judge = judge_of(setup)
    measures = functools.partial(_measure, setup, judge, images, labels)
    found: dict[str, Any] = {"measured_on": "test" if tested else "validation"}
    if judge is not None:
        found["judge"] = {"accuracy": judge.accuracy(images, labels), "updates": setup.config.judge_updates}
    by_name = by_seed(trained, measures)
    for name, value in by_name.items():
        group, _, measure = name.partition("/")
        if measure:
            found.setdefault(group, {})[measure] = value
        else:
            found[group] = value
    return {"generation": found}


def _measure(
    setup: RunSetup, judge: Judge | None, images: np.ndarray, labels: np.ndarray, model: Model, index: int
) -> dict[str, float]:
    key_styles, key_labels, key_views, key_directions = jax.random.split(setup.keys.samples[index], 4)
    found: dict[str, float] = {}
    if setup.prior is not None:
        styles = model.draw_styles(key_styles, SAMPLES)
        draw_codes = jax.jit(draw_views(setup), compiler_options=quick_compiler_options())
        codes = draw_codes(model.params, model.stats, jnp.asarray(images), key_views, traced(setup.config, 1))
        compared = np.asarray(codes), np.asarray(styles[: len(codes)])
        found["codes_and_prior/two_sample_accuracy"] = two_sample_accuracy(*compared)
        found["codes_and_prior/sliced_wasserstein"] = float(sliced_wasserstein(*compared, key_directions))
        if judge is not None:
            found |= _judged(setup, judge, model, np.asarray(styles), images, key_labels)
    if setup.dataset.num_classes > 1:
        means = np.asarray(model.encode_stored(jnp.asarray(images)).mean)
        found |= _of_classes(setup, model, means, labels)
    return found


def _judged(
    setup: RunSetup, judge: Judge, model: Model, styles: np.ndarray, images: np.ndarray, key: PRNGKey
) -> dict[str, float]:
    """Return the judge's measures of images decoded from styles and from labels of equal frequencies."""
    length = model.decoded_label or 0
    classes = np.asarray(jax.random.permutation(key, jnp.arange(len(styles)) % max(1, length)))
    given = np.eye(length, dtype=np.float32)[classes] if length else np.zeros((len(styles), 0), np.float32)
    real, generated = judge(jnp.asarray(images)), _generate_and_judge(judge, model, styles, given)
    features, others = np.asarray(real.features), np.asarray(generated.features)
    found = {"samples/frechet_distance": frechet_distance(features, others[: len(features)])}
    quality = precision_recall(features[:COMPARED], others[: min(COMPARED, len(features))])
    found |= {f"samples/{name}": value for name, value in quality._asdict().items()}
    if length == setup.dataset.num_classes and not model.clusters:
        found["conditional_accuracy"] = float(np.mean(np.argmax(generated.logits, axis=1) == classes))
    return found


def _generate_and_judge(judge: Judge, model: Model, styles: np.ndarray, labels: np.ndarray) -> Classified:
    """Return the judge's features and logits of decoded codes, a batch of images in memory at a time."""
    output, decode = model.network.output, model.networks.decode

    @functools.partial(jax.jit, compiler_options=quick_compiler_options())
    def one_batch(params: Params, styles: Array, labels: Array) -> Array:
        return unscale_pixels(activate(decode(params, styles, labels, None), output), output)

    batches = [
        judge(one_batch(model.params, styles[first : first + BATCH], labels[first : first + BATCH]))
        for first in range(0, len(styles), BATCH)
    ]
    return Classified(*(jnp.concatenate(parts) for parts in zip(*batches, strict=True)))


def _of_classes(setup: RunSetup, model: Model, codes: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return what classifiers, fitted on half of the codes, predict of the other half's classes."""
    first, second = np.array_split(np.random.default_rng(1).permutation(len(codes)), 2)
    fitted, scored = (codes[first], labels[first]), (codes[second], labels[second])
    if len(np.unique(fitted[1])) < 2:
        return {}
    found = {f"representation/{name}": value for name, value in probe_codes(fitted, scored)._asdict().items()}
    if model.decoded_label == setup.dataset.num_classes and not model.clusters:
        leakage = measure_leakage(fitted, scored)._asdict()
        found |= {f"label_leakage/{name}": value for name, value in leakage.items()}
    return found


def say_generation(summary: Mapping[str, Any]) -> list[str]:
    """Return the closing lines on what the models generate."""
    found = summary.get("generation", {})
    lines = []
    if "conditional_accuracy" in found:
        share, judge = _percent(found["conditional_accuracy"]), 100 * found["judge"]["accuracy"]
        lines.append(f"  {share} of generated images are judged to be of their class (real images: {judge:.1f} %)")
    if "label_leakage" in found:
        leaked = found["label_leakage"]
        regression, perceptron, chance = (
            _percent(leaked[name]) for name in ("logistic_regression", "perceptron", "chance")
        )
        lines.append(
            f"  label predicted from the style: logistic regression {regression}, perceptron {perceptron} "
            f"(chance {chance})"
        )
    if "codes_and_prior" in found:
        accuracy = _percent(found["codes_and_prior"]["two_sample_accuracy"])
        lines.append(f"  codes told from the prior by a fresh classifier: {accuracy} (50 % if they match)")
    return lines


def _percent(result: Mapping[str, Any]) -> str:
    values = per_seed(result)
    spread = f" ± {100 * np.nanstd(values, ddof=1):.1f}" if np.sum(np.isfinite(values)) > 1 else ""
    return f"{100 * np.nanmean(values):.1f}{spread} %"
