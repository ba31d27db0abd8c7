"""The adversarial autoencoder without labels (Makhzani et al. 2016, §2, figures 1 and 2).

The encoder gives a style z, the decoder rebuilds the image from it, and an adversary pulls the styles of all images
together to a prior of any shape that can be sampled.
"""

import jax

from aae_jax import losses
from aae_jax.config import require_resolved
from aae_jax.models.shared.adversary import (
    build_style_discriminator,
    build_style_generator,
    style_hyper,
    traced_prior,
)
from aae_jax.models.shared.terms import (
    DRAW_ADVERSARIES,
    DRAW_JUDGED,
    DRAW_RECONSTRUCTION,
    Auxiliary,
    encode_view,
    no_label,
    rebuild,
    schedule_of,
)
from aae_jax.models.unsupervised.config import UnsupervisedConfig, validate_unsupervised
from aae_jax.networks import Codes, Networks
from aae_jax.networks import build_networks as build_coded_networks
from aae_jax.train.hyper import Hyper
from aae_jax.train.optimizers import build_optimizer
from aae_jax.train.phases import LossFn, Phase
from aae_jax.types import Batch, Params, PRNGKey, Sampler, Schedule, Stats

__all__ = [
    "build_hyper",
    "build_networks",
    "build_phases",
    "build_schedule",
]


def build_networks(config: UnsupervisedConfig, image_shape: tuple[int, ...], num_classes: int = 0) -> Networks:
    """Return encoder, decoder and the adversary of z, for images of `image_shape`; there is no label."""
    return build_coded_networks(
        config.network, image_shape, Codes(0, 0, {"discriminator_z": config.network.latent_dim})
    )


def build_phases(
    networks: Networks, config: UnsupervisedConfig, *, num_classes: int = 0, prior: Sampler | None = None
) -> dict[str, Phase]:
    """Return the table of phases: reconstruction, discriminator, generator; or, in a joint step, two.

    Args:
        networks: Of `build_networks`.
        config: Decides optimizers, views, reconstruction loss and prior.
        num_classes: Not used: the model has no label.
        prior: A `Prior`, or any sampler of styles, `(key, n) -> [n, latent]`, which `hyper.prior_std` does not
            scale; None: the configured one.

    Raises:
        InputError: The configuration cannot be trained with.
    """
    validate_unsupervised(config)
    require_resolved(config)
    draw_prior = traced_prior(prior, config.prior, config.network.latent_dim)
    optimizers = config.optimizers
    discriminator = Phase(
        ("discriminator_z",),
        build_style_discriminator(networks, config, draw_prior, reconstructed=config.joint),
        build_optimizer(optimizers.discriminator),
    )
    rebuild = Phase(
        ("encoder", "decoder"),
        _build_reconstruction(networks, config),
        build_optimizer(optimizers.reconstruction),
        updates_stats=True,
    )
    if config.joint:
        return {"discriminator_z": discriminator, "reconstruction": rebuild}
    generator = Phase(("encoder",), build_style_generator(networks, config), build_optimizer(optimizers.generator))
    return {"reconstruction": rebuild, "discriminator_z": discriminator, "generator": generator}


def build_hyper(config: UnsupervisedConfig, num_steps: int) -> Hyper:
    """Return the traced numbers of a configuration for `num_steps` planned updates."""
    return style_hyper(config, num_steps, joint=config.joint)


def build_schedule(config: UnsupervisedConfig) -> Schedule:
    """Return the factor on all learning rates over the planned updates."""
    return schedule_of(config.optimizers)


def _build_reconstruction(networks: Networks, config: UnsupervisedConfig) -> LossFn:
    shared = config.joint or config.update_order == "simultaneous"  # one view for all

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES if shared else DRAW_RECONSTRUCTION)
        encoded = encode_view(networks, config, params, stats, batch.images, hyper, draw, reconstructed=True)
        style = encoded.style
        error = rebuild(networks, config, config.weights, params, encoded, no_label(style), key)
        value, metrics = hyper.weight_reconstruction * error, {"error": error}
        if config.joint:
            judged = networks.discriminate_z(params, style, jax.random.fold_in(key, DRAW_JUDGED))
            metrics["generator_z"] = losses.generator_loss(judged)
            value += hyper.weight_z * metrics["generator_z"]
        return value, (encoded.stats, metrics)

    return loss
