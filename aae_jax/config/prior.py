"""Configuration of a style code's prior."""

from dataclasses import dataclass
from typing import Literal

from aae_jax.config.parts import NetworkConfig, check_bounds
from aae_jax.errors import InputError

__all__ = ["PriorConfig", "validate_prior", "validate_trained_prior"]

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
    def is_gaussian(self) -> bool:
        """Whether it is a Gaussian, whose divergence and histograms have closed forms."""
        return self.kind == "gaussian"

    @property
    def traced_std(self) -> float:
        """What `Hyper.prior_std` is: a Gaussian's std; the sizes of other shapes are in the program."""
        return self.std if self.is_gaussian else 1.0


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
