"""The configurations of the models without labels: the autoencoder and the VAE, and the unsupervised AAE."""

from dataclasses import dataclass, field
from typing import Literal

from aae_jax.config.parts import (
    NetworkConfig,
    OptimizerConfig,
    ReconstructionWeights,
    check_bounds,
    validate_reconstruction,
)
from aae_jax.config.run import (
    RunConfig,
    ScheduledOptimizers,
    refuse_noise_in_one_view,
    validate_optimizers,
    validate_run,
)
from aae_jax.errors import InputError
from aae_jax.text import brief_config

__all__ = [
    "AutoencoderConfig",
    "AutoencoderOptimizers",
    "AutoencoderWeights",
    "LikelihoodConfig",
    "PriorConfig",
    "UnsupervisedConfig",
    "UnsupervisedOptimizers",
    "UnsupervisedWeights",
    "validate_autoencoder",
    "validate_likelihood",
    "validate_prior",
    "validate_trained_prior",
    "validate_unsupervised",
]

PAIRED = ("mixture", "umbrella")
MOST_NUMBERS = 10**7


@dataclass(frozen=True, kw_only=True)
class PriorConfig:
    """What the style code is pulled to."""

    kind: Literal["gaussian", "mixture", "umbrella", "swiss_roll", "uniform", "samples"] = "gaussian"
    """mixture: Gaussians on a ring; umbrella: hrenski's; uniform: a cube around the origin; samples: of your own."""
    std: float = 5.0
    """Of the gaussian, in each dimension (section 2 of the paper has 5 in two dimensions)."""
    half_width: float = 5.0
    """Of the uniform cube."""
    parts: int = 10
    """Components of a mixture, or parts of the swiss roll: one for each class, where labels are used."""
    radius: float = 1.4
    """Of the mixture's ring."""
    std_along: float = 0.5
    """Of the mixture's components, towards the origin."""
    std_across: float = 0.1
    """Across that."""
    roll_radius: float = 3.0
    """Of the swiss roll's outer end."""
    turns: float = 2.0
    """Of the swiss roll."""
    file: str | None = None
    """Of samples: FILE.npy with rows [n, latent_dim], or FILE.py:FUNCTION, a sampler (key, n) -> [n, latent_dim] that
    is run once, for 100,000 of them."""

    @property
    def traced_std(self) -> float:
        """What `Hyper.prior_std` is: a Gaussian's std; the sizes of other shapes are in the program."""
        return self.std if self.kind == "gaussian" else 1.0


@dataclass(frozen=True, kw_only=True)
class AutoencoderOptimizers(ScheduledOptimizers):
    """The optimizer of the one phase."""

    reconstruction: OptimizerConfig = field(default_factory=OptimizerConfig)


@dataclass(frozen=True, kw_only=True)
class AutoencoderWeights(ReconstructionWeights):
    """Factors of the terms of the loss."""

    kl: float = 1.0
    """Of the VAE's divergence from the prior. The half squared error beside weight 1 is that of pixels with std 1."""


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(RunConfig):
    """An autoencoder without a prior, denoising where views are noisy; or the VAE that stands beside the AAE."""

    model: Literal["autoencoder", "vae"] = "autoencoder"
    prior: PriorConfig = field(default_factory=PriorConfig)
    """Of the VAE: a gaussian in closed form, a mixture by samples."""
    optimizers: AutoencoderOptimizers = field(default_factory=AutoencoderOptimizers)
    weights: AutoencoderWeights = field(default_factory=AutoencoderWeights)

    __repr__ = brief_config


@dataclass(frozen=True, kw_only=True)
class UnsupervisedOptimizers(ScheduledOptimizers):
    """The optimizers by phase; a joint step's second phase has that of the reconstruction."""

    reconstruction: OptimizerConfig = field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    generator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))


@dataclass(frozen=True, kw_only=True)
class UnsupervisedWeights(ReconstructionWeights):
    """Factors of the terms of the losses."""

    generator_z: float = 1.0
    """Beside the reconstruction in a joint step; alone, with Adam, a factor changes nothing."""


@dataclass(frozen=True, kw_only=True)
class UnsupervisedConfig(RunConfig):
    """The adversarial autoencoder of Makhzani et al. 2016, section 2 and figure 1."""

    joint: bool = False
    """Reconstruction and generator in one phase, the sum of their losses, after the discriminator (hrenski)."""
    prior: PriorConfig = field(default_factory=PriorConfig)
    optimizers: UnsupervisedOptimizers = field(default_factory=UnsupervisedOptimizers)
    weights: UnsupervisedWeights = field(default_factory=UnsupervisedWeights)

    __repr__ = brief_config


