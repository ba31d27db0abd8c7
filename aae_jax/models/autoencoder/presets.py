"""Presets of the autoencoder and of the variational autoencoder."""

import dataclasses

from aae_jax.config import PriorConfig, ViewConfig
from aae_jax.models.autoencoder.config import AutoencoderConfig
from aae_jax.models.shared import earlier_presets as earlier
from aae_jax.models.shared.preset_parts import CLEAN
from aae_jax.models.unsupervised.presets import NETWORK, _small

__all__ = ["PRESETS"]

PLAIN = AutoencoderConfig(network=NETWORK, views=CLEAN)
VAE = dataclasses.replace(PLAIN, model="vae", network=dataclasses.replace(NETWORK, posterior="gaussian"))
PRESETS: dict[str, tuple[AutoencoderConfig, str]] = {
    "default": (PLAIN, "a plain autoencoder with a code of two dimensions"),
    "denoising": (dataclasses.replace(PLAIN, views=ViewConfig(noise_std=0.3, max_shift=0)), "the same, noisy inputs"),
    "vae": (VAE, "the variational autoencoder beside the AAE in figure 2: a Gaussian prior of std 5"),
    "vae_mixture": (
        dataclasses.replace(VAE, prior=PriorConfig(kind="mixture")),
        "the same with ten Gaussians on a ring, its divergence by samples",
    ),
    "naresh": (earlier.NARESH_AUTOENCODER, "A wizard's guide to AAEs, part 1: mean squared error"),
    "conan7882": (earlier.CONAN7882_VAE, "TensorFlow AAEs' variational autoencoder: dropout, prior std 1"),
    "smoke": (
        dataclasses.replace(
            PLAIN, epochs=2, batch_size=50, evaluate_every=1, judge_updates=0, network=_small(NETWORK)
        ),
        "tiny networks for a few seconds: does everything run?",
    ),
}
