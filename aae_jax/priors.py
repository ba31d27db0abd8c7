"""The distributions that codes are pulled towards: samplers `(key, n) -> samples`, log-densities, parts, walks.

A sampler for the trainer is any `(key, n) -> [n, dim]` function; the builders here return such functions. Priors of
several parts (mixtures, the swiss roll) also have samplers `(key, labels) -> samples`, from each label's own part.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from aae_jax.errors import InputError
from aae_jax.types import Array, LabelledPrior, Prior, PRNGKey

__all__ = [
    "NO_PART",
    "UNLABELLED",
    "Mixture",
    "SwissRoll",
    "build_categorical",
    "build_empirical",
    "build_gaussian",
    "build_labelled_mixture",
    "build_labelled_swiss_roll",
    "build_mixture",
    "build_swiss_roll",
    "build_uniform",
    "categorical_log_density",
    "draw_classes",
    "gaussian_log_density",
    "gaussian_quantile",
    "mixture_component",
    "mixture_log_density",
    "mixture_walk",
    "rare_categorical",
    "ring_mixture",
    "swiss_roll_component",
    "swiss_roll_walk",
    "umbrella_mixture",
    "uniform_quantile",
]

UNLABELLED = -1
"""The label of an image that has none: its sample comes from the whole prior. So does that of any other label that is
no part of the prior, such as the extra class of figure 3."""
NO_PART = -1
"""The part to which a code that is not finite belongs."""
POINTS = 1000
"""Points of the roll to which codes are compared."""


def build_gaussian(dim: int, std: float = 1.0) -> Prior:
    """Return a sampler of N(0, std² I) in `dim` dimensions: `(key, n) -> [n, dim]` (§2.1).

    `std` is the standard deviation (the paper's style code has 1, its 2-D figures 5).
    """

    def sample(key: PRNGKey, n: int) -> Float[Array, "count latent"]:
        return std * jax.random.normal(key, (n, dim), jnp.float32)

    return sample


def build_uniform(dim: int, half_width: float = 1.0) -> Prior:
    """Return a sampler of the uniform distribution on [−half_width, half_width]^dim: `(key, n) -> [n, dim]`."""

    def sample(key: PRNGKey, n: int) -> Float[Array, "count latent"]:
        return jax.random.uniform(key, (n, dim), jnp.float32, -half_width, half_width)

    return sample


def build_empirical(samples: ArrayLike) -> Prior:
    """Return a sampler of given samples `[count, latent]`, each as likely as any other: `(key, n) -> [n, latent]`.

    So any distribution is a prior that can be sampled at all. Give many more than a batch has.

    Raises:
        InputError: They are not rows of numbers.
    """
    try:
        rows = jnp.asarray(samples, jnp.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"Samples of a prior are no rows of numbers ({error}); give [count, latent].") from error
    if rows.ndim != 2 or not rows.size:
        raise InputError(f"Samples of a prior are of shape {list(rows.shape)}; give [count, latent].")

    def sample(key: PRNGKey, n: int) -> Float[Array, "count latent"]:
        return rows[jax.random.randint(key, (n,), 0, rows.shape[0], jnp.int32)]

    return sample


def gaussian_quantile(u: Float[Array, "*count"], std: float = 1.0) -> Float[Array, "*count"]:
    """Return the numbers below which a share u of N(0, std²) lies: the prior's percentiles of figure 2e."""
    return std * jax.scipy.special.ndtri(u)


def uniform_quantile(u: Float[Array, "*count"], half_width: float = 1.0) -> Float[Array, "*count"]:
    """Return the numbers below which a share u of the uniform distribution on [−half_width, half_width] lies."""
    return half_width * (2 * u - 1)


def build_categorical(num_classes: int) -> Prior:
    """Return a sampler of one-hot vectors of a uniform class: `(key, n) -> [n, num_classes]` (§5)."""

    def sample(key: PRNGKey, n: int) -> Float[Array, "count classes"]:
        drawn = jax.random.randint(key, (n,), 0, num_classes, jnp.int32)
        return jax.nn.one_hot(drawn, num_classes, dtype=jnp.float32)

    return sample


def draw_classes(key: PRNGKey, frequencies: Float[Array, " classes"], n: int) -> Float[Array, "count classes"]:
    """Return one-hot vectors of classes drawn with `frequencies`, which are above 0: `[n, classes]`."""
    drawn = jax.random.categorical(key, jnp.log(frequencies), shape=(n,))
    return jax.nn.one_hot(drawn, frequencies.shape[0], dtype=jnp.float32)


def rare_categorical(key: PRNGKey, labels: Float[Array, "batch classes"]) -> Float[Array, "batch classes"]:
    """Return one-hot vectors of classes that are rare among the most probable ones of a batch of labels.

    Class k is drawn with a probability proportional to exp(batch / classes − count of k): shaharazulay's sampling by
    inverse frequency, which nearly always draws the rarest.
    """
    classes = labels.shape[1]
    counts = jnp.sum(jax.nn.one_hot(jnp.argmax(labels, axis=1), classes, dtype=jnp.float32), axis=0)
    drawn = jax.random.categorical(key, -counts, shape=(labels.shape[0],))
    return jax.nn.one_hot(drawn, classes, dtype=jnp.float32)


def gaussian_log_density(z: Float[Array, "batch latent"], std: float = 1.0) -> Float[Array, " batch"]:
    """Return log N(z; 0, std² I), one number per row."""
    dim = z.shape[-1]
    return -0.5 * jnp.sum((z / std) ** 2, axis=-1) - dim * (
        jnp.log(jnp.asarray(std, jnp.float32)) + 0.5 * jnp.log(jnp.float32(2 * jnp.pi))
    )


def categorical_log_density(y: Float[Array, "batch classes"]) -> Float[Array, " batch"]:
    """Return log(1 / classes) for each one-hot row, minus infinity for rows that are not one-hot."""
    one_hot = jnp.all((y == 0) | (y == 1), axis=-1) & (jnp.sum(y, axis=-1) == 1)
    return jnp.where(one_hot, -jnp.log(jnp.float32(y.shape[-1])), -jnp.inf)


class Mixture(NamedTuple):
    """A mixture of equally frequent Gaussians: component k has the samples `means[k] + factors[k] @ N(0, I)`.

    Attributes:
        means: Of the components.
        factors: Roots of their covariances.
        axes: Their main axes, each as long as the standard deviation along it.
    """

    means: Float[Array, "components latent"]
    factors: Float[Array, "components latent latent"]
    axes: Float[Array, "components latent"]


class SwissRoll(NamedTuple):
    """A spiral in two dimensions, cut into equally frequent parts from the inside out.

    The point at u in [0, 1] is at radius `radius · √u` and angle `2π · turns · √u`: u uniform is uniform in arc
    length, but for the very beginning.
    """

    num_parts: int = 10
    radius: float = 3.0
    turns: float = 2.0


def ring_mixture(
    num_components: int = 10, *, radius: float, std_along: float, std_across: float, pairs: int = 1
) -> Mixture:
    """Return Gaussians around the origin, longer towards it than across.

    Component k has its mean at the angle 2πk / components. Published parameters (§2.3 gives none): radius 1.4, stds
    0.5 along and 0.1 across (nicklhy; conan7882, which calls them variances), or 0.5 and 0.05 (musyoku).

    Args:
        num_components: How many.
        radius: Distance of the means from the origin.
        std_along: Standard deviation along the line to the origin.
        std_across: Standard deviation across it.
        pairs: Pairs of latent dimensions, each with this mixture, all of the same component; without labels
            conan7882's pairs have each their own.
    """
    angles = 2 * jnp.pi * jnp.arange(num_components, dtype=jnp.float32) / num_components
    outwards = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
    across = jnp.stack([-jnp.sin(angles), jnp.cos(angles)], axis=1)
    factors = jnp.stack([std_along * outwards, std_across * across], axis=2)
    wide = jax.vmap(lambda factor: jnp.kron(jnp.eye(pairs, dtype=jnp.float32), factor))(factors)
    return Mixture(jnp.tile(radius * outwards, (1, pairs)), wide, jnp.tile(std_along * outwards, (1, pairs)))


def umbrella_mixture(num_components: int = 10, *, pairs: int = 1) -> Mixture:
    """Return hrenski's umbrella: radius 2, stds 0.75/√2 along and 0.25/√2 across; `pairs` as in `ring_mixture`.

    The root is there because its covariances are halved; as 0.75 and 0.25 are its stds read in its text.
    """
    along, across = 0.75 / math.sqrt(2), 0.25 / math.sqrt(2)
    return ring_mixture(num_components, radius=2.0, std_along=along, std_across=across, pairs=pairs)


def build_mixture(mixture: Mixture) -> Prior:
    """Return a sampler of the mixture: `(key, n) -> [n, latent]` (§2.3)."""
    labelled = build_labelled_mixture(mixture)

    def sample(key: PRNGKey, n: int) -> Float[Array, "count latent"]:
        return labelled(key, jnp.full(n, UNLABELLED, jnp.int32))

    return sample


def build_labelled_mixture(mixture: Mixture) -> LabelledPrior:
    """Return a sampler of each label's own component, `(key, labels [n]) -> [n, latent]`; of any for `UNLABELLED`."""
    count, dim = mixture.means.shape

    def sample(key: PRNGKey, labels: Int[Array, " count"]) -> Float[Array, "count latent"]:
        key_component, key_within = jax.random.split(key)
        drawn = jax.random.randint(key_component, labels.shape, 0, count, jnp.int32)
        component = jnp.where((labels >= 0) & (labels < count), labels, drawn)
        within = jax.random.normal(key_within, (*labels.shape, dim), jnp.float32)
        return mixture.means[component] + jnp.einsum("nij,nj->ni", mixture.factors[component], within)

    return sample


def component_log_densities(z: Float[Array, "batch latent"], mixture: Mixture) -> Float[Array, "batch components"]:
    """Return the log-density of each row under each component."""
    offsets = z[:, None] - mixture.means[None]
    within: Array = jnp.einsum("kij,nkj->nki", jnp.linalg.inv(mixture.factors), offsets)
    _, log_volume = jnp.linalg.slogdet(mixture.factors)
    found: Array = -0.5 * jnp.sum(within**2, axis=-1) - log_volume[None]
    return found - 0.5 * z.shape[-1] * jnp.log(jnp.float32(2 * jnp.pi))


def mixture_log_density(z: Float[Array, "batch latent"], mixture: Mixture) -> Float[Array, " batch"]:
    """Return the log-density of each row under the mixture."""
    found = component_log_densities(z, mixture)
    return jax.nn.logsumexp(found, axis=-1) - jnp.log(jnp.float32(found.shape[-1]))


def mixture_component(z: Float[Array, "batch latent"], mixture: Mixture) -> Int[Array, " batch"]:
    """Return the component under which each row is most probable, `NO_PART` of rows that are not finite."""
    found = jnp.argmax(component_log_densities(z, mixture), axis=-1)
    return jnp.where(jnp.isfinite(z).all(axis=-1), found, NO_PART)


def mixture_walk(mixture: Mixture, component: int, steps: int, *, reach: float = 2.0) -> Float[Array, "steps latent"]:
    """Return codes along a component's main axis, from −reach to reach of its standard deviations (figure 4b)."""
    shares = jnp.linspace(-reach, reach, steps, dtype=jnp.float32)[:, None]
    walk: Array = mixture.means[component][None] + shares * mixture.axes[component][None]
    return walk


def _spiral(roll: SwissRoll, u: Float[Array, "*count"]) -> Float[Array, "*count 2"]:
    root = jnp.sqrt(u)
    angle = 2 * jnp.pi * roll.turns * root
    return roll.radius * root[..., None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def build_swiss_roll(roll: SwissRoll = SwissRoll()) -> Prior:  # noqa: B008 - a value, never changed
    """Return a sampler of the roll: `(key, n) -> [n, 2]` (§2.3; parameters of nicklhy and musyoku)."""
    labelled = build_labelled_swiss_roll(roll)

    def sample(key: PRNGKey, n: int) -> Float[Array, "count 2"]:
        return labelled(key, jnp.full(n, UNLABELLED, jnp.int32))

    return sample


def build_labelled_swiss_roll(roll: SwissRoll = SwissRoll()) -> LabelledPrior:  # noqa: B008
    """Return a sampler of each label's own part, `(key, labels [n]) -> [n, 2]`; of any for `UNLABELLED`."""

    def sample(key: PRNGKey, labels: Int[Array, " count"]) -> Float[Array, "count 2"]:
        u = jax.random.uniform(key, labels.shape, jnp.float32)
        own = (u + labels) / roll.num_parts
        return _spiral(roll, jnp.where((labels >= 0) & (labels < roll.num_parts), own, u))

    return sample


def swiss_roll_component(z: Float[Array, "batch 2"], roll: SwissRoll = SwissRoll()) -> Int[Array, " batch"]:  # noqa: B008
    """Return the part whose spiral each row is nearest to, by points a thousandth of the roll apart.

    `NO_PART` of rows that are not finite.
    """
    u = (jnp.arange(POINTS, dtype=jnp.float32) + 0.5) / POINTS
    distances = jnp.sum((z[:, None] - _spiral(roll, u)[None]) ** 2, axis=-1)
    found = jnp.floor(u[jnp.argmin(distances, axis=-1)] * roll.num_parts).astype(jnp.int32)
    return jnp.where(jnp.isfinite(z).all(axis=-1), found, NO_PART)


def swiss_roll_walk(steps: int, roll: SwissRoll = SwissRoll()) -> Float[Array, "steps 2"]:  # noqa: B008
    """Return codes along the roll from the inside out (figure 4d)."""
    return _spiral(roll, jnp.linspace(0.0, 1.0, steps, dtype=jnp.float32))
