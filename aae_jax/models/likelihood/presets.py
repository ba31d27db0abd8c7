"""Presets of the likelihood experiment."""

import dataclasses

from aae_jax.config.parts import OptimizerConfig
from aae_jax.models.likelihood.config import LikelihoodConfig
from aae_jax.models.shared.preset_parts import CLEAN
from aae_jax.models.unsupervised.config import UnsupervisedOptimizers
from aae_jax.models.unsupervised.presets import NETWORK, _small

__all__ = ["PRESETS"]

SLOW_ADVERSARIES = UnsupervisedOptimizers(
    discriminator=OptimizerConfig(learning_rate=2e-4, momentum=0.5),
    generator=OptimizerConfig(learning_rate=2e-4, momentum=0.5),
)
LIKELIHOOD = LikelihoodConfig(
    network=dataclasses.replace(NETWORK, latent_dim=8, dropout=0.2), views=CLEAN, optimizers=SLOW_ADVERSARIES
)
"""Adversarial phases at the learning rate of the reconstruction halve its quality: 218 nats after 2,500 updates, 271
after 6,000. At a fifth of that rate: 312 after 5,000, and 321 with dropout, as ten thousand samples cover sharper
images less well (validation images, one seed each)."""
PRESETS: dict[str, tuple[LikelihoodConfig, str]] = {
    "default": (LIKELIHOOD, "a code of 8 dimensions with prior std 5, as in table 1 of the paper; 10,000 samples"),
    "ten_million": (
        dataclasses.replace(LIKELIHOOD, samples=(10_000, 10_000_000)),
        "the same, and by ten million samples, for an accelerator",
    ),
    "smoke": (
        dataclasses.replace(
            LIKELIHOOD,
            epochs=2,
            batch_size=50,
            evaluate_every=1,
            judge_updates=0,
            samples=(500, 1000),
            network=_small(LIKELIHOOD.network),
        ),
        "tiny networks for a few seconds: does everything run?",
    ),
}
