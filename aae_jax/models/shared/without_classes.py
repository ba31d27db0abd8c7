"""Attributes of specifications that change for data without labels, or without labels of validation images."""

from collections.abc import Mapping
from typing import Any

from aae_jax.models.shared.measures import SCORE, show_score
from aae_jax.models.spec import no_lines, no_results

__all__ = ["WITHOUT_CLASSES", "without_validation_labels"]

WITHOUT_CLASSES: Mapping[str, Any] = {
    "score": SCORE,
    "shares": (),
    "show_score": show_score,
    "results": no_results,
    "lines": no_lines,
}
"""See `ModelSpec.without_classes`."""


def without_validation_labels(*unmeasured: str) -> Mapping[str, Any]:
    """Return the attributes of `ModelSpec.without_validation_labels`; `unmeasured` are metrics that need labels."""
    return {"score": SCORE, "show_score": show_score, "unmeasured": unmeasured}
