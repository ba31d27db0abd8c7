"""Traced hyperparameters: a pytree of the numbers that are arguments of the compiled program, not parts of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from aae_jax.config.traced import traced_values
from aae_jax.text import brief_fields
from aae_jax.types import Array

__all__ = ["Numbers", "Scalar", "faded", "traced", "warmed_up"]

Scalar = Float[Array, ""] | float


@jax.tree_util.register_pytree_with_keys_class
class Numbers(Mapping[str, Any]):
    """Numbers by name, nested like the configuration they come from: `hyper.weights.consistency`.

    An immutable mapping whose entries are attributes too. Give every leaf a leading axis to `jax.vmap` over settings.
    """

    __slots__ = ("_entries",)
    _entries: dict[str, Any]

    def __init__(self, entries: Mapping[str, Any]) -> None:
        """Store the entries; nested mappings become `Numbers`."""
        nested = {name: Numbers(item) if isinstance(item, Mapping) else item for name, item in entries.items()}
        object.__setattr__(self, "_entries", nested)

    def __getattr__(self, name: str) -> Any:
        """Return an entry."""
        try:
            return object.__getattribute__(self, "_entries")[name]
        except KeyError:
            raise AttributeError(f"there is no traced number {name!r} here, only {', '.join(self)}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to change an entry."""
        raise AttributeError("traced numbers cannot be set; use replace")

    def __getitem__(self, name: str) -> Any:
        """Return an entry."""
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

    def replace(self, changes: Mapping[str, Any]) -> "Numbers":
        """Return a copy with other values, by dotted name: `hyper.replace({"weights.consistency": 0.5})`.

        Raises:
            KeyError: There is no such number.
        """
        entries = dict(self._entries)
        for name, value in changes.items():
            first, _, rest = name.partition(".")
            if first not in entries or (rest and rest.partition(".")[0] not in entries[first]):
                raise KeyError(name)
            entries[first] = entries[first].replace({rest: value}) if rest else value
        return Numbers(entries)

    def at(self, step: Int[Array, ""]) -> "Numbers":
        """Return the numbers with an entry `step`, the number of updates made so far, as losses get them."""
        return Numbers({**self._entries, "step": step})

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], tuple[str, ...]]:
        """Return the entries and their names, for JAX."""
        names = tuple(self._entries)
        return [(jax.tree_util.GetAttrKey(name), self._entries[name]) for name in names], names

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], leaves: Any) -> "Numbers":
        """Restore the numbers, for JAX."""
        numbers = object.__new__(cls)
        object.__setattr__(numbers, "_entries", dict(zip(names, leaves, strict=True)))
        return numbers

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the entries."""
        return Numbers, (self._entries,)

    def __repr__(self) -> str:
        """Return dtypes and shapes instead of values."""
        return brief_fields(self, tuple(self))


def traced(config: Any, num_steps: float) -> Numbers:
    """Return the traced numbers of a configuration, each a float32 scalar.

    Fields marked as `Traced` keep their names and nesting, and `num_steps` is added; a share of the run, such as a
    warm-up, becomes a number of updates.

    Args:
        config: Configuration of any model, or a nested mapping of numbers for phases of your own: the engine reads
            `optimizers.<phase>.learning_rate` (1 if absent) and `averaging.decay` (0 if absent).
        num_steps: Number of planned updates, the length of the learning-rate schedule.
    """
    values = config if isinstance(config, Mapping) else traced_values(config, num_steps)
    numbers: Numbers = jax.tree.map(
        lambda value: jnp.asarray(value, jnp.float32), Numbers({**values, "num_steps": num_steps})
    )
    return numbers


def warmed_up(value: Scalar, updates: Scalar, hyper: Numbers) -> Array:
    """Return a weight that rises linearly from 0 to `value` over the first `updates`; 0: it is constant.

    Outside a training step, where `hyper` has no `step`, the weight is `value`.
    """
    if "step" not in hyper:
        return jnp.asarray(value)
    share = jnp.minimum(1.0, hyper.step / jnp.maximum(updates, 1.0))
    return jnp.where(jnp.asarray(updates) > 0, share, 1.0) * value


def faded(value: Scalar, updates: Scalar, hyper: Numbers) -> Array:
    """Return a weight that falls linearly from `value` to 0 over the first `updates`; 0: it is constant.

    Outside a training step, where `hyper` has no `step`, the weight is `value`.
    """
    if "step" not in hyper:
        return jnp.asarray(value)
    left = jnp.maximum(0.0, 1.0 - hyper.step / jnp.maximum(updates, 1.0))
    return jnp.where(jnp.asarray(updates) > 0, left, 1.0) * value
