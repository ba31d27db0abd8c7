"""Models as pytrees: arrays are leaves, everything else is static."""

from typing import Any

import jax
import numpy as np

__all__ = ["register_tree"]

LEAVES = ("params", "stats", "prior_samples")
"""Fields of a model that are arrays or trees of arrays."""


class _Fixed:
    """All of a model but its arrays, compared by value: the static part of the pytree."""

    def __init__(self, model: Any) -> None:
        self.values = {name: value for name, value in model.__getstate__().items() if name not in LEAVES}
        spans = None if model.scaling is None else tuple(np.asarray(part).tobytes() for part in model.scaling)
        rest = (value for name, value in self.values.items() if name not in ("scaling", "data"))
        self.key = (*rest, spans, tuple(sorted(model.data.items())))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Fixed) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def register_tree(kind: type[Any]) -> None:
    """Register the class of models with JAX, so that jit, vmap, grad and `jax.tree` take models as arguments."""

    def flatten(model: Any) -> tuple[tuple[Any, ...], _Fixed]:
        return tuple(getattr(model, name) for name in LEAVES), _Fixed(model)

    def unflatten(fixed: _Fixed, leaves: Any) -> Any:
        model = object.__new__(kind)  # leaves may be anything: without the checks of __post_init__
        model.__dict__.update(fixed.values | dict(zip(LEAVES, leaves, strict=True)))
        return model

    jax.tree_util.register_pytree_node(kind, flatten, unflatten)
