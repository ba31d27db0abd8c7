"""Presets of the supervised adversarial autoencoder."""

import dataclasses

from aae_jax.config import NetworkConfig, PriorConfig
from aae_jax.models.shared import earlier_presets as earlier
from aae_jax.models.shared.preset_parts import CLEAN
from aae_jax.models.supervised.config import SupervisedConfig

__all__ = ["PRESETS"]

NETWORK = NetworkConfig(latent_dim=2, discriminator_hidden=(500, 500), precision="auto")


def _of_dimensions(count: int, *, conditional: bool = True) -> SupervisedConfig:
    network = dataclasses.replace(NETWORK, latent_dim=count)
    return SupervisedConfig(network=network, views=CLEAN, prior=PriorConfig(std=1.0), conditional=conditional)


PRESETS: dict[str, tuple[SupervisedConfig, str]] = {
    "default": (
        _of_dimensions(15),
        "a style of 15 dimensions, as in figure 7 of the paper; the adversary sees the label too",
    ),
    "ten": (_of_dimensions(10), "the same with 10 dimensions"),
    "two": (_of_dimensions(2), "the same with 2 dimensions, which can be drawn"),
    "plain": (
        _of_dimensions(15, conditional=False),
        "the default with an adversary of the style alone, as in the paper",
    ),
    "plain_ten": (_of_dimensions(10, conditional=False), "the same with 10 dimensions"),
    "naresh": (
        earlier.NARESH_SUPERVISED,
        "Naresh1318's: prior std 5, weights from N(0, 0.01^2), mean squared error",
    ),
    "fducau": (earlier.FDUCAU_SUPERVISED, "AAE_pytorch's: two dimensions, prior std 5, dropout"),
    "conan7882": (earlier.CONAN7882_SUPERVISED, "TensorFlow AAEs': ten dimensions, Gaussian posterior, tanh"),
    "smoke": (
        dataclasses.replace(
            _of_dimensions(2),
            epochs=2,
            batch_size=50,
            evaluate_every=1,
            judge_updates=0,
            network=dataclasses.replace(NETWORK, hidden=(32, 32), discriminator_hidden=(16,)),
        ),
        "tiny networks for a few seconds: does everything run?",
    ),
}
