"""Consistency of the predictions for two views of an image, in models with a label code."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aae_jax import losses
from aae_jax.models.shared.terms import draw_seen
from aae_jax.networks import EncoderOutput, Networks
from aae_jax.train.hyper import Numbers
from aae_jax.types import Array, Batch, Params, PRNGKey, Stats

__all__ = ["consistency"]


def consistency(
    networks: Networks,
    config: Any,
    params: Params,
    stats: Stats,
    batch: Batch,
    hyper: Numbers,
    key: PRNGKey,
    first: EncoderOutput,
) -> Float[Array, ""]:
    """Return the cross-entropy between a target and the prediction for a view; no gradient flows into the target.

    The target is the prediction for the discriminators' view, `first`, and is compared with that for a second view;
    or the target is the prediction for the clean image in evaluation mode, and is compared with `first`, which saves
    the cost of a second view. If the batch has neighbours, the second view is of each image's neighbour.

    With an adversarial norm, each image of the second view is first moved along the gradient of this cross-entropy
    (virtual adversarial training, Miyato et al. 2016, with two views instead of a random start). Under batch norm,
    the gradient with respect to an image includes its effect on the others through the batch moments.
    """
    weights, target = config.weights, first.logits
    if weights.consistency_target == "clean":
        clean, _ = networks.encode(jax.lax.stop_gradient(params), stats, batch.images, None)
        target = clean.logits
        if not weights.adversarial_norm:
            return losses.consistency_loss(target, first.logits, hyper.weights.sharpness, hyper.weights.confidence)
    others = batch.images if batch.neighbours is None else batch.neighbours
    view, key_encode = draw_seen(config, others, hyper, key)

    def cross_entropy(params: Params, seen: Array) -> Array:
        output, _ = networks.encode(params, stats, seen, key_encode)
        return losses.consistency_loss(target, output.logits, hyper.weights.sharpness, hyper.weights.confidence)

    seen = view.seen
    if weights.adversarial_norm:
        direction = jax.grad(cross_entropy, argnums=1)(jax.lax.stop_gradient(params), seen)
        seen = seen + jax.lax.stop_gradient(hyper.weights.adversarial_norm * _unit(direction))
    return cross_entropy(params, seen)


def _unit(directions: Array) -> Array:
    """Scale each image's direction to Euclidean norm 1; one that is zero, or underflows to it, stays zero.

    Each is first divided by its largest entry: the squared gradients of a confident prediction underflow.
    """
    pixels = tuple(range(1, directions.ndim))
    largest = jnp.max(jnp.abs(directions), axis=pixels, keepdims=True)
    scaled = jnp.where(largest > 0, directions / jnp.where(largest > 0, largest, 1.0), 0.0)
    norm = jnp.sqrt(jnp.sum(scaled**2, axis=pixels, keepdims=True))
    return scaled / jnp.where(norm > 0, norm, 1.0)
