"""Plain and denoising autoencoders, and the VAE compared with the AAE (Makhzani et al. 2016, figure 2)."""

from aae_jax.config import PriorConfig
from aae_jax.models.autoencoder import phases
from aae_jax.models.autoencoder.config import AutoencoderConfig, validate_autoencoder
from aae_jax.models.autoencoder.presets import PRESETS
from aae_jax.models.shared.drawings import draw_codes
from aae_jax.models.shared.measures import SCORE, build_code_measure, show_score
from aae_jax.models.spec import DataShape, MeasureFn, ModelSpec, RunSetup, SavedCodes

__all__ = ["SPEC"]


def _prior_of(config: AutoencoderConfig) -> PriorConfig | None:
    return config.prior if config.model == "vae" else None


def _build_measure(setup: RunSetup) -> MeasureFn:
    return build_code_measure(setup, setup.prior if setup.config.model == "vae" else None, reconstructed=True)


def _saved_codes(config: AutoencoderConfig, shape: DataShape) -> SavedCodes:
    return SavedCodes(_prior_of(config), num_classes=0, decoded_label=0)


SPEC = ModelSpec(
    name="autoencoder",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate_autoencoder,
    build_codes=phases.build_codes,
    build_phases=phases.build_phases,
    build_measure=_build_measure,
    score=SCORE,
    shares=(),
    show_score=show_score,
    saved_codes=_saved_codes,
    draw=draw_codes,
)
