"""Building blocks of all models' phases: views, reconstruction losses, discriminator losses."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aae_jax import losses
from aae_jax.augment import View, activate, draw_view
from aae_jax.config import ReconstructionWeights, RunConfig, ScheduledOptimizers
from aae_jax.networks import EncoderOutput, Networks, sample_style
from aae_jax.train.hyper import Hyper
from aae_jax.train.optimizers import build_step_schedule, cosine_schedule
from aae_jax.train.phases import constant_schedule
from aae_jax.types import Array, Metrics, Params, PRNGKey, Schedule, Stats

__all__ = [
    "Auxiliary",
    "Encoded",
    "adversary_loss",
    "draw_seen",
    "encode_view",
    "no_label",
    "rates_of",
    "rebuild",
    "reconstruction_error",
    "schedule_of",
    "traced_hyper",
]

Auxiliary = tuple[Array, tuple[Stats, Metrics]]
"""Return value of a phase's loss: its value, the updated batch-norm statistics, additional metrics."""
# Phases share the step's key: the same number gives the same random draw in every phase (ADR 0003).
# The discriminators and the generator read one view, so its codes are computed once for all three.
# A key is either folded or split, never both: split(key)[1] is fold_in(key, 1).
DRAW_RECONSTRUCTION, DRAW_ADVERSARIES, DRAW_SECOND_VIEW, DRAW_LABELLED = range(4)
DRAW_PRIOR_Z, DRAW_PRIOR_Y, DRAW_DECODER, DRAW_JUDGED = range(4, 8)


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


def schedule_of(optimizers: ScheduledOptimizers) -> Schedule:
    """Return the schedule: a factor on every learning rate over the planned updates."""
    if optimizers.schedule == "steps":
        return build_step_schedule(optimizers.drops)
    return cosine_schedule if optimizers.schedule == "cosine" else constant_schedule


def rates_of(optimizers: ScheduledOptimizers, phases: Iterable[str]) -> dict[str, float]:
    """Return the peak learning rate of each phase; both discriminators use that of `discriminator`."""
    fields = {name: "discriminator" if name.startswith("discriminator_") else name for name in phases}
    return {name: getattr(optimizers, field).learning_rate for name, field in fields.items()}


def traced_hyper(rates: Mapping[str, float], num_steps: int, **numbers: float) -> Hyper:
    """Return the traced hyperparameters of a model, each a float32 scalar.

    Args:
        rates: Peak learning rates by phase.
        num_steps: Number of planned updates.
        numbers: Other fields of `Hyper`; those omitted keep their defaults.
    """
    hyper = Hyper(learning_rates=dict(rates), num_steps=num_steps, **numbers)
    traced: Hyper = jax.tree.map(lambda value: jnp.asarray(value, jnp.float32), hyper)
    return traced


def draw_seen(
    config: RunConfig, images: Array, hyper: Hyper, key: PRNGKey, *, reconstructed: bool = False
) -> tuple[View, PRNGKey]:
    """Return a view of images, noisy if the phase sees noise, and the key for encoding it."""
    key_view, key_encode = jax.random.split(key)
    noisy = reconstructed or config.views.noise_in == "all"
    view = draw_view(
        key_view,
        images,
        noise_std=hyper.noise_std if noisy else 0.0,
        max_shift=config.views.max_shift,
        probability=config.views.probability,
        dropout=config.views.dropout if noisy else 0.0,
        output=config.network.output,
    )
    return view, key_encode


def encode_view(
    networks: Networks,
    config: RunConfig,
    params: Params,
    stats: Stats,
    images: Array,
    hyper: Hyper,
    key: PRNGKey,
    *,
    reconstructed: bool = False,
) -> Encoded:
    """Draw a view of images, encode it, and sample a style from its posterior."""
    view, key_encode = draw_seen(config, images, hyper, key, reconstructed=reconstructed)
    output, stats = networks.encode(params, stats, view.seen, key_encode)
    return Encoded(output, sample_style(output, jax.random.fold_in(key_encode, 2)), view, stats)


def rebuild(
    networks: Networks,
    config: RunConfig,
    weights: ReconstructionWeights,
    params: Params,
    encoded: Encoded,
    label: Float[Array, "batch label"],
    key: PRNGKey,
) -> Float[Array, ""]:
    """Return the reconstruction loss of a view decoded from its style and a label; `key` is the step's key."""
    decoded = networks.decode(params, encoded.style, label, jax.random.fold_in(key, DRAW_DECODER))
    return reconstruction_error(decoded, encoded.view.target, weights.reconstruction_loss, config.network.output)


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
