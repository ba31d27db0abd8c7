"""The adversarial autoencoder whose adversary sees labels (Makhzani et al. 2016, §2.3, figure 3).

The prior has a part for each class. Beside a code the adversary sees its image's label, and beside a sample the
label of the part it is from; images of the pool, among which the labelled ones come again, have an extra class, and
samples of the whole prior beside them. So each class comes to its own part, and images without labels to the one they
are like.
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
    style_hyper,
)
from aae_jax.models.shared.terms import DRAW_RECONSTRUCTION, Auxiliary, encode_view, no_label, rebuild, schedule_of
from aae_jax.networks import Codes, Networks
from aae_jax.networks import build_networks as build_coded_networks
from aae_jax.priors.configured import configured_prior
from aae_jax.priors.prior import Prior
from aae_jax.train.hyper import Hyper
from aae_jax.train.optimizers import build_optimizer
from aae_jax.train.phases import LossFn, Phase
from aae_jax.types import Array, Batch, Params, PRNGKey, Sampler, Schedule, Stats

__all__ = ["build_hyper", "build_networks", "build_phases", "build_schedule"]


def build_networks(config: LabelRegularizedConfig, image_shape: tuple[int, ...], num_classes: int) -> Networks:
    """Return encoder, decoder, and an adversary of the style beside a label of `num_classes` and one more.

    Raises:
        InputError: The prior has not as many parts.
    """
    _require_parts(config, num_classes)
    judged = config.network.latent_dim + num_classes + 1
    return build_coded_networks(config.network, image_shape, Codes(0, 0, {"discriminator_z": judged}))


def build_phases(
    networks: Networks, config: LabelRegularizedConfig, *, num_classes: int, prior: Sampler | None = None
) -> dict[str, Phase]:
    """Return the table of phases: reconstruction, of the pool; discriminator, generator, of labelled images too.

    Where all images are labelled, the adversary sees no others.

    Args:
        networks: Of `build_networks`.
        config: Decides optimizers, views, reconstruction loss and prior.
        num_classes: Of the labels; the prior has as many parts.
        prior: A `Prior` of parts; None: the configured one. Samplers without parts are not used.

    Raises:
        InputError: The configuration cannot be trained with.
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
            build_optimizer(optimizers.reconstruction),
            updates_stats=True,
        ),
        "discriminator_z": Phase(
            ("discriminator_z",),
            build_labelled_discriminator(networks, config, codes),
            build_optimizer(optimizers.discriminator),
        ),
        "generator": Phase(
            ("encoder",), build_labelled_generator(networks, config, codes), build_optimizer(optimizers.generator)
        ),
    }


def build_hyper(config: LabelRegularizedConfig, num_steps: int) -> Hyper:
    """Return the traced numbers of a configuration for `num_steps` planned updates."""
    return style_hyper(config, num_steps)


def build_schedule(config: LabelRegularizedConfig) -> Schedule:
    """Return the factor on all learning rates over the planned updates."""
    return schedule_of(config.optimizers)


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
    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_RECONSTRUCTION)
        encoded = encode_view(networks, config, params, stats, batch.images, hyper, draw, reconstructed=True)
        error = rebuild(networks, config, config.weights, params, encoded, no_label(encoded.style), key)
        return hyper.weight_reconstruction * error, (encoded.stats, {"error": error})

    return loss
