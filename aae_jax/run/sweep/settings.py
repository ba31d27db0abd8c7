"""Settings of a sweep: numbers that may vary, their choice, and the configuration that settings share.

Settings that differ only in marked numbers (`config.traced`) share a compiled program: stack their traced numbers,
pad their labelled images, and train them with `train.epoch.over_seeds(..., own_hyper=True)`.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.config import LabelledConfig
from aae_jax.config.text import differences, from_mapping
from aae_jax.config.traced import marks_of
from aae_jax.data import TrainingArrays
from aae_jax.errors import InputError, did_you_mean
from aae_jax.models.spec import ModelSpec
from aae_jax.train.hyper import Numbers, traced

__all__ = [
    "Range",
    "Setting",
    "apply_setting",
    "common_config",
    "grid",
    "pad_labelled",
    "program_of",
    "random_search",
    "stack_numbers",
    "swept_name",
    "swept_names",
    "value_of",
]

Setting = Mapping[str, float]
"""Values by dotted name of the numbers that vary."""


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


def swept_names(config_class: type) -> tuple[str, ...]:
    """Return the dotted names of the numbers that a sweep may vary: the marked fields (`config.traced`)."""
    return tuple(marks_of(config_class))


def swept_name(config_class: type, name: str) -> str:
    """Return the current name of a number that may vary.

    Raises:
        InputError: No number that may vary has this name.
    """
    name = getattr(config_class, "RENAMED", {}).get(name, name)
    names = swept_names(config_class)
    if name not in names:
        raise InputError(f"{name!r} cannot be swept in one program; {did_you_mean(name, names)}")
    return name


def apply_setting(spec: ModelSpec, config: Any, setting: Setting) -> Any:
    """Return the configuration with the values of a setting.

    Raises:
        InputError: A name is not one of `swept_names`, a value is invalid, or a number has no effect.
    """
    values: dict[str, Any] = {}
    names = [swept_name(spec.config_class, given) for given in setting]
    for name, value in zip(names, setting.values(), strict=True):
        *sections, last = name.split(".")
        inner = values
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    changed = from_mapping(spec.config_class, values, base=config)
    spec.validate(changed)
    if "prior.std" in names and not changed.prior.is_gaussian:
        raise InputError(
            f"prior.std varies, but the prior's kind is {changed.prior.kind}, which has no such number; vary another."
        )
    if "labels" in names and changed.drawn_labels is None:
        raise InputError("labels varies, but num_clusters is given, so that no labels are used; vary another number.")
    if "labels" in names and changed.labelled_list is not None:
        raise InputError("labels varies, but labelled_list says which images are labelled; leave one of them out.")
    return changed


def common_config(spec: ModelSpec, configs: Sequence[Any]) -> Any:
    """Return the configuration whose phases and compiled program suit all of `configs`.

    Raises:
        InputError: They differ in more than their seeds and the numbers that may vary.
    """
    first, marks = configs[0], marks_of(spec.config_class)
    for other in configs[1:]:
        fixed = [name for name in differences(first, other) if name not in (*marks, "seed", "label_seed")]
        if fixed:
            raise InputError(f"The settings differ in {', '.join(fixed)}, for which each needs its own program.")
    terms = [name for name, mark in marks.items() if mark.zero == "term"]
    return apply_setting(spec, first, {name: max(value_of(config, name) for config in configs) for name in terms})


def program_of(config: Any) -> tuple[Any, ...]:
    """Return the properties that settings of one program must share to train exactly as they do alone.

    These are the size of the labelled batch, which few labels do not fill, and which numbers whose zero changes the
    program are zero.
    """
    batch = 0
    if isinstance(config, LabelledConfig) and config.drawn_labels is not None:
        batch = config.labelled_batch_size
        batch = batch if isinstance(config.labels, str) else min(config.labels, batch)
    marks = marks_of(type(config)).items()
    return batch, *(value_of(config, name) > 0 for name, mark in marks if mark.zero == "program")


def value_of(config: Any, name: str) -> float:
    """Return a number of a configuration by its dotted name."""
    for part in name.split("."):
        config = getattr(config, part)
    number: float = config
    return number


def stack_numbers(configs: Sequence[Any], num_steps: int) -> Numbers:
    """Stack the traced numbers of configurations, every leaf `[settings]`, for `num_steps` planned updates."""
    numbers = [traced(config, num_steps) for config in configs]
    stacked: Numbers = jax.tree.map(lambda *leaves: jnp.stack(leaves), *numbers)
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
