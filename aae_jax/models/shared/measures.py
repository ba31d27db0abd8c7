"""Metrics of a model's codes and reconstructions, evaluated at every validation."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.evaluation import (
    HealthFn,
    build_draw_codes,
    build_encode,
    build_health,
    build_reconstruction_error,
    discriminator_accuracy,
)
from aae_jax.evaluation.seeds import spoken
from aae_jax.models.shared.adversary import beside_labels
from aae_jax.models.shared.terms import draw_seen
from aae_jax.models.spec import MeasureFn, RunSetup
from aae_jax.networks import EncoderOutput
from aae_jax.priors.prior import Prior
from aae_jax.train.hyper import Numbers
from aae_jax.types import Array, Metrics, Params, Pixels, PRNGKey, Stats

__all__ = [
    "SCORE",
    "OwnMeasure",
    "build_code_measure",
    "draw_views",
    "health_of",
    "judge_beside_labels",
    "show_score",
]

SCORE = "reconstruction_error"

OwnMeasure = Callable[[Params, EncoderOutput, Array, Array, PRNGKey], Metrics]
"""`(params, encoder's outputs, codes of views, labels, key) -> metrics` specific to one experiment."""
DrawViews = Callable[[Params, Stats, Pixels, PRNGKey, Numbers], Array]


def build_code_measure(
    setup: RunSetup,
    prior: Prior | None,
    *,
    own: OwnMeasure | None = None,
    judge_codes: bool = True,
    given_labels: int = 0,
    reconstructed: bool = False,
) -> MeasureFn:
    """Return the metrics of a model: reconstruction error, match of its codes with a prior, and its `own` metrics.

    Args:
        setup: Setup of the run.
        prior: Prior of the codes, or None.
        own: Additional metrics.
        judge_codes: Whether the discriminator of z takes codes only, so that its accuracy can be evaluated.
        given_labels: Length of the one-hot true labels that the decoder receives; 0: it receives none.
        reconstructed: Whether the codes compared with the prior are of the reconstruction's views, as in a VAE.
    """
    output = setup.config.network.output
    encode, rebuild = build_encode(setup.networks, output), build_reconstruction_error(setup.networks, output)
    health = None if prior is None else health_of(setup, prior, judge_codes=judge_codes)
    draw_codes = draw_views(setup, reconstructed=reconstructed)

    def measure(params: Params, stats: Stats, images: Pixels, labels: Array, key: PRNGKey, hyper: Numbers) -> Metrics:
        key_codes, key_prior, key_own = jax.random.split(key, 3)
        outputs = encode(params, stats, images)
        codes = outputs.mean if health is None else draw_codes(params, stats, images, key_codes, hyper)
        given = jax.nn.one_hot(labels, given_labels, dtype=jnp.float32) if given_labels else None
        found = {SCORE: rebuild(params, stats, images, outputs, given)}
        if own is not None:
            found |= own(params, outputs, codes, labels, key_own)
        if health is not None:
            found |= health(params, codes, outputs.logits, key_prior, jnp.asarray(hyper.prior.std))
        return found

    return measure


def show_score(errors: np.ndarray) -> str:
    """Format the mean squared error per pixel of all seeds."""
    return f"validation reconstruction error {spoken(errors)}"


def draw_views(setup: RunSetup, *, reconstructed: bool = False) -> DrawViews:
    """Return `(params, stats, images, key, hyper) -> codes [n, latent]` of views, augmented as in training.

    They are those that training matches to the prior (`views.style_of`): if a style encodes an image's shift, codes
    of unshifted images are only a part of the distribution of views' codes. The noise is that of `hyper`. With
    `reconstructed`, views are those of the reconstruction, which may be noisy when the discriminators' are not.
    """
    config = setup.config
    if config.views.style_of == "clean" and not reconstructed:
        clean = build_draw_codes(setup.networks, config.network.output)
        return lambda params, stats, images, key, hyper: clean(params, stats, images, key)

    def draw(params: Params, stats: Stats, images: Pixels, key: PRNGKey, hyper: Numbers) -> Array:
        def see(pixels: Array, key_see: PRNGKey) -> Array:
            return draw_seen(config, pixels, hyper, key_see, reconstructed=reconstructed)[0].seen

        return build_draw_codes(setup.networks, config.network.output, see=see)(params, stats, images, key)

    return draw


def health_of(setup: RunSetup, prior: Prior, *, judge_codes: bool = True) -> HealthFn:
    """Return `evaluation.build_health` for a run's networks and the unscaled prior (for a Gaussian, of std 1)."""
    conditional = getattr(setup.config, "conditional", False)  # some models have no labels
    return build_health(setup.networks, prior.unit, judge_codes=judge_codes, conditional=conditional)


def judge_beside_labels(
    setup: RunSetup, draw: Callable[[PRNGKey, Array], Array], length: int
) -> Callable[[Params, Array, Array, PRNGKey], Array]:
    """Return `(params, codes, labels, key) -> accuracy` of a discriminator that sees labels.

    Args:
        setup: Setup of the run.
        draw: `(key, labels) -> samples` of the prior.
        length: Length of the discriminator's one-hot labels.
    """

    def judge(params: Params, codes: Array, labels: Array, key: PRNGKey) -> Array:
        real, fake = (
            setup.networks.discriminate_z(params, beside_labels(each, labels, length), None)
            for each in (draw(key, labels), codes)
        )
        return discriminator_accuracy(real, fake)

    return judge
