"""Generative measures of a finished run: judged samples, label leakage, match of codes and prior, probes."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.augment import activate, scale_pixels, unscale_pixels
from aae_jax.data.stored import rows_of
from aae_jax.evaluation import (
    Judge,
    build_reconstruction_error,
    frechet_distance,
    measure_leakage,
    precision_recall,
    principal_components,
    probe_codes,
    sliced_wasserstein,
    two_sample_accuracy,
)
from aae_jax.evaluation.seeds import over_seeds, per_seed, percent
from aae_jax.figures.of_models.drawing import reason_of
from aae_jax.models.shared.judging import judge_of
from aae_jax.models.shared.measures import draw_views
from aae_jax.models.spec import RunSetup, Trained
from aae_jax.networks.classifier import Classified
from aae_jax.saved.model import Model
from aae_jax.train.compile import quick_compiler_options
from aae_jax.train.hyper import traced
from aae_jax.types import Array, Params, PRNGKey, Stats

__all__ = ["measure_generation", "say_generation"]

SAMPLES = 10_000
"""Number of images decoded from the prior, and the maximum number of codes and images that are compared."""
BATCH = 1_000
COMPARED = 5_000
"""Maximum number of images whose distances are all computed."""


class _HeldOut(NamedTuple):
    """Held-out images, their classes, and what the judge makes of them; None without a judge."""

    images: np.ndarray
    labels: np.ndarray
    judge: Judge | None
    judged: Classified | None


def measure_generation(
    setup: RunSetup, trained: Trained, say: Callable[[str], None], notice: Callable[[str], None]
) -> dict[str, Any]:
    """Return the summary's entry `generation`: what the models generate, and what their codes contain.

    Held-out images are the test images, or the validation images if the former must not be used. The classifiers
    of `label_leakage` and `representation` are fitted on one half of them and scored on the other.

    - `judge`: its accuracy on real held-out images. `conditional_accuracy`: share of images, decoded from styles of
      the prior and classes as frequent as in the held-out images, that the judge assigns to their class. `samples`:
      Fréchet distance, precision and recall in the judge's features. They need classes and a prior.
      Without classes, `samples` is the Fréchet distance on the principal components of training images alone.
    - `reconstruction`, without classes: error per pixel of training images (`seen`) and of held-out ones (`unseen`).
    - `codes_and_prior`: accuracy of a fresh classifier, and sliced Wasserstein distance; of the codes that training
      matches to the prior, of augmented views or of clean images (`views.style_of`), like other measures of both.
    - `label_leakage`: of models whose encoder outputs the label as well as the style.
    - `representation`: linear and nearest-neighbour probes and macro AUROC of the styles, or, in a model with heads,
      of the representation W_C y + z. It needs classes.

    A measure that fails is left out with a notice.

    Args:
        setup: Setup of the run.
        trained: Its result.
        say: Prints a line before a long computation.
        notice: Receives what could not be measured.
    """
    if not setup.config.judge_updates:
        return {}
    failures = _Failures(notice)
    held_out = _held_out(setup, trained, say, failures)
    by_seed = [
        _measure(setup, held_out, model, setup.keys.samples[place], failures)
        for model, place in zip(trained.models, trained.places(), strict=True)
    ]
    found: dict[str, Any] = {}
    if held_out.judged is not None:
        accuracy = np.mean(np.argmax(held_out.judged.logits, axis=1) == held_out.labels)
        found["judge"] = {"accuracy": float(accuracy), "updates": setup.config.judge_updates}
    for name in dict.fromkeys(name for measured in by_seed for name in measured):
        values = np.full(len(trained.survivors), np.nan)
        values[trained.places()] = [measured.get(name, np.nan) for measured in by_seed]
        group, _, measure = name.partition("/")
        result = over_seeds(values, trained.survivors)
        if measure:
            found.setdefault(group, {})[measure] = result
        else:
            found[group] = result
    measured_on = "test" if setup.config.test else "validation"
    return {"generation": {"measured_on": measured_on, **found}} if found else {}


class _Failures:
    """Runs measures, and names each that failed once: the run's other results must not be lost."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self.notice, self.named = notice, set[str]()

    def run(self, name: str, measure: Callable[[], Any], default: Any) -> Any:
        try:
            return measure()
        except Exception as error:
            if name not in self.named:
                self.notice(f"{name} could not be measured ({reason_of(error)}).")
            self.named.add(name)
            return default


