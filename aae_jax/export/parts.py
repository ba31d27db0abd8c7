"""The functions of a model that are exported: encoder, classifier and decoder."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from aae_jax.errors import InputError
from aae_jax.networks import device_convolutions
from aae_jax.saved.model import Model
from aae_jax.types import Array

__all__ = ["Part", "Row", "model_parts", "traced_part"]


class Row(NamedTuple):
    """Shape and type of one row of an input."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Part(NamedTuple):
    """A function of a batch of rows: inputs and outputs have one row for each image or code.

    Attributes:
        name: "encoder", "classifier" or "decoder".
        function: `(*inputs) -> output`, with the weights in it.
        inputs: The shape of a row and the type of each input, by its name.
        output: Name of the output.
        row: Shape of a row of the output, which is float32.
    """

    name: str
    function: Callable[..., Array]
    inputs: dict[str, Row]
    output: str
    row: tuple[int, ...]


def model_parts(model: Model, *, calibrated: bool = False) -> list[Part]:
    """Return the functions of a model that can be exported, in float32 whatever the model was trained in.

    The encoder maps images, as the data hold them, to codes (`Model.transform`); the classifier, of a model with
    classes, to probabilities (`predict_proba`); the decoder maps styles, and labels `[n, classes]` where it takes
    them, to images (`decode`). Rows of numbers are float32 here; images of bytes are uint8.

    Args:
        model: A trained model.
        calibrated: Whether the classifier's probabilities are calibrated.

    Raises:
        InputError: `calibrated`, but the model has no classes or no temperature.
    """
    if calibrated and model.temperature is None:
        raise InputError("The model has no temperature, so its probabilities cannot be calibrated; leave it out.")
    model = dataclasses.replace(
        model,
        network=dataclasses.replace(model.network, precision="float32"),
        params=_in_float32(model.params),
        stats=_in_float32(model.stats),
    )
    images = Row(model.image_shape, np.dtype(np.uint8 if model.pixels == "bytes" else np.float32))
    latent, labels = model.network.latent_dim, model.decoded_label or 0

    def encode(images: Any) -> Array:
        encoded = model.encode(images)
        return model.represent(encoded.mean, model.label_codes(encoded)) if model.heads else encoded.mean

    parts = [Part("encoder", encode, {"images": images}, "codes", (latent,))]
    if model.num_classes:

        def classify(images: Any) -> Array:
            return model.predict_proba(images, calibrated=calibrated)

        parts.append(Part("classifier", classify, {"images": images}, "probabilities", (model.num_classes,)))

    def decode(*codes: Any) -> Array:
        return jnp.asarray(model.decode(*codes))

    codes = {"styles": Row((latent,), np.dtype(np.float32))}
    if labels:
        codes["labels"] = Row((labels,), np.dtype(np.float32))
    return [*parts, Part("decoder", decode, codes, "images", model.image_shape)]


def _in_float32(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), tree)


@contextlib.contextmanager
def traced_part(part: Part) -> Iterator[tuple[Any, list[Any]]]:
    """Yield the jitted function of a part and its arguments, with a batch of any length, for tracing within.

    Convolutions are those of XLA, as on any device, instead of the matrix products of a CPU.
    """
    (batch,) = export.symbolic_shape("batch")
    shape_of: Any = jax.ShapeDtypeStruct
    rows = [shape_of((batch, *row.shape), row.dtype) for row in part.inputs.values()]

    def call(*inputs: Array) -> Array:
        return part.function(*inputs).astype(jnp.float32)

    with device_convolutions():
        yield jax.jit(call), rows
