"""Settings of a sweep: numbers that may vary, their choice, and the configuration that settings share.

Settings that differ only in traced numbers (`Hyper`, and the number of labelled images) share a compiled program:
stack their numbers and train them with `train.epoch.over_seeds(..., own_hyper=True)`.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.config.text import differences, from_mapping
from aae_jax.data import TrainingArrays
from aae_jax.errors import InputError, did_you_mean
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig, validate
from aae_jax.models.semi_supervised.phases import build_hyper
from aae_jax.train.hyper import Hyper

__all__ = [
    "SWEPT",
    "Range",
    "Setting",
    "apply_setting",
    "common_config",
    "current_name",
    "grid",
    "pad_labelled",
    "random_search",
    "stack_hypers",
]

SWEPT = (
    *(f"optimizers.{phase}.learning_rate" for phase in ("reconstruction", "discriminator", "generator")),
    "optimizers.classification.learning_rate",
    "views.noise_std",
    *(f"weights.{name}" for name in ("reconstruction", "generator_z", "generator_y", "consistency")),
    *(f"weights.{name}" for name in ("consistency_warmup", "sharpness", "confidence", "adversarial_norm")),
    "prior.std",
    "weights.propagation",
    "weights.propagation_fade",
    "averaging.decay",
    "labels",
)
"""Numbers that a sweep may vary, by their names in the configuration."""

SWITCHES = ("weights.propagation", "weights.consistency", "weights.adversarial_norm", "averaging.decay")
"""Those of `SWEPT` whose zero removes a part from the program; one setting above zero includes it for all."""

Setting = Mapping[str, float]
"""Values by names of `SWEPT`."""


class Range(NamedTuple):
    """Range from `low` to `high`, inclusive; `log`: uniform in the logarithm; `whole`: integers."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


def grid(space: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """Return every combination of the values, with the last name varying fastest."""
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]


def random_search(space: Mapping[str, Range | Sequence[float]], count: int, seed: int) -> list[dict[str, float]]:
    """Draw `count` settings from ranges or sequences of values (random search, Bergstra & Bengio 2012).

    The first n settings do not depend on `count`.
    """
    settings = []
    for number in range(count):
        generator = np.random.default_rng((seed, number))
        settings.append({name: _draw(generator, values) for name, values in space.items()})
    return settings


def _draw(generator: np.random.Generator, values: Range | Sequence[float]) -> float:
    if not isinstance(values, Range):
        return values[int(generator.integers(len(values)))]
    low, high = (np.log(values.low), np.log(values.high)) if values.log else (values.low, values.high)
    drawn = float(generator.uniform(low, high))
    drawn = float(np.exp(drawn)) if values.log else drawn
    return round(drawn) if values.whole else drawn


def current_name(name: str) -> str:
    """Return the current name of a number of the configuration."""
    return SemiSupervisedConfig.RENAMED.get(name, name)


def apply_setting(config: SemiSupervisedConfig, setting: Setting) -> SemiSupervisedConfig:
    """Return the configuration with the values of a setting.

    Raises:
        InputError: A name is not in `SWEPT`, or a value is invalid.
    """
    values: dict[str, Any] = {}
    for given, value in setting.items():
        name = current_name(given)
        if name not in SWEPT:
            raise InputError(f"{name!r} cannot be swept in one program; {did_you_mean(name, SWEPT)}")
        *sections, last = name.split(".")
        inner = values
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    changed = from_mapping(SemiSupervisedConfig, values, base=config)
    validate(changed)
    if "std" in values.get("prior", {}) and not changed.prior.is_gaussian:
        raise InputError(
            f"prior.std varies, but the prior's kind is {changed.prior.kind}, which has no such number; vary another."
        )
    return changed


def common_config(configs: Sequence[SemiSupervisedConfig]) -> SemiSupervisedConfig:
    """Return the configuration whose phases and compiled program suit all of `configs`.

    Raises:
        InputError: They differ in more than `SWEPT` and their seeds.
    """
    first = configs[0]
    for other in configs[1:]:
        fixed = [name for name in differences(first, other) if name not in (*SWEPT, "seed", "label_seed")]
        if fixed:
            raise InputError(f"The settings differ in {', '.join(fixed)}, for which each needs its own program.")
    most = {name: max(_value(config, name) for config in configs) for name in SWITCHES}
    return apply_setting(first, most)


def _value(config: Any, name: str) -> float:
    for part in name.split("."):
        config = getattr(config, part)
    number: float = config
    return number


def stack_hypers(configs: Sequence[SemiSupervisedConfig], num_steps: int) -> Hyper:
    """Stack the traced numbers of configurations, every leaf `[settings]`, for `num_steps` planned updates."""
    hypers = [build_hyper(config, num_steps) for config in configs]
    stacked: Hyper = jax.tree.map(lambda *leaves: jnp.stack(leaves), *hypers)
    return stacked


class Labelled(NamedTuple):
    """Labelled images of several settings, padded with zeros at the end to the largest count.

    Attributes:
        images: `[settings, most, *image]`.
        labels: `[settings, most]`.
        counts: `[settings]`, int32: number of images before the padding.
    """

    images: np.ndarray
    labels: np.ndarray
    counts: np.ndarray


def pad_labelled(arrays: Sequence[TrainingArrays]) -> Labelled:
    """Stack the labelled images of several splits, padded to the largest count."""
    counts = np.asarray([len(a.labelled_labels) for a in arrays], np.int32)
    most = int(counts.max())

    def padded(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array, np.zeros((most - len(array), *array.shape[1:]), array.dtype)])

    return Labelled(
        np.stack([padded(a.labelled_images) for a in arrays]),
        np.stack([padded(a.labelled_labels) for a in arrays]),
        counts,
    )
