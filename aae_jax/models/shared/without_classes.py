"""Attributes of the specifications of clustering models for data without labels to evaluate the clusters."""

from collections.abc import Mapping
from typing import Any

from aae_jax.models.shared.measures import SCORE, show_score
from aae_jax.models.spec import no_lines, no_results

__all__ = ["WITHOUT_CLASSES"]

WITHOUT_CLASSES: Mapping[str, Any] = {
    "score": SCORE,
    "shares": (),
    "show_score": show_score,
    "results": no_results,
    "lines": no_lines,
}
"""See `ModelSpec.without_classes`."""
