"""Supervised adversarial autoencoder: its decoder receives the label (Makhzani et al. 2016, §4, figures 6 and 7)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from aae_jax.evaluation import measure_leakage
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.models.shared.measures import SCORE, build_code_measure, judge_beside_labels, show_score
from aae_jax.models.shared.results import by_seed
from aae_jax.models.spec import DataShape, MeasureFn, ModelSpec, RunSetup, SavedCodes, Trained
from aae_jax.models.supervised import phases
from aae_jax.models.supervised.config import SupervisedConfig, validate_supervised
from aae_jax.models.supervised.presets import PRESETS
from aae_jax.networks import EncoderOutput
from aae_jax.saved.model import Model
from aae_jax.types import Array, Metrics, Params, PRNGKey

__all__ = ["SPEC"]

FITTED = 10_000
"""Maximum number of training images whose codes the classifiers are fitted to."""


def _build_measure(setup: RunSetup) -> MeasureFn:
    prior, classes = setup.prior, setup.dataset.num_classes
    if not setup.config.conditional:
        return build_code_measure(setup, prior, given_labels=classes)
    assert prior is not None, "the configuration has one"
    judge = judge_beside_labels(setup, lambda key, labels: prior(key, labels.shape[0]), classes)

    def own(params: Params, outputs: EncoderOutput, codes: Array, labels: Array, key: PRNGKey) -> Metrics:
        return {"discriminator_z_accuracy": judge(params, codes, labels, key)}

    return build_code_measure(setup, prior, own=own, judge_codes=False, given_labels=classes)


def _saved_codes(config: SupervisedConfig, shape: DataShape) -> SavedCodes:
    return SavedCodes(config.prior, 0, shape.num_classes, shape.class_names)


def _draw(
    rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey, summary: Mapping[str, Any] | None
) -> Drawings:
    from aae_jax.figures.of_models.labelled_style import draw_supervised_figures  # importing matplotlib takes 1 s

    return draw_supervised_figures(rows, model, shown, key)


def _results(setup: RunSetup, trained: Trained, say: Callable[[str], None]) -> dict[str, Any]:
    """Return the label information left in the codes of held-out images, as the accuracy of classifiers."""
    dataset, tested = setup.dataset, setup.config.test
    images = dataset.test_images if tested else setup.validation_images
    truth = dataset.test_labels if tested else np.asarray(setup.validation_labels)

    def measure(model: Model, index: int) -> dict[str, float]:
        some = np.random.default_rng(0).permutation(setup.data.labels.shape[1])[:FITTED]
        fitted = setup.data.labelled_images[index][some], np.asarray(setup.data.labels[index])[some]
        codes, own = (np.asarray(model.encode_stored(jax.numpy.asarray(each)).mean) for each in (images, fitted[0]))
        return measure_leakage((own, fitted[1]), (codes, truth))._asdict()

    found = by_seed(trained, measure)
    return {"label_leakage": {"measured_on": "test" if tested else "validation", **found}}


def _lines(summary: Mapping[str, Any]) -> list[str]:
    found = summary["label_leakage"]
    regression, perceptron, chance = (
        f"{100 * found[name]['mean']:.1f} %" for name in ("logistic_regression", "perceptron", "chance")
    )
    return [
        f"the class is found from the code by logistic regression for {regression} of {found['measured_on']} images, "
        f"by a perceptron for {perceptron} (chance {chance})"
    ]


SPEC = ModelSpec(
    name="supervised",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate_supervised,
    build_codes=phases.build_codes,
    build_phases=phases.build_phases,
    build_measure=_build_measure,
    score=SCORE,
    shares=(),
    show_score=show_score,
    saved_codes=_saved_codes,
    draw=_draw,
    results=_results,
    lines=_lines,
)
