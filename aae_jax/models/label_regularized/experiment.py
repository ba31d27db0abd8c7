"""The adversarial autoencoder whose adversary sees labels (Makhzani et al. 2016, §2.3, figures 3 and 4)."""

import functools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from aae_jax.data import Dataset
from aae_jax.models.label_regularized import phases as model
from aae_jax.models.label_regularized.config import LabelRegularizedConfig, validate_label_regularized
from aae_jax.models.label_regularized.presets import PRESETS
from aae_jax.models.spec import MeasureFn, ModelSpec, SavedCodes
from aae_jax.networks import EncoderOutput, Networks
from aae_jax.priors.configured import build_labelled_prior, prior_part
from aae_jax.run import report as measured
from aae_jax.run.console import percent
from aae_jax.run.setup import Problem
from aae_jax.run.summary import per_seed
from aae_jax.train.phases import Phase
from aae_jax.types import Array, Metrics, Params, PRNGKey

__all__ = ["SPEC"]

SCORE = "component_error"


def _build_networks(config: LabelRegularizedConfig, dataset: Dataset) -> Networks:
    return model.build_label_regularized_networks(config, dataset.image_shape, dataset.num_classes)


def _build_phases(networks: Networks, config: LabelRegularizedConfig, dataset: Dataset) -> dict[str, Phase]:
    return model.build_phases(networks, config, num_classes=dataset.num_classes)


def _build_measure(problem: Problem) -> MeasureFn:
    config = problem.config
    draw = build_labelled_prior(config.prior, config.network.latent_dim)
    judge = measured.judge_beside_labels(problem, draw, problem.dataset.num_classes + 1)

    def own(params: Params, outputs: EncoderOutput, codes: Array, labels: Array, key: PRNGKey) -> Metrics:
        return {
            SCORE: jnp.mean(prior_part(config.prior, outputs.mean) != labels, dtype=jnp.float32),
            "discriminator_z_accuracy": judge(params, codes, labels, key),
        }

    return measured.build_code_measure(problem, config.prior, own=own, judge_codes=False)


def _saved_codes(config: LabelRegularizedConfig, dataset: Dataset) -> SavedCodes:
    return SavedCodes(config.prior, num_classes=0, decoded_label=0)


def _say(summary: Mapping[str, Any]) -> list[str]:
    kind = "test" if summary["tested"] else "validation"
    errors = per_seed(summary[kind][SCORE])
    return [f"{percent(errors)} of {kind} codes are not in the part of the prior that belongs to their class"]


SPEC = ModelSpec(
    name="label_regularized",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate_label_regularized,
    build_networks=_build_networks,
    build_phases=_build_phases,
    build_hyper=model.build_hyper,
    build_schedule=model.build_schedule,
    build_measure=_build_measure,
    score=SCORE,
    shares=(SCORE,),
    show_score=lambda errors: f"not in their part {percent(errors)}",
    saved_codes=_saved_codes,
    draw=measured.draw,
    report=functools.partial(measured.report, say=_say),
)
