"""The plain and the denoising autoencoder, and the VAE beside the AAE (Makhzani et al. 2016, figure 2)."""

from collections.abc import Sequence

from aae_jax.config import AutoencoderConfig, PriorConfig, validate_autoencoder
from aae_jax.data import Dataset
from aae_jax.experiments import measured
from aae_jax.experiments.experiment import Experiment, MeasureFn, SavedCodes
from aae_jax.experiments.launch import launch
from aae_jax.experiments.problem import Problem
from aae_jax.models import autoencoder as model
from aae_jax.networks import Networks
from aae_jax.phases import Phase
from aae_jax.presets import AUTOENCODER_PRESETS

__all__ = ["EXPERIMENT", "main"]


def main(argv: Sequence[str] | None = None, *, launcher: str | None = None) -> int:
    """Run the command `autoencoder` and return its exit status (see `launch`)."""
    return launch(EXPERIMENT, argv, launcher=launcher)


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


EXPERIMENT = Experiment(
    name="autoencoder",
    description=__doc__ or "",
    presets=AUTOENCODER_PRESETS,
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
