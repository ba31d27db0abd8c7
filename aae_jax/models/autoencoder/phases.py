"""Autoencoder without a discriminator: plain, denoising (with noisy views) or variational.

Figure 2 of the paper compares the VAE (Kingma and Welling 2014) with the AAE. It has one phase, whose loss is the sum
of the reconstruction loss and the full KL divergence of the posterior from the prior.
"""

import jax

from aae_jax import losses
from aae_jax.config import require_resolved
from aae_jax.models.autoencoder.config import AutoencoderConfig, validate_autoencoder
from aae_jax.models.shared.terms import (
    DRAW_RECONSTRUCTION,
    Auxiliary,
    Encoded,
    encode_view,
    no_label,
    rebuild,
)
from aae_jax.networks import Codes, Networks
from aae_jax.priors.configured import configured_prior
from aae_jax.train.hyper import Numbers
from aae_jax.train.optimizers import build_reconstruction_optimizer
from aae_jax.train.phases import LossFn, Phase
from aae_jax.types import Array, Batch, Params, PRNGKey, Sampler, Stats

__all__ = ["build_codes", "build_phases"]


def build_codes(config: AutoencoderConfig, num_classes: int = 0) -> Codes:
    """Return the codes: a style, without label or discriminator."""
    return Codes(0, 0, {})


def build_phases(
    networks: Networks, config: AutoencoderConfig, *, num_classes: int = 0, prior: Sampler | None = None
) -> dict[str, Phase]:
    """Return the only phase, reconstruction, by name.

    Args:
        networks: Those of `build_codes`.
        config: Optimizer, views, reconstruction loss, and the prior of the VAE.
        num_classes: Ignored; the model has no label.
        prior: Ignored; the divergence of a VAE is measured from the configured prior.

    Raises:
        InputError: The configuration is invalid.
    """
    validate_autoencoder(config)
    require_resolved(config)
    optimizer = build_reconstruction_optimizer(
        config.optimizers.reconstruction, encoder_share=config.optimizers.encoder_share
    )
    loss = _build_reconstruction(networks, config)
    return {"reconstruction": Phase(("encoder", "decoder"), loss, optimizer, updates_stats=True)}


def _build_reconstruction(networks: Networks, config: AutoencoderConfig) -> LossFn:
    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_RECONSTRUCTION)
        encoded = encode_view(networks, config, params, stats, batch.images, hyper, draw, reconstructed=True)
        error, stats = rebuild(networks, config, config.weights, params, encoded, no_label(encoded.style), key)
        value, metrics = hyper.weights.reconstruction * error, {"error": error}
        if config.model == "vae":
            metrics["kl"] = _divergence(encoded, config, hyper)
            value += hyper.weights.kl * metrics["kl"]
        return value, (stats, metrics)

    return loss


def _divergence(encoded: Encoded, config: AutoencoderConfig, hyper: Numbers) -> Array:
    """Return KL(q(z|x) ‖ p(z)) in nats, batch mean: in closed form for a Gaussian prior, else by sampling."""
    mean, log_std = encoded.output.mean, encoded.output.log_std
    assert log_std is not None, "validate_autoencoder asks for a Gaussian posterior"
    if config.prior.is_gaussian:
        return losses.kl_to_gaussian(mean, log_std, hyper.prior.std)
    log_prob = configured_prior(config.prior, config.network.latent_dim).log_prob
    assert log_prob is not None, "validate_autoencoder asks for a density"
    return losses.kl_by_samples(encoded.style, mean, log_std, log_prob(encoded.style))
