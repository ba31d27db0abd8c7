"""Presets of the unsupervised adversarial autoencoder."""

import dataclasses
from typing import Literal

from aae_jax.config import NetworkConfig, PriorConfig
from aae_jax.config.parts import OptimizerConfig
from aae_jax.models.shared import earlier_presets as earlier
from aae_jax.models.shared.preset_parts import CLEAN, adam
from aae_jax.models.unsupervised.config import UnsupervisedConfig, UnsupervisedOptimizers, UnsupervisedWeights

__all__ = ["PRESETS"]

Posterior = Literal["deterministic", "gaussian", "universal"]
NETWORK = NetworkConfig(latent_dim=2, discriminator_hidden=(500, 500), precision="auto")
GAUSSIAN = UnsupervisedConfig(network=NETWORK, views=CLEAN)


def _matched(config: UnsupervisedConfig) -> UnsupervisedConfig:
    """Return the configuration with codes that fill the prior evenly, by a discrepancy and a slower encoder.

    MNIST, a Gaussian in two dimensions, 10,000 updates, seed 0, validation images: a fresh classifier between codes
    and samples is right for 50.5 % (at the paper's five phases with slow adversaries 57 %), with 0.0378 instead of
    0.0360 of error per pixel; with a share of 0.1, 50.6 % and 0.0404.
    """
    return dataclasses.replace(
        config,
        optimizers=dataclasses.replace(config.optimizers, encoder_share=0.3),
        weights=dataclasses.replace(config.weights, style_mmd=30.0),
    )


def _with_prior(prior: PriorConfig) -> UnsupervisedConfig:
    return dataclasses.replace(GAUSSIAN, prior=prior)


ROLL = dataclasses.replace(
    GAUSSIAN,
    network=dataclasses.replace(NETWORK, discriminator_noise=0.2),
    prior=PriorConfig(kind="swiss_roll"),
)
"""The roll is a curve, so a discriminator detects codes at any distance from it and gives them no useful gradient.
With noise on its input, codes match the roll after 5,000 updates and reconstructions improve: discriminator accuracy
71 % instead of 88 % on validation codes, largest mean offset 0.06 instead of 0.19 standard deviations of the prior,
error per pixel 0.0415 instead of 0.0459."""


def _with_posterior(kind: Posterior) -> UnsupervisedConfig:
    return dataclasses.replace(GAUSSIAN, network=dataclasses.replace(NETWORK, posterior=kind))


def _small(config: NetworkConfig) -> NetworkConfig:
    return dataclasses.replace(config, hidden=(32, 32), discriminator_hidden=(16,))


