"""How well adversaries do their work: what is worth watching of any adversarial autoencoder while it trains."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from aae_jax.evaluation.encoding import class_probabilities
from aae_jax.evaluation.latent import (
    discriminator_accuracy,
    label_entropies,
    maximum_mean_discrepancy,
    moments_beside,
)
from aae_jax.networks import Networks
from aae_jax.types import Array, Metrics, Params, PRNGKey, Sampler

__all__ = ["VALIDATION", "HealthFn", "build_health"]

VALIDATION = "validation_"
"""What a row of metrics has before the names of measures."""

SAMPLES, JUDGED, PAIRED = 20_000, 5000, 1000
"""Samples of the prior; codes and samples that adversaries are asked about; those of which all pairs are compared."""

HealthFn = Callable[[Params, Float[Array, "count latent"], Float[Array, "count classes"], PRNGKey, Array], Metrics]


def build_health(networks: Networks, prior: Sampler, *, judge_codes: bool = True) -> HealthFn:
    """Return `(params, codes, logits, key, scale) -> measures` of codes beside the prior, and of labels.

    `codes` are of the posteriors of images (`build_draw_codes`), together samples of q(z); `logits` are the labels',
    of no columns where a model has none. Samples of the prior are multiplied by `scale`.

    Without `judge_codes` the adversary of z is left out, as it must be where it sees more than the code.

    Always there are `code_mmd` (squared maximum mean discrepancy; 0 where codes follow the prior), `code_mean_gap`
    and `code_std_ratio` (each `[latent]`, in the prior's standard deviations; 0 and 1 there). Where the weights have
    the adversary: `discriminator_z_accuracy` and `discriminator_y_accuracy` (½ where it is fooled). Where there are
    labels: `label_entropy` and `label_balance` (nats; 0 and log(classes) of sure and balanced labels) and
    `labels_used`. `code_mmd` of a single code is NaN. Discriminators are asked without their noise and dropout.

    Moments are of all codes, and of so many samples that their means are known to 0.01 of a standard deviation; of
    10,000 codes to as much.
    """

    def health(
        params: Params,
        codes: Float[Array, "count latent"],
        logits: Float[Array, "count classes"],
        key: PRNGKey,
        scale: Array,
    ) -> Metrics:
        samples = scale * prior(key, SAMPLES)
        moments = moments_beside(codes, samples)
        found = {
            "code_mmd": _discrepancy(codes[_some_of(codes.shape[0], PAIRED)], samples[:PAIRED]),
            "code_mean_gap": moments.mean_gap,
            "code_std_ratio": moments.std_ratio,
        }
        if judge_codes and "discriminator_z" in params:
            judged = samples[:JUDGED], codes[_some_of(codes.shape[0], JUDGED)]
            real, fake = (networks.discriminate_z(params, each, None) for each in judged)
            found["discriminator_z_accuracy"] = discriminator_accuracy(real, fake)
        classes = logits.shape[1]
        if not classes:
            return found
        labels = class_probabilities(logits)
        entropies = label_entropies(labels)
        found["label_entropy"], found["label_balance"] = entropies.of_each, entropies.of_all
        found["labels_used"] = entropies.used
        if "discriminator_y" in params:
            every_class, fake = (
                networks.discriminate_y(params, each, None) for each in (jnp.eye(classes, dtype=jnp.float32), labels)
            )
            found["discriminator_y_accuracy"] = discriminator_accuracy(every_class, fake)
        return found

    return health


def _some_of(count: int, most: int) -> np.ndarray:
    """Return the places of so many codes at most, always the same, in no order: data may come by class."""
    return np.random.default_rng(0).permutation(count)[:most]


def _discrepancy(codes: Array, samples: Array) -> Array:
    return maximum_mean_discrepancy(codes, samples) if len(codes) > 1 else jnp.asarray(jnp.nan, jnp.float32)
