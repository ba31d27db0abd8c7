"""Drawings of models with a style only."""

from collections.abc import Mapping, Sequence
from typing import Any

from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.saved.model import Model
from aae_jax.types import PRNGKey

__all__ = ["draw_codes"]


def draw_codes(
    rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey, summary: Mapping[str, Any] | None
) -> Drawings:
    """Return the drawings of a model with a style only, by file name (see `ModelSpec.draw`)."""
    from aae_jax.figures.of_models.codes import draw_code_figures  # importing matplotlib takes 1 s

    return draw_code_figures(rows, model, shown, key)
