"""Supervised adversarial autoencoder (Makhzani et al. 2016, §4, figure 6).

The decoder receives the label with the style, so that the style need not encode the class: it describes how a digit
is written, not which digit it is. All phases use labelled images.
"""

import jax
import jax.numpy as jnp

from aae_jax.config import require_resolved
from aae_jax.models.shared.adversary import (
    LabelledCodes,
    build_labelled_discriminator,
    build_labelled_generator,
    build_style_discriminator,
    build_style_generator,
    on_labelled,
    traced_prior,
)
from aae_jax.models.shared.terms import (
    DRAW_ADVERSARIES,
    DRAW_RECONSTRUCTION,
    Auxiliary,
    encode_view,
    rebuild,
)
from aae_jax.models.supervised.config import SupervisedConfig, validate_supervised
from aae_jax.networks import Codes, Networks
from aae_jax.train.hyper import Numbers
from aae_jax.train.optimizers import build_optimizer, build_reconstruction_optimizer
from aae_jax.train.phases import LossFn, Phase
from aae_jax.types import Batch, Params, PRNGKey, Sampler, Stats

__all__ = ["build_codes", "build_phases"]


def build_codes(config: SupervisedConfig, num_classes: int) -> Codes:
    """Return the codes: a style with its discriminator, and the label that the decoder receives."""
    judged = config.network.latent_dim + (num_classes if config.conditional else 0)
    return Codes(0, num_classes, {"discriminator_z": judged})


def build_phases(
    networks: Networks, config: SupervisedConfig, *, num_classes: int, prior: Sampler | None = None
) -> dict[str, Phase]:
    """Return the phases by name: reconstruction, discriminator, generator.

    Args:
        networks: Those of `build_codes`.
        config: Optimizers, views, reconstruction loss and prior.
        num_classes: Length of the one-hot labels.
        prior: A `Prior`, or any sampler of styles, `(key, n) -> [n, latent]`, which is not scaled by
            `hyper.prior.std`. None: the configured prior.

    Raises:
        InputError: The configuration is invalid.
    """
    validate_supervised(config)
    require_resolved(config)
    draw_prior = traced_prior(prior, config.prior, config.network.latent_dim)
    if config.conditional:
        beside = LabelledCodes(
            choose=lambda batch: (batch.labelled_images, batch.labels),
            draw=lambda key, labels, hyper: draw_prior(key, labels.shape[0], hyper),
            length=num_classes,
        )
        discriminate = build_labelled_discriminator(networks, config, beside)
        generate = build_labelled_generator(networks, config, beside)
    else:
        discriminate = on_labelled(build_style_discriminator(networks, config, draw_prior))
        generate = on_labelled(build_style_generator(networks, config, draw_prior))
    optimizers = config.optimizers
    return {
        "reconstruction": Phase(
            ("encoder", "decoder"),
            _build_reconstruction(networks, config, num_classes),
            build_reconstruction_optimizer(optimizers.reconstruction, encoder_share=optimizers.encoder_share),
            updates_stats=True,
        ),
        "discriminator_z": Phase(
            ("discriminator_z",), discriminate, build_optimizer(optimizers.discriminator), rate="discriminator"
        ),
        "generator": Phase(("encoder",), generate, build_optimizer(optimizers.generator)),
    }


def _build_reconstruction(networks: Networks, config: SupervisedConfig, num_classes: int) -> LossFn:
    shared = config.update_order == "simultaneous"  # all phases read the same view

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES if shared else DRAW_RECONSTRUCTION)
        encoded = encode_view(networks, config, params, stats, batch.labelled_images, hyper, draw, reconstructed=True)
        label = jax.nn.one_hot(batch.labels, num_classes, dtype=jnp.float32)
        error, stats = rebuild(networks, config, config.weights, params, encoded, label, key)
        return hyper.weights.reconstruction * error, (stats, {"error": error})

    return loss
