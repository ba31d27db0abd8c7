"""The adversarial autoencoder without labels, with any prior (Makhzani et al. 2016, §2, figures 1 and 2)."""

from aae_jax.data import Dataset
from aae_jax.models.spec import MeasureFn, ModelSpec, SavedCodes
from aae_jax.models.unsupervised import phases as model
from aae_jax.models.unsupervised.config import UnsupervisedConfig, validate_unsupervised
from aae_jax.models.unsupervised.presets import PRESETS
from aae_jax.networks import Networks
from aae_jax.priors.custom import own_sampler
from aae_jax.run import report as measured
from aae_jax.run.setup import Problem
from aae_jax.train.phases import Phase

__all__ = ["SPEC"]


def _build_networks(config: UnsupervisedConfig, dataset: Dataset) -> Networks:
    return model.build_style_networks(config, dataset.image_shape)


def _build_phases(networks: Networks, config: UnsupervisedConfig, dataset: Dataset) -> dict[str, Phase]:
    return model.build_phases(networks, config, prior=own_sampler(config.prior, config.network.latent_dim))


def _build_measure(problem: Problem) -> MeasureFn:
    return measured.build_code_measure(problem, problem.config.prior)


def _saved_codes(config: UnsupervisedConfig, dataset: Dataset) -> SavedCodes:
    return SavedCodes(config.prior, num_classes=0, decoded_label=0)


SPEC = ModelSpec(
    name="unsupervised",
    description=__doc__ or "",
    presets=PRESETS,
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
