"""The adversarial autoencoder without labels, with any prior (Makhzani et al. 2016, §2, figures 1 and 2)."""

from collections.abc import Sequence

from aae_jax.config import UnsupervisedConfig, validate_unsupervised
from aae_jax.data import Dataset
from aae_jax.experiments import measured
from aae_jax.experiments.experiment import Experiment, MeasureFn, SavedCodes
from aae_jax.experiments.launch import launch
from aae_jax.experiments.problem import Problem
from aae_jax.experiments.user_prior import own_sampler
from aae_jax.models import unsupervised as model
from aae_jax.networks import Networks
from aae_jax.phases import Phase
from aae_jax.presets import UNSUPERVISED_PRESETS

__all__ = ["EXPERIMENT", "main"]


def main(argv: Sequence[str] | None = None, *, launcher: str | None = None) -> int:
    """Run the command `unsupervised` and return its exit status (see `launch`)."""
    return launch(EXPERIMENT, argv, launcher=launcher)


def _build_networks(config: UnsupervisedConfig, dataset: Dataset) -> Networks:
    return model.build_style_networks(config, dataset.image_shape)


def _build_phases(networks: Networks, config: UnsupervisedConfig, dataset: Dataset) -> dict[str, Phase]:
    return model.build_phases(networks, config, prior=own_sampler(config.prior, config.network.latent_dim))


def _build_measure(problem: Problem) -> MeasureFn:
    return measured.build_code_measure(problem, problem.config.prior)


def _saved_codes(config: UnsupervisedConfig, dataset: Dataset) -> SavedCodes:
    return SavedCodes(config.prior, num_classes=0, decoded_label=0)


EXPERIMENT = Experiment(
    name="unsupervised",
    description=__doc__ or "",
    presets=UNSUPERVISED_PRESETS,
    validate=validate_unsupervised,
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