def _held_out(setup: RunSetup, trained: Trained, say: Callable[[str], None], failures: _Failures) -> _HeldOut:
    dataset, tested = setup.dataset, setup.config.test
    images = dataset.test_images if tested else np.asarray(setup.validation_images)
    labels = dataset.test_labels if tested else np.asarray(setup.validation_labels)
    kept = np.random.default_rng(0).permutation(len(images))[:SAMPLES]
    images, labels = images[kept], labels[kept]
    unlabelled = bool((labels < 0).any())
    if dataset.num_classes < 2 or unlabelled or not trained.models or trained.models[0].prior is None:
        return _HeldOut(images, labels, None, None)
    say("judge of generated images: a classifier of real images …")

    def judged() -> tuple[Judge, Classified]:
        judge = judge_of(setup, say)
        return judge, judge(images)

    return _HeldOut(images, labels, *failures.run("generated images", judged, (None, None)))


def _measure(
    setup: RunSetup, held_out: _HeldOut, model: Model, key: PRNGKey, failures: _Failures
) -> dict[str, float]:
    key_styles, key_labels, key_codes = jax.random.split(key, 3)
    styles = functools.cache(lambda: np.asarray(model.draw_styles(key_styles, SAMPLES)))
    found: dict[str, float] = {}
    if model.prior is not None:
        found |= failures.run(
            "codes and prior", lambda: _codes_and_prior(setup, model, styles(), held_out.images, key_codes), {}
        )
        if held_out.judge is not None:
            found |= failures.run("generated images", lambda: _judged(model, styles(), held_out, key_labels), {})
    if not setup.dataset.num_classes and not model.decoded_label:
        found |= failures.run("images", lambda: _without_classes(setup, model, styles, held_out.images), {})
    if setup.dataset.num_classes > 1 and (held_out.labels >= 0).all():
        found |= failures.run("the classes in codes", lambda: _of_classes(setup, model, held_out), {})
    return found


def _codes_and_prior(
    setup: RunSetup, model: Model, styles: np.ndarray, images: np.ndarray, key: PRNGKey
) -> dict[str, float]:
    key_views, key_directions = jax.random.split(key)
    variational = not hasattr(setup.config.optimizers, "discriminator")  # its codes are those of the reconstruction
    draw_codes = jax.jit(draw_views(setup, reconstructed=variational), compiler_options=quick_compiler_options())
    codes = np.asarray(draw_codes(model.params, model.stats, jnp.asarray(images), key_views, traced(setup.config, 1)))
    samples = styles[: len(codes)]
    return {
        "codes_and_prior/two_sample_accuracy": two_sample_accuracy(codes, samples),
        "codes_and_prior/sliced_wasserstein": float(sliced_wasserstein(codes, samples, key_directions)),
    }


def _without_classes(
    setup: RunSetup, model: Model, styles: Callable[[], np.ndarray], unseen: np.ndarray
) -> dict[str, float]:
    """Return the errors of seen and unseen images, and the distance of samples to real images."""
    pool = setup.data.pool
    seen = rows_of(pool, np.random.default_rng(0).permutation(len(pool))[: len(unseen)])
    error = build_reconstruction_error(model.networks, model.network.output)
    found = {
        f"reconstruction/{name}": float(error(model.params, model.stats, images, model.encode_stored(images)))
        for name, images in (("seen", jnp.asarray(seen)), ("unseen", jnp.asarray(unseen)))
    }
    if model.prior is None:
        return found
    made = np.asarray(model.decode(styles()[: len(unseen)]))
    first = rows_of(pool, slice(COMPARED))
    known, real = (np.asarray(scale_pixels(jnp.asarray(images), "sigmoid")) for images in (first, unseen))
    rows = principal_components(*(each.reshape(len(each), -1) for each in (known, real, made)))
    return {**found, "samples/frechet_distance": frechet_distance(*rows)}


