"""Presets of the supervised adversarial autoencoder."""

import dataclasses

from aae_jax.config import NetworkConfig, PriorConfig
from aae_jax.models.shared import earlier_presets as earlier
from aae_jax.models.shared.preset_parts import CLEAN
from aae_jax.models.supervised.config import SupervisedConfig
from aae_jax.models.unsupervised.config import UnsupervisedOptimizers, UnsupervisedWeights

__all__ = ["PRESETS"]

NETWORK = NetworkConfig(latent_dim=2, discriminator_hidden=(500, 500), precision="auto")


def _plain(count: int) -> SupervisedConfig:
    network = dataclasses.replace(NETWORK, latent_dim=count)
    return SupervisedConfig(network=network, views=CLEAN, prior=PriorConfig(std=1.0))


def _separate(count: int) -> SupervisedConfig:
    """Return the model of ADR 0013, with the discrepancy and the slow encoder of ADR 0021 and 0022."""
    return dataclasses.replace(
        _plain(count),
        conditional=True,
        optimizers=UnsupervisedOptimizers(encoder_share=0.1),
        weights=UnsupervisedWeights(style_mmd=30.0),
    )


PRESETS: dict[str, tuple[SupervisedConfig, str]] = {
    "default": (
        _separate(15),
        "a style of 15 dimensions, as in figure 7 of the paper; the adversary sees the label too",
    ),
    "ten": (_separate(10), "the same with 10 dimensions"),
    "two": (_separate(2), "the same with 2 dimensions, which can be drawn"),
    "plain": (
        _plain(15),
        "as in the paper: the adversary sees the style alone",
    ),
    "plain_ten": (_plain(10), "the same with 10 dimensions"),
    "naresh": (
        earlier.NARESH_SUPERVISED,
        "Naresh1318's: prior std 5, weights from N(0, 0.01^2), mean squared error",
    ),
    "fducau": (earlier.FDUCAU_SUPERVISED, "AAE_pytorch's: two dimensions, prior std 5, dropout"),
    "conan7882": (earlier.CONAN7882_SUPERVISED, "TensorFlow AAEs': ten dimensions, Gaussian posterior, tanh"),
    "smoke": (
        dataclasses.replace(
            _separate(2),
            epochs=2,
            batch_size=50,
            evaluate_every=1,
            judge_updates=0,
            network=dataclasses.replace(NETWORK, hidden=(32, 32), discriminator_hidden=(16,)),
        ),
        "tiny networks for a few seconds: does everything run?",
    ),
}
