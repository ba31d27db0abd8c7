"""The adversarial autoencoder without labels (Makhzani et al. 2016, §2, figures 1 and 2).

The encoder gives a style z, the decoder rebuilds the image from it, and an adversary pulls the styles of all images
together to a prior of any shape that can be sampled.
"""

import dataclasses
from collections.abc import Callable

import jax

from aae_jax import losses
from aae_jax.config import UnsupervisedConfig, require_resolved, validate_unsupervised
from aae_jax.hyper import Hyper
from aae_jax.models.parts import (
    DRAW_ADVERSARIES,
    DRAW_PRIOR_Z,
    DRAW_RECONSTRUCTION,
    Auxiliary,
    adversary_loss,
    build_prior,
    encode_view,
    no_label,
    rebuild,
    schedule_of,
    traced_hyper,
)
from aae_jax.networks import Codes, Networks, build_networks
from aae_jax.optimizers import build_optimizer
from aae_jax.phases import LossFn, Phase
from aae_jax.types import Array, Batch, Params, Prior, PRNGKey, Schedule, Stats

__all__ = [
    "build_hyper",
    "build_phases",
    "build_schedule",
    "build_style_networks",
]

DrawPrior = Callable[[PRNGKey, int, Hyper], Array]
"""`(key, n, traced numbers) -> samples`."""


def build_style_networks(config: UnsupervisedConfig, image_shape: tuple[int, ...]) -> Networks:
    """Return encoder, decoder and the adversary of z, for images of `image_shape`; there is no label."""
    return build_networks(config.network, image_shape, Codes(0, 0, {"discriminator_z": config.network.latent_dim}))


def build_phases(networks: Networks, config: UnsupervisedConfig, *, prior: Prior | None = None) -> dict[str, Phase]:
    """Return the table of phases: reconstruction, discriminator, generator; or, in a joint step, two.

    Args:
        networks: Of `build_style_networks`.
        config: Decides optimizers, views, reconstruction loss and prior.
        prior: Any sampler `(key, n) -> [n, latent]` instead of the configured one; `hyper.prior_std` does not
            scale it.

    Raises:
        InputError: The configuration cannot be trained with.
    """
    validate_unsupervised(config)
    require_resolved(config)
    draw_prior = _own(prior) if prior else _build_scaled_prior(config)
    optimizers = config.optimizers
    discriminator = Phase(
        ("discriminator_z",),
        _build_discriminator(networks, config, draw_prior),
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
    generator = Phase(("encoder",), _build_generator(networks, config), build_optimizer(optimizers.generator))
    return {"reconstruction": rebuild, "discriminator_z": discriminator, "generator": generator}


def build_hyper(config: UnsupervisedConfig, num_steps: int) -> Hyper:
    """Return the traced numbers of a configuration for `num_steps` planned updates."""
    require_resolved(config)
    optimizers = config.optimizers
    rates = {
        "reconstruction": optimizers.reconstruction.learning_rate,
        "discriminator_z": optimizers.discriminator.learning_rate,
        "generator": optimizers.generator.learning_rate,
    }
    if config.joint:
        del rates["generator"]
    return traced_hyper(
        rates,
        num_steps,
        noise_std=config.views.noise_std,
        prior_std=config.prior.traced_std,
        weight_reconstruction=config.weights.reconstruction,
        weight_z=config.weights.generator_z,
        average_decay=config.averaging.decay,
    )


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
            metrics["generator_z"] = losses.generator_loss(networks.discriminate_z(params, style, key))
            value += hyper.weight_z * metrics["generator_z"]
        return value, (encoded.stats, metrics)

    return loss


def _own(prior: Prior) -> DrawPrior:
    return lambda key, count, hyper: prior(key, count)


def _build_scaled_prior(config: UnsupervisedConfig) -> DrawPrior:
    """Return a sampler of the configured prior; a Gaussian's std is `hyper.prior_std`, which is traced."""
    unit = dataclasses.replace(config.prior, std=1.0)
    prior = build_prior(unit, config.network.latent_dim)
    return lambda key, count, hyper: hyper.prior_std * prior(key, count)


def _build_discriminator(networks: Networks, config: UnsupervisedConfig, draw_prior: DrawPrior) -> LossFn:
    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        fake = encode_view(
            networks, config, params, stats, batch.images, hyper, draw, reconstructed=config.joint
        ).style
        real = draw_prior(jax.random.fold_in(key, DRAW_PRIOR_Z), fake.shape[0], hyper)
        return adversary_loss(networks.discriminate_z, params, stats, real, fake, key)

    return loss


def _build_generator(networks: Networks, config: UnsupervisedConfig) -> LossFn:
    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        style = encode_view(networks, config, params, stats, batch.images, hyper, draw).style
        value = losses.generator_loss(networks.discriminate_z(params, style, key))
        return hyper.weight_z * value, (stats, {"z": value})

    return loss
