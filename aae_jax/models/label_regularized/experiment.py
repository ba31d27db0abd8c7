"""Adversarial autoencoder whose discriminator sees labels (Makhzani et al. 2016, §2.3, figures 3 and 4)."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from aae_jax.evaluation.seeds import per_seed, percent
from aae_jax.models.label_regularized import phases
from aae_jax.models.label_regularized.config import LabelRegularizedConfig, validate_label_regularized
from aae_jax.models.label_regularized.presets import PRESETS
from aae_jax.models.shared.drawings import draw_codes
from aae_jax.models.shared.measures import build_code_measure, judge_beside_labels
from aae_jax.models.shared.without_classes import without_validation_labels
from aae_jax.models.spec import DataShape, MeasureFn, ModelSpec, RunSetup, SavedCodes
from aae_jax.networks import EncoderOutput
from aae_jax.types import Array, Metrics, Params, PRNGKey

__all__ = ["SPEC"]

SCORE = "component_error"


def _build_measure(setup: RunSetup) -> MeasureFn:
    prior = setup.prior
    assert prior is not None, "the configuration has one"
    part_of, sample_parts = prior.part_of, prior.sample_parts
    assert part_of is not None, "validate_label_regularized asks for parts"
    assert sample_parts is not None
    judge = judge_beside_labels(setup, sample_parts, setup.dataset.num_classes + 1)

    def own(params: Params, outputs: EncoderOutput, codes: Array, labels: Array, key: PRNGKey) -> Metrics:
        known = labels >= 0
        return {
            SCORE: jnp.sum((part_of(outputs.mean) != labels) & known) / jnp.sum(known),
            "discriminator_z_accuracy": judge(params, codes, labels, key),
        }

    return build_code_measure(setup, prior, own=own, judge_codes=False)


def _saved_codes(config: LabelRegularizedConfig, shape: DataShape) -> SavedCodes:
    return SavedCodes(config.prior, num_classes=0, decoded_label=0)


def _lines(summary: Mapping[str, Any]) -> list[str]:
    kind = "test" if summary["tested"] else "validation"
    if SCORE not in summary[kind]:
        return ["no validation image has a label, so that the parts of the prior cannot be checked"]
    errors = per_seed(summary[kind][SCORE])
    return [f"{percent(errors)} of {kind} codes are not in the part of the prior that belongs to their class"]


SPEC = ModelSpec(
    name="label_regularized",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate_label_regularized,
    build_codes=phases.build_codes,
    build_phases=phases.build_phases,
    build_measure=_build_measure,
    score=SCORE,
    shares=(SCORE,),
    show_score=lambda errors: f"component error {percent(errors)}",
    saved_codes=_saved_codes,
    draw=draw_codes,
    lines=_lines,
    without_validation_labels=without_validation_labels(SCORE),
)
