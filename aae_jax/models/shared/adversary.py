"""Adversarial losses of the style, for every model with a prior: discriminator and generator (§2).

If labels shape the codes, the discriminator also sees each code's label (§2.3, figure 3).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from aae_jax import losses
from aae_jax.config import PriorConfig, RunConfig
from aae_jax.models.shared.terms import (
    DRAW_ADVERSARIES,
    DRAW_JUDGED,
    DRAW_PRIOR_Z,
    Auxiliary,
    adversary_loss,
    encode_matched,
)
from aae_jax.networks import Networks
from aae_jax.priors.configured import configured_prior
from aae_jax.priors.prior import scaled_sampler
from aae_jax.train.hyper import Numbers
from aae_jax.train.phases import LossFn
from aae_jax.types import Array, Batch, Metrics, Params, PRNGKey, Sampler, Stats

__all__ = [
    "DrawPrior",
    "LabelledCodes",
    "beside_labels",
    "build_labelled_discriminator",
    "build_labelled_generator",
    "build_style_discriminator",
    "build_style_generator",
    "on_labelled",
    "style_discrepancy",
    "traced_prior",
]

AdversarialConfig = Any
"""A `RunConfig` whose weights include `style_mmd`, as in every model with a discriminator of z."""
DrawPrior = Callable[[PRNGKey, int, Numbers], Array]
"""`(key, n, traced hyperparameters) -> samples`."""


def traced_prior(prior: Sampler | None, config: PriorConfig, latent_dim: int) -> DrawPrior:
    """Return the prior's sampler for the phases.

    Args:
        prior: A `Prior`, whose standard deviation is `hyper.prior.std`, or a user-defined sampler, which is not
            scaled. None: the configured prior.
        config: Configuration of the prior.
        latent_dim: Dimension of the latent code.

    Raises:
        InputError: The configured prior is given by samples, which the configuration does not contain.
    """
    draw = scaled_sampler(configured_prior(config, latent_dim) if prior is None else prior)
    return lambda key, count, hyper: draw(key, count, jnp.asarray(hyper.prior.std))


def build_style_discriminator(
    networks: Networks, config: RunConfig, draw_prior: DrawPrior, *, reconstructed: bool = False
) -> LossFn:
    """Return the discriminator's loss between styles and samples of the prior.

    Args:
        networks: Networks with a discriminator of z.
        config: Configuration of the views.
        draw_prior: Sampler of the prior that the styles match.
        reconstructed: Whether to encode the view of the reconstruction, as in a joint step.
    """

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        _, fake = encode_matched(
            networks, config, params, stats, batch.images, hyper, draw, reconstructed=reconstructed
        )
        real = draw_prior(jax.random.fold_in(key, DRAW_PRIOR_Z), fake.shape[0], hyper)
        return adversary_loss(networks.discriminate_z, params, stats, real, fake, key)

    return loss


def build_style_generator(networks: Networks, config: AdversarialConfig, draw_prior: DrawPrior) -> LossFn:
    """Return the encoder's generator loss, low for styles that the discriminator takes for samples of the prior.

    If it has a weight, the maximum mean discrepancy of styles and samples is added.
    """

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        _, style = encode_matched(networks, config, params, stats, batch.images, hyper, draw)
        value = losses.generator_loss(networks.discriminate_z(params, style, jax.random.fold_in(key, DRAW_JUDGED)))
        key_prior = jax.random.fold_in(key, DRAW_PRIOR_Z)
        term, metrics = style_discrepancy(config, hyper, style, lambda: draw_prior(key_prior, style.shape[0], hyper))
        return hyper.weights.generator_z * value + term, (stats, {"z": value, **metrics})

    return loss


def style_discrepancy(
    config: AdversarialConfig,
    hyper: Numbers,
    style: Float[Array, "batch latent"],
    draw: Callable[[], Array],
    labels: Float[Array, "batch classes"] | None = None,
) -> tuple[Array | float, Metrics]:
    """Return the weighted maximum mean discrepancy of styles and samples of the prior, and its metrics.

    Args:
        config: A weight of 0 removes the term from the program.
        hyper: Traced numbers of the configuration.
        style: Styles of a batch.
        draw: Sampler of as many samples of the prior.
        labels: Labels of the styles, within which they are compared; None: all together.
    """
    if not config.weights.style_mmd:
        return 0.0, {}
    value = losses.style_mmd(style, draw(), labels)
    return hyper.weights.style_mmd * value, {"style_mmd": value}


def on_labelled(loss: LossFn) -> LossFn:
    """Return a loss that evaluates `loss` on the labelled images instead of the pool's."""

    def of_labelled(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        return loss(params, stats, batch._replace(images=batch.labelled_images), hyper, key)

    return of_labelled


class LabelledCodes(NamedTuple):
    """Codes that a discriminator sees together with labels.

    Attributes:
        choose: `batch -> (images, labels)`.
        draw: `(key, labels, traced hyperparameters) -> samples` of the prior for the labels.
        length: Length of the one-hot labels; a label below 0 is the last class, the extra class of unlabelled images.
    """

    choose: Callable[[Batch], tuple[Array, Array]]
    draw: Callable[[PRNGKey, Array, Numbers], Array]
    length: int


def beside_labels(
    codes: Float[Array, "batch latent"], labels: Int[Array, " batch"], length: int
) -> Float[Array, "batch judged"]:
    """Concatenate codes and one-hot labels of the given length; a label below 0 is the last class."""
    known = jnp.where(labels < 0, length - 1, labels)
    return jnp.concatenate([codes, jax.nn.one_hot(known, length, dtype=jnp.float32)], axis=1)


def build_labelled_discriminator(networks: Networks, config: RunConfig, codes: LabelledCodes) -> LossFn:
    """Return the discriminator's loss between codes and samples of the prior, both with the codes' labels."""

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        images, labels = codes.choose(batch)
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        _, style = encode_matched(networks, config, params, stats, images, hyper, draw)
        real = codes.draw(jax.random.fold_in(key, DRAW_PRIOR_Z), labels, hyper)
        real, fake = (beside_labels(each, labels, codes.length) for each in (real, style))
        return adversary_loss(networks.discriminate_z, params, stats, real, fake, key)

    return loss


def build_labelled_generator(networks: Networks, config: AdversarialConfig, codes: LabelledCodes) -> LossFn:
    """Return the encoder's generator loss, low for codes taken for samples of the prior with the same labels."""

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        images, labels = codes.choose(batch)
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        _, style = encode_matched(networks, config, params, stats, images, hyper, draw)
        judging = jax.random.fold_in(key, DRAW_JUDGED)
        judged = networks.discriminate_z(params, beside_labels(style, labels, codes.length), judging)
        value = losses.generator_loss(judged)
        one_hot = beside_labels(style[:, :0], labels, codes.length)
        key_prior = jax.random.fold_in(key, DRAW_PRIOR_Z)
        term, metrics = style_discrepancy(config, hyper, style, lambda: codes.draw(key_prior, labels, hyper), one_hot)
        return hyper.weights.generator_z * value + term, (stats, {"z": value, **metrics})

    return loss
