"""How well adversaries do their work: what is worth watching of any adversarial autoencoder while it trains."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from aae_jax.evaluation.encoding import build_draw_codes, class_probabilities
from aae_jax.evaluation.latent import (
    discriminator_accuracy,
    label_entropies,
    maximum_mean_discrepancy,
    moments_beside,
)
from aae_jax.networks import EncoderOutput, Networks, Posterior, sample_style
from aae_jax.types import Array, Metrics, Params, Pixels, Prior, PRNGKey, Stats
from aae_jax.views import OutputKind

__all__ = ["HealthFn", "build_health"]

SAMPLES, PAIRED = 2000, 500
"""Codes and samples of which moments are taken, and of which all pairs are compared."""

HealthFn = Callable[[Params, Stats, Pixels, EncoderOutput, PRNGKey, Float[Array, ""]], Metrics]


def build_health(
    networks: Networks, output: OutputKind, prior: Prior, posterior: Posterior, *, judge_codes: bool = True
) -> HealthFn:
    """Return `(params, stats, images, outputs, key, scale) -> measures` of codes beside the prior.

    `outputs` are what the encoder says of the images, evaluated: they need not be encoded twice. Codes are drawn from
    the `posterior`, so that together they are samples of q(z). Samples of the prior are multiplied by `scale`.

    Without `judge_codes` the adversary of z is left out, as it must be where it sees more than the code.

    Always there are `code_mmd` (squared maximum mean discrepancy; 0 where codes follow the prior), `code_mean_gap`
    and `code_std_ratio` (each `[latent]`, in the prior's standard deviations; 0 and 1 there). Where the weights have
    the adversary: `discriminator_z_accuracy` and `discriminator_y_accuracy` (½ where it is fooled). Where there are
    labels: `label_entropy` and `label_balance` (nats; 0 and log(classes) of sure and balanced labels) and
    `labels_used`. `code_mmd` of a single image is NaN. Adversaries judge codes of clean images, by the weights
    that are evaluated (averaged where they are kept); they were trained on neither.
    """
    draw_codes = build_draw_codes(networks, output)

    def health(
        params: Params, stats: Stats, images: Array, outputs: EncoderOutput, key: PRNGKey, scale: Array
    ) -> Metrics:
        key_codes, key_prior = jax.random.split(key)
        chosen = _some_of(images.shape[0])
        if posterior == "universal":
            codes = draw_codes(params, stats, images[chosen], key_codes)
        else:
            own: EncoderOutput = jax.tree.map(lambda leaf: leaf[chosen], outputs)
            codes = sample_style(own, key_codes)
        samples = scale * prior(key_prior, SAMPLES)
        moments = moments_beside(codes, samples)
        found = {
            "code_mmd": _discrepancy(codes[:PAIRED], samples[:PAIRED]),
            "code_mean_gap": moments.mean_gap,
            "code_std_ratio": moments.std_ratio,
        }
        if judge_codes and "discriminator_z" in params:
            real, fake = (networks.discriminate_z(params, each, None) for each in (samples, codes))
            found["discriminator_z_accuracy"] = discriminator_accuracy(real, fake)
        classes = outputs.logits.shape[1]
        if not classes:
            return found
        labels = class_probabilities(outputs.logits)
        entropies = label_entropies(labels)
        found["label_entropy"], found["label_balance"] = entropies.of_each, entropies.of_all
        found["labels_used"] = entropies.used
        if "discriminator_y" in params:
            every_class, fake = (networks.discriminate_y(params, each, None) for each in (jnp.eye(classes), labels))
            found["discriminator_y_accuracy"] = discriminator_accuracy(every_class, fake)
        return found

    return health


def _some_of(count: int) -> np.ndarray:
    """Return the places of as many images as are measured, always the same, in no order: data may come by class."""
    return np.random.default_rng(0).permutation(count)[:SAMPLES]


def _discrepancy(codes: Array, samples: Array) -> Array:
    return maximum_mean_discrepancy(codes, samples) if len(codes) > 1 else jnp.asarray(jnp.nan)
