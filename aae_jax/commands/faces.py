"""`experiments/faces.py`: faces by the unsupervised model with a Gaussian code of 400 dimensions, as hrenski's."""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from aae_jax.errors import InputError
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.models.shared.drawings import draw_codes
from aae_jax.models.unsupervised.experiment import SPEC
from aae_jax.run.arguments import run_guarded
from aae_jax.run.run import launch
from aae_jax.saved.model import Model
from aae_jax.types import PRNGKey

__all__ = ["FACES", "main"]

FLAG = "--images-per-person"


def _draw(
    rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey, summary: Mapping[str, Any] | None
) -> Drawings:
    """Return the figures of every unsupervised model, and those of seen people and of paths between neighbours."""
    from aae_jax.figures.of_models.faces import draw_faces  # importing matplotlib takes 1 s

    return {**draw_codes(rows, model, shown, key, summary), **draw_faces(model, shown)}


FACES = dataclasses.replace(
    SPEC,
    description=(
        "Faces by an adversarial autoencoder with a Gaussian code of 400 dimensions: reconstructions of people seen "
        "and unseen, random samples, and animated paths between neighbours. --images-per-person one (default) or all "
        "chooses the images of Labeled Faces in the Wild; the default preset is faces."
    ),
    draw=_draw,
)
"""The unsupervised model with figures of faces; its runs are runs of the unsupervised model."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status (see `run.launch`)."""
    arguments: list[str] = []

    def read() -> int:
        arguments.extend(_with_defaults(sys.argv[1:] if argv is None else argv))
        return 0

    return run_guarded(read) or launch(FACES, arguments)


def _with_defaults(argv: Sequence[str]) -> list[str]:
    """Return the arguments with the preset `faces` unless another is given, and the data for --images-per-person.

    Raises:
        InputError: `--images-per-person` is neither one nor all.
    """
    rest: list[str] = []
    wanted = None
    words = iter(argv)
    for word in words:
        name, equals, value = word.replace("_", "-").partition("=")
        if name == FLAG:
            wanted = value if equals else next(words, "")
            if wanted not in ("one", "all"):
                raise InputError(f"{FLAG} is {wanted!r}; give one or all.")
        else:
            rest.append(word)
    named = {word.partition("=")[0] for word in rest}
    if wanted is not None and "--dataset" in named:
        raise InputError(
            f"{FLAG} chooses among the images of lfw, but --dataset is given too; leave one of them out."
        )
    front = [] if named & {"--preset", "--resume", "--config-path"} else ["--preset", "faces"]
    data = [] if wanted is None else ["--dataset", "lfw/first" if wanted == "one" else "lfw"]
    return [*front, *data, *rest]
