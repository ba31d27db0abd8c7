"""Settings of earlier implementations for models other than the semi-supervised one."""

import dataclasses

from aae_jax.config import NetworkConfig, OptimizerConfig, PriorConfig
from aae_jax.models.autoencoder.config import AutoencoderConfig, AutoencoderOptimizers, AutoencoderWeights
from aae_jax.models.label_regularized.config import LabelRegularizedConfig
from aae_jax.models.shared.preset_parts import CLEAN, adam
from aae_jax.models.supervised.config import SupervisedConfig
from aae_jax.models.unsupervised.config import UnsupervisedConfig, UnsupervisedOptimizers, UnsupervisedWeights

__all__ = [
    "CONAN7882",
    "CONAN7882_LABELS",
    "CONAN7882_SUPERVISED",
    "CONAN7882_VAE",
    "FDUCAU",
    "FDUCAU_SUPERVISED",
    "MUSYOKU_LABELS",
    "NARESH",
    "NARESH_AUTOENCODER",
    "NARESH_SUPERVISED",
]

MEAN_SQUARED = UnsupervisedWeights(reconstruction_loss="mean_squared_error")


def _optimizers(
    reconstruction: OptimizerConfig, adversaries: OptimizerConfig, drops: tuple[float, ...] = ()
) -> UnsupervisedOptimizers:
    return UnsupervisedOptimizers(
        reconstruction=reconstruction,
        discriminator=adversaries,
        generator=adversaries,
        schedule="steps" if drops else "constant",
        drops=drops,
    )


FDUCAU = UnsupervisedConfig(
    epochs=500,
    network=NetworkConfig(latent_dim=2, dropout=0.2, discriminator_dropout=0.2),
    views=CLEAN,
    optimizers=_optimizers(adam(1e-4), adam(5e-5)),
    weights=UnsupervisedWeights(reconstruction_loss="bernoulli"),
)
"""fducau/AAE_pytorch, `aae_pytorch_basic.py`: a Gaussian of std 5. Corrected: a ReLU missing from its decoder."""
FDUCAU_SUPERVISED = SupervisedConfig(
    epochs=500,
    network=FDUCAU.network,
    views=CLEAN,
    prior=PriorConfig(std=5.0),
    conditional=False,
    optimizers=FDUCAU.optimizers,
    weights=FDUCAU.weights,
)
"""Its `aae_supervised.py`. Corrected: trained on training images; the original trains on its 10,000 validation
images."""

WIZARD = NetworkConfig(weight_init="paper", latent_dim=2)
NARESH = UnsupervisedConfig(
    epochs=1000, network=WIZARD, views=CLEAN, optimizers=_optimizers(adam(1e-3), adam(1e-3)), weights=MEAN_SQUARED
)
"""Naresh1318/Adversarial_Autoencoder, `adversarial_autoencoder.py`: a Gaussian of std 5, weights from N(0, 0.01²)."""
NARESH_AUTOENCODER = AutoencoderConfig(
    epochs=1000,
    network=WIZARD,
    views=CLEAN,
    optimizers=AutoencoderOptimizers(reconstruction=adam(1e-3), schedule="constant"),
    weights=AutoencoderWeights(reconstruction_loss="mean_squared_error"),
)
NARESH_SUPERVISED = SupervisedConfig(
    epochs=100,
    network=dataclasses.replace(WIZARD, latent_dim=15, precision="auto"),
    views=CLEAN,
    prior=PriorConfig(std=5.0),
    conditional=False,
    optimizers=NARESH.optimizers,
    weights=MEAN_SQUARED,
)

LEAKY = NetworkConfig(
    latent_dim=2, posterior="gaussian", output="tanh", discriminator_activation="leaky_relu", precision="auto"
)
CONAN7882 = UnsupervisedConfig(
    epochs=480,
    batch_size=128,
    network=LEAKY,
    views=CLEAN,
    prior=PriorConfig(std=1.0),
    optimizers=_optimizers(adam(2e-4, 0.5), adam(2e-4, 0.5), (100 / 400, 300 / 400)),
)
"""conan7882/adversarial-autoencoders, `aae_mnist.py --train`: 400 passes over 60,000 images are 480 over our pool of
50,000. Its loss weights of 6 are left out (with Adam and one loss per optimizer, a factor changes nothing); its noise
of std 0.6 is optional in both."""
CONAN7882_LABELS = LabelRegularizedConfig(
    labels=10_000,
    epochs=CONAN7882.epochs,
    batch_size=128,
    labelled_batch_size=128,
    network=LEAKY,
    views=CLEAN,
    prior=PriorConfig(kind="mixture"),
    optimizers=CONAN7882.optimizers,
)
"""The same implementation with `--label`: 10,000 labels, ten Gaussians."""
CONAN7882_SUPERVISED = SupervisedConfig(
    epochs=CONAN7882.epochs,
    batch_size=128,
    network=dataclasses.replace(LEAKY, latent_dim=10),
    views=CLEAN,
    prior=PriorConfig(std=1.0),
    conditional=False,
    optimizers=CONAN7882.optimizers,
)
"""Its `--train_supervised` with a style of ten dimensions."""
CONAN7882_VAE = AutoencoderConfig(
    model="vae",
    epochs=120,
    batch_size=128,
    network=NetworkConfig(latent_dim=2, posterior="gaussian", dropout=0.1, precision="auto"),
    views=CLEAN,
    prior=PriorConfig(std=1.0),
    optimizers=AutoencoderOptimizers(reconstruction=adam(1e-3), schedule="constant"),
    weights=AutoencoderWeights(reconstruction_loss="bernoulli"),
)
"""Its `vae_mnist.py`: 100 passes over 60,000 images. Corrected: a call that its network no longer accepts."""

MUSYOKU_LABELS = LabelRegularizedConfig(
    labels=10_000,
    epochs=5000,
    batch_size=64,
    labelled_batch_size=64,
    network=NetworkConfig(latent_dim=2, output="tanh", weight_init="paper", discriminator_noise=0.3),
    views=CLEAN,
    prior=PriorConfig(kind="mixture", std_across=0.05),
    optimizers=_optimizers(adam(1e-4, 0.5, 5.0), adam(1e-4, 0.5, 5.0)),
    weights=MEAN_SQUARED,
)
"""musyoku/adversarial-autoencoder, `semi-supervised/regularize_z`: narrow mixture, noise on the discriminator's
input, gradients clipped to norm 5."""
