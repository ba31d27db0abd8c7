"""The supervised adversarial autoencoder: its decoder gets the label (Makhzani et al. 2016, §4, figures 6 and 7)."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from aae_jax.data import Dataset
from aae_jax.evaluation import measure_leakage
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.models.spec import MeasureFn, ModelSpec, SavedCodes
from aae_jax.models.supervised import phases as model
from aae_jax.models.supervised.config import SupervisedConfig, validate_supervised
from aae_jax.models.supervised.presets import PRESETS
from aae_jax.networks import EncoderOutput, Networks
from aae_jax.priors.custom import own_sampler, sampler_of
from aae_jax.run import report as measured
from aae_jax.run.setup import Problem
from aae_jax.saved.model import Model
from aae_jax.train.phases import Phase
from aae_jax.types import Array, Metrics, Params, PRNGKey

__all__ = ["SPEC"]

FITTED = 10_000
"""Training images at most by whose codes labels are looked for."""


def _build_networks(config: SupervisedConfig, dataset: Dataset) -> Networks:
    return model.build_supervised_networks(config, dataset.image_shape, dataset.num_classes)


def _build_phases(networks: Networks, config: SupervisedConfig, dataset: Dataset) -> dict[str, Phase]:
    prior = own_sampler(config.prior, config.network.latent_dim)
    return model.build_phases(networks, config, num_classes=dataset.num_classes, prior=prior)


def _build_measure(problem: Problem) -> MeasureFn:
    config, classes = problem.config, problem.dataset.num_classes
    if not config.conditional:
        return measured.build_code_measure(problem, config.prior, given_labels=classes)
    prior = sampler_of(config.prior, config.network.latent_dim)
    judge = measured.judge_beside_labels(problem, lambda key, labels: prior(key, labels.shape[0]), classes)

    def own(params: Params, outputs: EncoderOutput, codes: Array, labels: Array, key: PRNGKey) -> Metrics:
        return {"discriminator_z_accuracy": judge(params, codes, labels, key)}

    return measured.build_code_measure(problem, config.prior, own=own, judge_codes=False, given_labels=classes)


def _saved_codes(config: SupervisedConfig, dataset: Dataset) -> SavedCodes:
    return SavedCodes(config.prior, 0, dataset.num_classes, dataset.class_names)


def _draw(rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey) -> Drawings:
    from aae_jax.figures.of_models.labelled_style import draw_supervised_figures  # matplotlib takes a second

    return draw_supervised_figures(rows, model, shown, key)


def _leakage(problem: Problem, models: Sequence[Model]) -> dict[str, Any]:
    """Return what is left of the label in the codes of images on which nothing was trained, by classifiers."""
    dataset, tested = problem.dataset, problem.config.test
    images = dataset.test_images if tested else problem.validation_images
    truth = dataset.test_labels if tested else np.asarray(problem.validation_labels)

    def measure(model: Model, index: int) -> dict[str, float]:
        some = np.random.default_rng(0).permutation(problem.data.labels.shape[1])[:FITTED]
        fitted = problem.data.labelled_images[index][some], np.asarray(problem.data.labels[index])[some]
        codes, own = (np.asarray(model.encode_stored(jax.numpy.asarray(each)).mean) for each in (images, fitted[0]))
        return measure_leakage((own, fitted[1]), (codes, truth))._asdict()

    found = measured.by_seed(problem, models, measure)
    return {"label_leakage": {"measured_on": "test" if tested else "validation", **found}}


def _say(summary: Mapping[str, Any]) -> list[str]:
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
    build_networks=_build_networks,
    build_phases=_build_phases,
    build_hyper=model.build_hyper,
    build_schedule=model.build_schedule,
    build_measure=_build_measure,
    score=measured.SCORE,
    shares=(),
    show_score=measured.show_score,
    saved_codes=_saved_codes,
    draw=_draw,
    report=functools.partial(measured.report, further=_leakage, say=_say),
)