def _judged(model: Model, styles: np.ndarray, held_out: _HeldOut, key: PRNGKey) -> dict[str, float]:
    """Return the judge's measures of images decoded from styles and from labels as frequent as the held-out ones."""
    assert held_out.judge is not None
    assert held_out.judged is not None
    length, of_class = model.decoded_label or 0, not model.clusters
    known = held_out.labels
    if length and not of_class:
        known = np.asarray(model.encode_stored(jnp.asarray(held_out.images)).logits).argmax(axis=1)
    classes = known[np.asarray(jax.random.permutation(key, jnp.arange(len(styles)) % len(known)))]
    given = np.eye(length, dtype=np.float32)[classes] if length else np.zeros((len(styles), 0), np.float32)
    generated = _generate_and_judge(held_out.judge, model, styles, given)
    features, others = (np.asarray(each.features) for each in (held_out.judged, generated))
    found = {"samples/frechet_distance": frechet_distance(features, others[: len(features)])}
    quality = precision_recall(features[:COMPARED], others[: min(COMPARED, len(features))])
    found |= {f"samples/{name}": value for name, value in quality._asdict().items()}
    if length and of_class:
        found["conditional_accuracy"] = float(np.mean(np.argmax(np.asarray(generated.logits), axis=1) == classes))
    return found


def _generate_and_judge(judge: Judge, model: Model, styles: np.ndarray, labels: np.ndarray) -> Classified:
    """Return the judge's features and logits of decoded codes, a batch of images in memory at a time."""
    output, decode = model.network.output, model.networks.decode

    @functools.partial(jax.jit, compiler_options=quick_compiler_options())
    def one_batch(params: Params, stats: Stats, styles: Array, labels: Array) -> Array:
        return unscale_pixels(activate(decode(params, stats, styles, labels, None)[0], output), output)

    batches = [
        judge(one_batch(model.params, model.stats, styles[first : first + BATCH], labels[first : first + BATCH]))
        for first in range(0, len(styles), BATCH)
    ]
    return Classified(*(jnp.concatenate(parts) for parts in zip(*batches, strict=True)))


def _of_classes(setup: RunSetup, model: Model, held_out: _HeldOut) -> dict[str, float]:
    """Return what classifiers, fitted on half of the codes, predict of the other half's classes."""
    encoded, labels = model.encode_stored(jnp.asarray(held_out.images)), held_out.labels
    styles = np.asarray(encoded.mean)
    codes = np.asarray(model.represent(encoded.mean, jax.nn.softmax(encoded.logits))) if model.heads else styles
    first, second = np.array_split(np.random.default_rng(1).permutation(len(labels)), 2)
    if len(np.unique(labels[first])) < 2:
        return {}
    probes = probe_codes((codes[first], labels[first]), (codes[second], labels[second]))
    found = {f"representation/{name}": value for name, value in probes._asdict().items()}
    if model.num_classes == setup.dataset.num_classes and not model.clusters:
        leakage = measure_leakage((styles[first], labels[first]), (styles[second], labels[second]))
        found |= {f"label_leakage/{name}": value for name, value in leakage._asdict().items()}
    return found


def say_generation(summary: Mapping[str, Any]) -> list[str]:
    """Return the closing lines on what the models generate."""
    found = summary.get("generation", {})
    lines = []
    if "conditional_accuracy" in found:
        share, judge = percent(per_seed(found["conditional_accuracy"])), 100 * found["judge"]["accuracy"]
        lines.append(f"  {share} of generated images are judged to be of their class (real images: {judge:.1f} %)")
    if "label_leakage" in found:
        leaked = found["label_leakage"]
        regression, perceptron, chance = (
            percent(per_seed(leaked[name])) for name in ("logistic_regression", "perceptron", "chance")
        )
        lines.append(
            f"  label predicted from the style: logistic regression {regression}, perceptron {perceptron} "
            f"(chance {chance})"
        )
    if "reconstruction" in found:
        seen, unseen = (np.nanmean(per_seed(found["reconstruction"][name])) for name in ("seen", "unseen"))
        lines.append(f"  {seen:.5f} per pixel of images seen in training, {unseen:.5f} of unseen ones")
    if "codes_and_prior" in found:
        accuracy = percent(per_seed(found["codes_and_prior"]["two_sample_accuracy"]))
        lines.append(f"  accuracy of a fresh classifier between codes and prior {accuracy} (50 % if they match)")
    return lines
