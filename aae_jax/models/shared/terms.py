"""Building blocks of all models' phases: views, reconstruction losses, discriminator losses."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aae_jax import losses
from aae_jax.augment import Jitter, View, activate, draw_view
from aae_jax.config import ReconstructionWeights, RunConfig
from aae_jax.networks import EncoderOutput, Networks, sample_style
from aae_jax.train.hyper import Numbers
from aae_jax.types import Array, Metrics, Params, PRNGKey, Stats
from aae_jax.user_code import load_transform

__all__ = [
    "Auxiliary",
    "Encoded",
    "adversary_loss",
    "draw_seen",
    "encode_clean",
    "encode_matched",
    "encode_view",
    "no_label",
    "rebuild",
    "reconstruction_error",
]

Auxiliary = tuple[Array, tuple[Stats, Metrics]]
"""Return value of a phase's loss: its value, the updated batch-norm statistics, additional metrics."""
# Phases share the step's key: the same number gives the same random draw in every phase (ADR 0003).
# The discriminators and the generator read one view, so its codes are computed once for all three.
# A key is either folded or split, never both: split(key)[1] is fold_in(key, 1).
DRAW_RECONSTRUCTION, DRAW_ADVERSARIES, DRAW_SECOND_VIEW, DRAW_LABELLED = range(4)
DRAW_PRIOR_Z, DRAW_PRIOR_Y, DRAW_DECODER, DRAW_JUDGED = range(4, 8)
DRAW_GENERATED = 8


class Encoded(NamedTuple):
    """A view of a batch and its encoding.

    Attributes:
        output: Output of the encoder.
        style: `[batch, latent]`, sampled from the posterior.
        view: Input of the encoder and target of the decoder.
        stats: Batch-norm statistics, updated with this batch.
    """

    output: EncoderOutput
    style: Array
    view: View
    stats: Stats


def draw_seen(
    config: RunConfig, images: Array, hyper: Numbers, key: PRNGKey, *, reconstructed: bool = False
) -> tuple[View, PRNGKey]:
    """Return a view of images, noisy if the phase sees noise, and the key for encoding it."""
    key_view, key_encode = jax.random.split(key)
    noisy = reconstructed or config.views.noise_in == "all"
    view = draw_view(
        key_view,
        images,
        noise_std=hyper.views.noise_std if noisy else 0.0,
        max_shift=config.views.max_shift,
        probability=config.views.probability,
        dropout=config.views.dropout if noisy else 0.0,
        border=config.views.border,
        flip=config.views.flip,
        jitter=Jitter(*(getattr(hyper.views, name) for name in Jitter._fields)) if config.views.has_jitter else None,
        transform=None if config.views.transform is None else load_transform(config.views.transform),
        output=config.network.output,
    )
    return view, key_encode


def encode_view(
    networks: Networks,
    config: RunConfig,
    params: Params,
    stats: Stats,
    images: Array,
    hyper: Numbers,
    key: PRNGKey,
    *,
    reconstructed: bool = False,
) -> Encoded:
    """Draw a view of images, encode it, and sample a style from its posterior."""
    view, key_encode = draw_seen(config, images, hyper, key, reconstructed=reconstructed)
    output, stats = networks.encode(params, stats, view.seen, key_encode)
    return Encoded(output, sample_style(output, jax.random.fold_in(key_encode, 2)), view, stats)


def encode_matched(
    networks: Networks,
    config: RunConfig,
    params: Params,
    stats: Stats,
    images: Array,
    hyper: Numbers,
    key: PRNGKey,
    *,
    reconstructed: bool = False,
) -> tuple[EncoderOutput, Array]:
    """Return the encoder's output and the style that is matched to the prior: of a view, or of the clean image."""
    if config.views.style_of == "clean":
        return encode_clean(networks, params, stats, images, key)
    encoded = encode_view(networks, config, params, stats, images, hyper, key, reconstructed=reconstructed)
    return encoded.output, encoded.style


def encode_clean(
    networks: Networks, params: Params, stats: Stats, images: Array, key: PRNGKey
) -> tuple[EncoderOutput, Array]:
    """Encode images as in evaluation, by the running moments of batch norm, and sample styles from the posterior."""
    key_encode = jax.random.split(key)[1]
    output, _ = networks.encode(params, stats, images, key_encode, train=False)
    return output, sample_style(output, jax.random.fold_in(key_encode, 2))


def rebuild(
    networks: Networks,
    config: RunConfig,
    weights: ReconstructionWeights,
    params: Params,
    encoded: Encoded,
    label: Float[Array, "batch label"],
    key: PRNGKey,
) -> tuple[Float[Array, ""], Stats]:
    """Return the reconstruction loss of a view decoded from its style and a label, and the updated moments.

    `key` is the step's key. The moments are those of `encoded`, with the decoder's if it has any.
    """
    draw = jax.random.fold_in(key, DRAW_DECODER)
    decoded, stats = networks.decode(params, encoded.stats, encoded.style, label, draw)
    error = reconstruction_error(decoded, encoded.view.target, weights.reconstruction_loss, config.network.output)
    return error, stats


def reconstruction_error(
    decoded: Float[Array, "batch *image"], target: Float[Array, "batch *image"], kind: str, output_kind: str
) -> Float[Array, ""]:
    """Return the reconstruction loss of the given kind, from decoder outputs before their non-linearity."""
    if kind == "bernoulli":
        return losses.bernoulli_cross_entropy(decoded, target)
    if kind == "mean_squared_error":
        return losses.mean_squared_error(activate(decoded, output_kind), target)
    return losses.half_squared_error(activate(decoded, output_kind), target)


def no_label(style: Float[Array, "batch latent"]) -> Float[Array, "batch 0"]:
    """Return the label input of a decoder without labels: of length 0."""
    return jnp.zeros((style.shape[0], 0), style.dtype)


def adversary_loss(
    discriminate: Callable[[Params, Array, PRNGKey | None], Array],
    params: Params,
    stats: Stats,
    real: Array,
    fake: Array,
    key: PRNGKey,
) -> Auxiliary:
    """Return a discriminator's loss between samples of the prior and codes, and its accuracy."""
    logits = discriminate(params, jnp.concatenate([real, fake]), key)
    real_logits, fake_logits = jnp.split(logits, [real.shape[0]])
    value = losses.discriminator_loss(real_logits, fake_logits)
    right = jnp.mean(real_logits > 0, dtype=jnp.float32) + jnp.mean(fake_logits < 0, dtype=jnp.float32)
    return value, (stats, {"accuracy": 0.5 * right})
