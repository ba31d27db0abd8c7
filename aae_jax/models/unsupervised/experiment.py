"""Adversarial autoencoder without labels, with any prior (Makhzani et al. 2016, §2, figures 1 and 2)."""

from aae_jax.models.shared.drawings import draw_codes
from aae_jax.models.shared.measures import SCORE, build_code_measure, show_score
from aae_jax.models.spec import DataShape, MeasureFn, ModelSpec, RunSetup, SavedCodes
from aae_jax.models.unsupervised import phases
from aae_jax.models.unsupervised.config import UnsupervisedConfig, validate_unsupervised
from aae_jax.models.unsupervised.presets import PRESETS

__all__ = ["SPEC"]


def _build_measure(setup: RunSetup) -> MeasureFn:
    return build_code_measure(setup, setup.prior)


def _saved_codes(config: UnsupervisedConfig, shape: DataShape) -> SavedCodes:
    return SavedCodes(config.prior, num_classes=0, decoded_label=0)


SPEC = ModelSpec(
    name="unsupervised",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate_unsupervised,
    build_codes=phases.build_codes,
    build_phases=phases.build_phases,
    build_measure=_build_measure,
    score=SCORE,
    shares=(),
    show_score=show_score,
    saved_codes=_saved_codes,
    draw=draw_codes,
)