HRENSKI = UnsupervisedConfig(
    joint=True,
    epochs=54,
    batch_size=128,
    network=NetworkConfig(hidden=(256, 64), discriminator_hidden=(128, 128), latent_dim=2, precision="auto"),
    views=CLEAN,
    prior=PriorConfig(std=1.0),
    optimizers=UnsupervisedOptimizers(discriminator=OptimizerConfig(), schedule="constant"),
    weights=UnsupervisedWeights(generator_z=0.1, reconstruction_loss="mean_squared_error"),
)
"""hrenski/Adversarial-Autoencoder-Experimients, notebooks: reconstruction and a tenth of the generator loss in one
step, Adam at 1e-3; 45 passes over 60,000 images are 54 over our pool of 50,000. Corrected: the generator term uses
the discriminator after its update. The leaky units of its encoder, its decoder's layers of 64 and then 256 units, and
Xavier initialisation are replaced by ours."""
ANOMALY = dataclasses.replace(
    _matched(GAUSSIAN),
    epochs=5,
    network=dataclasses.replace(NETWORK, latent_dim=8),
    views=dataclasses.replace(CLEAN, noise_std=0.5),
    prior=PriorConfig(std=1.0),
)
FACES = UnsupervisedConfig(
    dataset="lfw/first",
    epochs=40,
    network=NetworkConfig(
        hidden=(1000,), latent_dim=400, batch_norm=True, discriminator_hidden=(500, 500), precision="auto"
    ),
    views=CLEAN,
    prior=PriorConfig(std=1.0),
    optimizers=UnsupervisedOptimizers(
        discriminator=adam(1e-4, 0.5), generator=adam(3e-4, 0.5), schedule="steps", drops=(0.6, 0.85)
    ),
    weights=UnsupervisedWeights(style_mmd=30.0),
)
"""A perceptron: in 25 minutes of one core, four convolutions (16 to 128 channels) reach only 0.0107 of error per
pixel, and nobody can be recognised. The adversaries are slow, so that they do not undo the reconstruction; the last
epochs, at a hundredth of the rates, let batch norm's running moments come to those of the final weights."""
HRENSKI_FACES = dataclasses.replace(
    HRENSKI,
    dataset="lfw/first",
    epochs=300,
    network=NetworkConfig(
        kind="conv",
        channels=(2048, 1536, 1024),
        kernel_size=5,
        hidden=(),
        latent_dim=400,
        batch_norm=True,
        discriminator_hidden=(400, 200),
        precision="auto",
    ),
)
"""hrenski's architecture for faces, with the optimizers of its notebooks: the encoder's widths, code, discriminator
and 300 epochs. All three convolutions have kernels of 5 and halve the image, where its second keeps the size and has
kernels of 3 like the third; ReLU replaces its leaky ReLU, the decoder mirrors the encoder and has no batch norm. It
needs an accelerator."""
PRESETS: dict[str, tuple[UnsupervisedConfig, str]] = {
    "default": (
        _matched(GAUSSIAN),
        "a Gaussian of std 5 in two dimensions (figures 1 and 2 of the paper), filled evenly",
    ),
    "plain": (GAUSSIAN, "the same with the paper's losses alone"),
    "mixture": (
        _matched(_with_prior(PriorConfig(kind="mixture"))),
        "ten Gaussians on a ring, stds 0.5 and 0.1 (nicklhy, conan7882)",
    ),
    "mixture_narrow": (
        _matched(_with_prior(PriorConfig(kind="mixture", std_across=0.05))),
        "the same, stds 0.5 and 0.05 (musyoku)",
    ),
    "umbrella": (
        _with_prior(PriorConfig(kind="umbrella")),
        "hrenski's ten Gaussians: stds 0.53 and 0.18 at radius 2",
    ),
    "swiss_roll": (ROLL, "a roll of two turns and radius 3"),
    "uniform": (_with_prior(PriorConfig(kind="uniform")), "a square from -5 to 5"),
    "gaussian_posterior": (_with_posterior("gaussian"), "plain with a Gaussian posterior"),
    "universal": (_with_posterior("universal"), "plain with noise as a further input of the encoder"),
    "hrenski": (HRENSKI, "one step for reconstruction and a tenth of the generator's loss, prior std 1"),
    "anomaly": (
        ANOMALY,
        "a Gaussian code of 8 dimensions, noisy input: for anomaly scores; experiments/anomaly.py",
    ),
    "faces": (FACES, "faces (lfw): a Gaussian code of 400 dimensions; experiments/faces.py"),
    "hrenski_faces": (HRENSKI_FACES, "hrenski's convolutions for faces, as far as they are known: for accelerators"),
    "fducau": (earlier.FDUCAU, "AAE_pytorch (Paperspace blog): dropout, prior std 5"),
    "naresh": (earlier.NARESH, "A wizard's guide to AAEs, part 2: Adam, prior std 5, mean squared error"),
    "conan7882": (earlier.CONAN7882, "TensorFlow AAEs: Gaussian posterior, tanh, prior std 1, 480 epochs"),
    "smoke": (
        dataclasses.replace(
            GAUSSIAN, epochs=2, batch_size=50, evaluate_every=1, judge_updates=0, network=_small(NETWORK)
        ),
        "tiny networks for a few seconds: does everything run?",
    ),
}
