"""Adversarial autoencoder whose discriminator sees labels (Makhzani et al. 2016, §2.3, figure 3).

The prior has one part per class. The discriminator sees each code with its image's label, and each sample with the
label of its part; images of the pool, which includes the labelled ones, have an extra class and are compared with
samples of the whole prior. Each class is thus mapped to its part, and an unlabelled image to the part of the images
that it resembles.
"""

import jax
import jax.numpy as jnp

from aae_jax import priors
from aae_jax.config import require_resolved
from aae_jax.errors import InputError
from aae_jax.models.label_regularized.config import LabelRegularizedConfig, validate_label_regularized
from aae_jax.models.shared.adversary import (
    LabelledCodes,
    build_labelled_discriminator,
    build_labelled_generator,
)
from aae_jax.models.shared.terms import DRAW_RECONSTRUCTION, Auxiliary, encode_view, no_label, rebuild
from aae_jax.networks import Codes, Networks
from aae_jax.priors.configured import configured_prior
from aae_jax.priors.prior import Prior
from aae_jax.train.hyper import Numbers
from aae_jax.train.optimizers import build_optimizer, build_reconstruction_optimizer
from aae_jax.train.phases import LossFn, Phase
from aae_jax.types import Array, Batch, Params, PRNGKey, Sampler, Stats

__all__ = ["build_codes", "build_phases"]


def build_codes(config: LabelRegularizedConfig, num_classes: int) -> Codes:
    """Return the codes: a style, and its discriminator, which takes a label of `num_classes` + 1 classes too.

    Raises:
        InputError: The number of the prior's parts is not `num_classes`.
    """
    _require_parts(config, num_classes)
    return Codes(0, 0, {"discriminator_z": config.network.latent_dim + num_classes + 1})


def build_phases(
    networks: Networks, config: LabelRegularizedConfig, *, num_classes: int, prior: Sampler | None = None
) -> dict[str, Phase]:
    """Return the phases by name: reconstruction of the pool; discriminator, generator of labelled images too.

    If all images are labelled, the discriminator sees no others.

    Args:
        networks: Those of `build_codes`.
        config: Optimizers, views, reconstruction loss and prior.
        num_classes: Number of classes, equal to the number of the prior's parts.
        prior: A `Prior` with parts; other samplers are ignored. None: the configured prior.

    Raises:
        InputError: The configuration is invalid.
    """
    validate_label_regularized(config)
    require_resolved(config)
    _require_parts(config, num_classes)
    parts = prior if isinstance(prior, Prior) else configured_prior(config.prior, config.network.latent_dim)
    draw_part = parts.sample_parts
    assert draw_part is not None, "validate_label_regularized asks for a prior of parts"
    codes = LabelledCodes(
        choose=_labelled_alone if config.labels == "all" else _labelled_and_pool,
        draw=lambda key, labels, hyper: draw_part(key, labels),
        length=num_classes + 1,
    )
    optimizers = config.optimizers
    return {
        "reconstruction": Phase(
            ("encoder", "decoder"),
            _build_reconstruction(networks, config),
            build_reconstruction_optimizer(optimizers.reconstruction, encoder_share=optimizers.encoder_share),
            updates_stats=True,
        ),
        "discriminator_z": Phase(
            ("discriminator_z",),
            build_labelled_discriminator(networks, config, codes),
            build_optimizer(optimizers.discriminator),
            rate="discriminator",
        ),
        "generator": Phase(
            ("encoder",), build_labelled_generator(networks, config, codes), build_optimizer(optimizers.generator)
        ),
    }


def _require_parts(config: LabelRegularizedConfig, num_classes: int) -> None:
    if config.prior.parts != num_classes:
        raise InputError(
            f"prior.parts is {config.prior.parts}, but the labels have {num_classes} classes, and each has a part of "
            f"its own; give --prior.parts {num_classes}."
        )


def _labelled_alone(batch: Batch) -> tuple[Array, Array]:
    return batch.labelled_images, batch.labels


def _labelled_and_pool(batch: Batch) -> tuple[Array, Array]:
    none = jnp.full(batch.images.shape[0], priors.UNLABELLED, batch.labels.dtype)
    return jnp.concatenate([batch.labelled_images, batch.images]), jnp.concatenate([batch.labels, none])


def _build_reconstruction(networks: Networks, config: LabelRegularizedConfig) -> LossFn:
    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_RECONSTRUCTION)
        encoded = encode_view(networks, config, params, stats, batch.images, hyper, draw, reconstructed=True)
        error, stats = rebuild(networks, config, config.weights, params, encoded, no_label(encoded.style), key)
        return hyper.weights.reconstruction * error, (stats, {"error": error})

    return loss
