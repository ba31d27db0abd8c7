"""Prior of style codes as one object: its sampler and the operations that its shape allows."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from aae_jax.errors import InputError
from aae_jax.types import Array, LabelledSampler, PRNGKey, Sampler

__all__ = ["Prior", "scaled_sampler"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Prior:
    """A prior, which is itself a sampler `(key, n) -> [n, latent]`; unavailable operations are None.

    Attributes:
        kind: Kind in the configuration.
        latent_dim: Dimension of the latent code.
        unit: Sampler of the prior; for a Gaussian, with standard deviation 1.
        std: Factor on the samples of `unit`; 1 except for a Gaussian. Traced in training (`hyper.prior.std`).
        num_parts: Number of parts; 0 if the prior has none.
        sample_parts: `(key, labels [n]) -> [n, latent]`, samples from the part of each label.
        part_of: `codes [n, latent] -> [n]`, the part of each code; `NO_PART` for codes that are not finite.
        log_prob: `codes [n, latent] -> [n]`, log-density in nats.
        walks: `steps -> [walks, steps, latent]`, codes along the parts (figures 4b and 4d).
        walk_title: Title of a figure of the walks.
        planes: `steps -> [parts, steps, steps, latent]`, a grid of codes over each part in two dimensions.
        quantile: `shares in (0, 1) -> percentiles` of each dimension, if dimensions are independent.
        samples: `[count, latent]`, float32, the samples of a prior given by samples.
    """

    kind: str
    latent_dim: int
    unit: Sampler
    std: float = 1.0
    num_parts: int = 0
    sample_parts: LabelledSampler | None = None
    part_of: Callable[[Float[Array, "batch latent"]], Int[Array, " batch"]] | None = None
    log_prob: Callable[[Float[Array, "batch latent"]], Float[Array, " batch"]] | None = None
    walks: Callable[[int], Float[Array, "walks steps latent"]] | None = None
    walk_title: str = ""
    planes: Callable[[int], Float[Array, "parts steps steps latent"]] | None = None
    quantile: Callable[[Float[Array, "*count"]], Float[Array, "*count"]] | None = None
    samples: np.ndarray | None = None

    def __call__(self, key: PRNGKey, n: int) -> Float[Array, "count latent"]:
        """Draw n samples."""
        drawn = self.unit(key, n)
        return drawn if self.std == 1.0 else self.std * drawn

    def sample_part(self, key: PRNGKey, count: int, part: int) -> Float[Array, "count latent"]:
        """Draw samples from one part.

        Raises:
            InputError: The prior has no parts, or not this one.
        """
        if self.sample_parts is None:
            raise InputError(f"component is {part}, but a prior of kind {self.kind} has no parts; leave it out.")
        if not 0 <= part < self.num_parts:
            raise InputError(f"component is {part}; give a component of the prior, from 0 to {self.num_parts - 1}.")
        return self.sample_parts(key, jnp.full(count, part, jnp.int32))


def scaled_sampler(prior: Sampler) -> Callable[[PRNGKey, int, Array | float], Array]:
    """Return `(key, n, std) -> samples` of a prior with a traced standard deviation.

    A user-defined sampler is not scaled: its samples have their final scale.
    """
    if isinstance(prior, Prior):
        return lambda key, count, std: std * prior.unit(key, count)
    return lambda key, count, std: jnp.asarray(prior(key, count), jnp.float32)
