"""Configuration of the prior of the style code."""

from dataclasses import dataclass
from typing import Literal

from aae_jax.config.parts import NetworkConfig, check_bounds
from aae_jax.config.traced import Traced
from aae_jax.errors import InputError

__all__ = ["PriorConfig", "validate_prior", "validate_trained_prior"]

PAIRED = ("mixture", "umbrella")
MAX_NUMBERS = 10**7


@dataclass(frozen=True, kw_only=True)
class PriorConfig:
    """Prior that the style code matches."""

    kind: Literal["gaussian", "mixture", "umbrella", "swiss_roll", "uniform", "samples"] = "gaussian"
    """mixture: Gaussians on a ring. umbrella: hrenski's mixture. uniform: a cube around the origin. samples:
    user-defined samples."""
    std: Traced[float] = 5.0
    """Std of the gaussian, in each dimension (5 in two dimensions in section 2 of the paper)."""
    half_width: float = 5.0
    """Half width of the uniform cube."""
    parts: int = 10
    """Number of components of a mixture, or of parts of the swiss roll: one per class if labels are used."""
    radius: float = 1.4
    """Radius of the mixture's ring."""
    std_along: float = 0.5
    """Std of the mixture's components in the radial direction."""
    std_across: float = 0.1
    """Std of the mixture's components in the tangential direction."""
    roll_radius: float = 3.0
    """Radius of the swiss roll's outer end."""
    turns: float = 2.0
    """Number of turns of the swiss roll."""
    file: str | None = None
    """Source of the samples: FILE.npy with rows [n, latent_dim], or FILE.py:FUNCTION; FUNCTION is a sampler that
    takes (key, n), returns [n, latent_dim], and is called once, for 100,000 samples."""

    @property
    def is_gaussian(self) -> bool:
        """Whether the prior is a Gaussian, whose divergence and histograms have closed forms."""
        return self.kind == "gaussian"

    @property
    def traced_std(self) -> float:
        """Value of `hyper.prior.std`: the std of a Gaussian; 1 for other priors, compiled with their sizes."""
        return self.std if self.is_gaussian else 1.0


def validate_trained_prior(prior: PriorConfig, network: NetworkConfig) -> None:
    """Check the prior as `validate_prior` does, and that a file is given for the kind `samples` and no other.

    Raises:
        InputError: The combination is invalid; the message suggests a valid one.
    """
    validate_prior(prior, network)
    if (prior.kind == "samples") != (prior.file is not None):
        raise InputError(
            f"prior.kind is {prior.kind} and prior.file is {prior.file}; give --prior.kind samples with "
            "--prior.file FILE.npy or FILE.py:FUNCTION, and a file with that kind alone."
        )


def validate_prior(prior: PriorConfig, network: NetworkConfig) -> None:
    """Check that the prior's parameters are valid, and compatible with the dimension of the style code.

    Raises:
        InputError: The combination is invalid; the message suggests a valid one.
    """
    names = ("std", "half_width", "radius", "std_along", "std_across", "roll_radius", "turns")
    check_bounds(
        ("prior.parts", prior.parts, 1, 10**4),
        *((f"prior.{name}", getattr(prior, name), 1e-6, 10**6) for name in names),
    )
    if prior.kind in PAIRED and prior.parts * network.latent_dim**2 > MAX_NUMBERS:
        raise InputError(
            f"prior.parts is {prior.parts} and network.latent_dim {network.latent_dim}, whose covariances have over "
            f"{MAX_NUMBERS:,} numbers; give less of either."
        )
    if prior.kind == "swiss_roll" and network.latent_dim != 2:
        raise InputError(f"network.latent_dim is {network.latent_dim}, but the swiss roll has 2 dimensions; give 2.")
    if prior.kind in PAIRED and network.latent_dim % 2:
        raise InputError(
            f"network.latent_dim is {network.latent_dim}, but a {prior.kind} is made of pairs; give an even number."
        )
