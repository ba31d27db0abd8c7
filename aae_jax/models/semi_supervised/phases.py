"""Semi-supervised adversarial autoencoder (Makhzani et al. 2016, §5, figure 8).

One encoder outputs a style z and a label y; two discriminators make them match a Gaussian and one-hot vectors; the
decoder reconstructs the image from both; and on the few labelled images y is trained to predict the label.
"""

import warnings

import jax.numpy as jnp

from aae_jax import priors
from aae_jax.config import require_resolved
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.models.shared.adversary import traced_prior
from aae_jax.models.shared.label_code import (
    LabelCode,
    build_classification,
    build_common_phases,
    label_codes,
    labels_of,
    propagation_terms,
)
from aae_jax.networks import Codes, Networks
from aae_jax.priors.prior import Prior
from aae_jax.train.optimizers import build_optimizer
from aae_jax.train.phases import Phase
from aae_jax.types import Sampler

__all__ = [
    "PHASES",
    "build_baseline_phases",
    "build_codes",
    "build_phases",
]

PHASES = ("reconstruction", "discriminator_z", "discriminator_y", "generator", "classification")


def build_codes(config: SemiSupervisedConfig, num_classes: int) -> Codes:
    """Return the codes: style and label, and a discriminator of each."""
    return label_codes(config, num_classes)


def build_phases(
    networks: Networks,
    config: SemiSupervisedConfig,
    *,
    num_classes: int,
    prior: Sampler | None = None,
    prior_z: Sampler | None = None,
) -> dict[str, Phase]:
    """Return the five phases by name, in the order of their execution.

    Args:
        networks: Encoder, decoder and two discriminators.
        config: Optimizers, views and reconstruction loss; a consistency weight of 0 removes that term from the
            compiled program.
        num_classes: Size of the categorical prior.
        prior: A `Prior`, or any sampler of styles, `(key, n) -> [n, latent]`, which is not scaled by
            `hyper.prior.std`. None: the configured prior.
        prior_z: Earlier name of `prior`, under which a sampler is still scaled by `hyper.prior.std`. Deprecated.

    Returns:
        Phases by name; the batch-norm statistics of the reconstruction phase are kept.
    """
    require_resolved(config)
    if prior_z is not None:
        warnings.warn("prior_z is now prior, which is not scaled by prior.std", DeprecationWarning, stacklevel=2)
        prior = Prior(
            kind="samples",
            latent_dim=config.network.latent_dim,
            unit=lambda key, count: jnp.asarray(prior_z(key, count), jnp.float32),
        )
    optimizers, weights = config.optimizers, config.weights
    model = LabelCode(networks, config, labels_of(priors.build_categorical(num_classes)))
    common = build_common_phases(
        model,
        traced_prior(prior, config.prior, config.network.latent_dim),
        rebuilt_by=("encoder", "decoder"),
        terms=propagation_terms(config.weights),
    )
    return {
        **common,
        "classification": Phase(
            ("encoder",),
            build_classification(model, softmax_twice=weights.softmax_twice),
            build_optimizer(optimizers.classification),
            every=config.classification_every,
        ),
    }


def build_baseline_phases(networks: Networks, config: SemiSupervisedConfig) -> dict[str, Phase]:
    """Return the phases of the supervised baseline: the same encoder, trained on the labelled images only."""
    require_resolved(config)
    model = LabelCode(networks, config, labels_of(priors.build_categorical(1)))
    loss = build_classification(model, softmax_twice=config.weights.softmax_twice, alone=True)
    optimizer = build_optimizer(config.optimizers.classification)
    return {"classification": Phase(("encoder",), loss, optimizer, updates_stats=True)}
