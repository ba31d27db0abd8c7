"""The plain and the denoising autoencoder, and the VAE beside the AAE (Makhzani et al. 2016, figure 2)."""

from aae_jax.config import PriorConfig
from aae_jax.data import Dataset
from aae_jax.models.autoencoder import phases as model
from aae_jax.models.autoencoder.config import AutoencoderConfig, validate_autoencoder
from aae_jax.models.autoencoder.presets import PRESETS
from aae_jax.models.spec import MeasureFn, ModelSpec, SavedCodes
from aae_jax.networks import Networks
from aae_jax.run import report as measured
from aae_jax.run.setup import Problem
from aae_jax.train.phases import Phase

__all__ = ["SPEC"]


def _prior_of(config: AutoencoderConfig) -> PriorConfig | None:
    return config.prior if config.model == "vae" else None


def _build_networks(config: AutoencoderConfig, dataset: Dataset) -> Networks:
    return model.build_autoencoder_networks(config, dataset.image_shape)


def _build_phases(networks: Networks, config: AutoencoderConfig, dataset: Dataset) -> dict[str, Phase]:
    return model.build_phases(networks, config)


def _build_measure(problem: Problem) -> MeasureFn:
    return measured.build_code_measure(problem, _prior_of(problem.config), reconstructed=True)


def _saved_codes(config: AutoencoderConfig, dataset: Dataset) -> SavedCodes:
    return SavedCodes(_prior_of(config), num_classes=0, decoded_label=0)


SPEC = ModelSpec(
    name="autoencoder",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate_autoencoder,
    build_networks=_build_networks,
    build_phases=_build_phases,
    build_hyper=model.build_hyper,
    build_schedule=model.build_schedule,
    build_measure=_build_measure,
    score=measured.SCORE,
    shares=(),
    show_score=measured.show_score,
    saved_codes=_saved_codes,
    draw=measured.draw,
    report=measured.report,
)