@dataclass(frozen=True, kw_only=True)
class LikelihoodConfig(UnsupervisedConfig):
    """The same, and by how many of its samples the likelihood of images is measured (section 3 and table 1)."""

    samples: tuple[int, ...] = (10_000,)
    """Numbers of samples by which it is measured, e.g. 10000 10000000; ten million take hours on a CPU."""

    __repr__ = brief_config


def validate_likelihood(config: LikelihoodConfig) -> None:
    """Refuse values that an adversarial autoencoder cannot be trained or measured with.

    Raises:
        InputError: Names the first such value.
    """
    validate_unsupervised(config)
    check_bounds(*((f"samples[{i}]", count, 1, 10**9) for i, count in enumerate(config.samples)))


def validate_autoencoder(config: AutoencoderConfig) -> None:
    """Refuse values that an autoencoder cannot be trained with.

    Raises:
        InputError: Names the first such value.
    """
    validate_run(config)
    check_bounds(("weights.kl", config.weights.kl, 0, 10**6))
    validate_optimizers(config.optimizers)
    validate_reconstruction(config.weights, config.network)
    if config.model == "autoencoder" and config.network.posterior != "deterministic":
        raise InputError(
            f"network.posterior is {config.network.posterior}, but nothing keeps the posterior of a plain "
            "autoencoder wide; give deterministic, or --model vae."
        )
    if config.prior.kind == "samples":
        raise InputError(
            "prior.kind is samples, which have no density for a VAE, and an autoencoder's codes have no prior; "
            "give gaussian, mixture or umbrella."
        )
    if config.model == "vae":
        validate_trained_prior(config.prior, config.network)
        if config.network.posterior != "gaussian":
            raise InputError(
                f"network.posterior is {config.network.posterior}, but a VAE has a Gaussian one; "
                "give --network.posterior gaussian."
            )
        if config.prior.kind in ("swiss_roll", "uniform"):
            raise InputError(
                f"prior.kind is {config.prior.kind}, which has no density everywhere; "
                "a VAE takes gaussian, mixture or umbrella."
            )


def validate_unsupervised(config: UnsupervisedConfig) -> None:
    """Refuse values that an unsupervised adversarial autoencoder cannot be trained with.

    Raises:
        InputError: Names the first such value.
    """
    validate_run(config)
    check_bounds(("weights.generator_z", config.weights.generator_z, 0, 10**6))
    validate_optimizers(config.optimizers)
    validate_reconstruction(config.weights, config.network)
    validate_trained_prior(config.prior, config.network)
    refuse_noise_in_one_view(config, joint=config.joint)


def validate_trained_prior(prior: PriorConfig, network: NetworkConfig) -> None:
    """Refuse what `validate_prior` does, and samples without a file, or a file beside another kind.

    Raises:
        InputError: Says which to give.
    """
    validate_prior(prior, network)
    if (prior.kind == "samples") != (prior.file is not None):
        raise InputError(
            f"prior.kind is {prior.kind} and prior.file is {prior.file}; give --prior.kind samples with "
            "--prior.file FILE.npy or FILE.py:FUNCTION, and a file with that kind alone."
        )


def validate_prior(prior: PriorConfig, network: NetworkConfig) -> None:
    """Refuse a prior that has no samples, or none of the style code's length.

    Raises:
        InputError: Says which to give.
    """
    names = ("std", "half_width", "radius", "std_along", "std_across", "roll_radius", "turns")
    check_bounds(
        ("prior.parts", prior.parts, 1, 10**4),
        *((f"prior.{name}", getattr(prior, name), 1e-6, 10**6) for name in names),
    )
    if prior.kind in PAIRED and prior.parts * network.latent_dim**2 > MOST_NUMBERS:
        raise InputError(
            f"prior.parts is {prior.parts} and network.latent_dim {network.latent_dim}, whose covariances have over "
            f"{MOST_NUMBERS:,} numbers; give less of either."
        )
    if prior.kind == "swiss_roll" and network.latent_dim != 2:
        raise InputError(f"network.latent_dim is {network.latent_dim}, but the swiss roll has 2 dimensions; give 2.")
    if prior.kind in PAIRED and network.latent_dim % 2:
        raise InputError(
            f"network.latent_dim is {network.latent_dim}, but a {prior.kind} is made of pairs; give an even number."
        )
