"""Health of adversarial training: measures of codes and labels for any adversarial autoencoder."""

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
"""Prefix of the names of measures in a row of metrics."""

SAMPLES, JUDGED, PAIRED = 20_000, 5000, 1000
"""Numbers of samples of the prior; of codes and samples for discriminators; of those in pairwise comparisons."""

HealthFn = Callable[[Params, Float[Array, "count latent"], Float[Array, "count classes"], PRNGKey, Array], Metrics]


def build_health(
    networks: Networks, prior: Sampler, *, judge_codes: bool = True, conditional: bool = False
) -> HealthFn:
    """Build `(params, codes, logits, key, scale) -> measures` of codes compared with the prior, and of labels.

    `codes` are sampled from the posteriors of images (`build_draw_codes`), together samples of q(z); `logits` are the
    labels', without columns for a model without labels. Samples of the prior are multiplied by `scale`.

    A `conditional` discriminator of z takes the label probabilities with the code; samples are shown with those of
    as many images. Without `judge_codes` it is not evaluated, as required if it takes other inputs.

    The measures are `code_mmd` (squared maximum mean discrepancy; 0 if codes match the prior), `code_mean_gap` and
    `code_std_ratio` (each `[latent]`, in the prior's standard deviations; 0 and 1 if they match). For discriminators
    in the weights: `discriminator_z_accuracy` and `discriminator_y_accuracy` (½ for a fooled one). For labels:
    `label_entropy` and `label_balance` (nats; 0 and log(classes) for certain and balanced labels) and `labels_used`.
    `code_mmd` of a single code is NaN. Discriminators are evaluated without noise and dropout.

    Moments are computed from all codes, and from enough samples for a standard error of the mean below 0.01 of a
    standard deviation; 10,000 codes are as precise.
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
        metrics = {
            "code_mmd": _discrepancy(codes[_some_of(codes.shape[0], PAIRED)], samples[:PAIRED]),
            "code_mean_gap": moments.mean_gap,
            "code_std_ratio": moments.std_ratio,
        }
        if judge_codes and "discriminator_z" in params:
            some = _some_of(codes.shape[0], JUDGED)
            judged = samples[:JUDGED], codes[some]
            if conditional:
                labels = class_probabilities(logits[some])
                judged = _with_labels(judged[0][: len(some)], labels), _with_labels(judged[1], labels)
            real, fake = (networks.discriminate_z(params, each, None) for each in judged)
            metrics["discriminator_z_accuracy"] = discriminator_accuracy(real, fake)
        classes = logits.shape[1]
        if not classes:
            return metrics
        labels = class_probabilities(logits)
        entropies = label_entropies(labels)
        metrics["label_entropy"], metrics["label_balance"] = entropies.of_each, entropies.of_all
        metrics["labels_used"] = entropies.used
        if "discriminator_y" in params:
            every_class, fake = (
                networks.discriminate_y(params, each, None) for each in (jnp.eye(classes, dtype=jnp.float32), labels)
            )
            metrics["discriminator_y_accuracy"] = discriminator_accuracy(every_class, fake)
        return metrics

    return health


def _with_labels(codes: Array, labels: Array) -> Array:
    return jnp.concatenate([codes, labels], axis=1)


def _some_of(count: int, most: int) -> np.ndarray:
    """Return the indices of up to `most` codes, in a fixed random order: data may be sorted by class."""
    return np.random.default_rng(0).permutation(count)[:most]


def _discrepancy(codes: Array, samples: Array) -> Array:
    return maximum_mean_discrepancy(codes, samples) if len(codes) > 1 else jnp.asarray(jnp.nan, jnp.float32)
