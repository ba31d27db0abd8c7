"""Views of a model for people: samples, accuracy, an HTML page with a grid of styles and classes."""

import base64
import html
import io
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.errors import InputError
from aae_jax.saved.labels import class_indices, one_hot_labels

__all__ = ["accuracy", "html_of", "sample_images"]

MAX_COLUMNS, ROWS, TILE_GAP, MIN_TILE = 10, 4, 2, 28


def sample_images(model: Any, count: int, label: Any, seed: int) -> Any:
    """Return decoded samples of a model's prior: see `Model.sample`."""
    if count < 1:
        raise InputError(f"count is {count}; give at least 1.")
    key_style, key_label = jax.random.split(jax.random.key(seed))
    styles, length = model.draw_styles(key_style, count), model.decoded_label
    if not length:
        if label is not None:
            raise InputError("label is given, but the decoder takes styles alone; leave it out.")
        return model.decode(styles)
    classes: Any = np.asarray(jax.random.randint(key_label, (count,), 0, length))
    if label is not None:
        given = np.asarray(label)
        classes = np.repeat(given[None], count) if given.ndim == 0 else given
    names = model.class_names if label is not None else [str(place) for place in range(length)]
    return model.decode(styles, one_hot_labels(classes, names, length, count))


def accuracy(model: Any, images: Any, labels: Any) -> float:
    """Return a model's share of correct predictions: see `Model.score`."""
    if model.clusters:
        raise InputError("The classes of this model are clusters, which no label names; compare them by predict.")
    predicted = np.asarray(model.predict(images))
    if not len(predicted):
        raise InputError("There are no images to score; give at least one.")
    return float(np.mean(predicted == class_indices(labels, model.class_names, len(predicted), of_data=True)))


def html_of(model: Any) -> str:
    """Return a model's description for notebooks, with decoded styles (rows) of the first classes (columns)."""
    text = f"<code>{html.escape(repr(model))}</code>"
    if model.prior is None or len(model.image_shape) < 2 or model.image_shape[2:] not in ((), (3,)):
        return text
    columns = min(model.decoded_label or MAX_COLUMNS, MAX_COLUMNS)
    styles = model.draw_styles(jax.random.key(0), ROWS if model.decoded_label else ROWS * columns)
    if model.decoded_label:
        classes = jnp.tile(jnp.arange(columns), ROWS)
        labels = jax.nn.one_hot(classes, model.decoded_label)
        styles = jnp.repeat(styles, columns, axis=0)
        images = model.decode(styles, labels)
        shown = ", ".join(model.class_names[:columns])
        caption = f"rows: styles of the prior; columns: {html.escape(shown)}"
    else:
        images, caption = model.decode(styles), "samples of the prior"
    picture = base64.b64encode(_png(_grid(np.asarray(images), columns))).decode()
    return f'{text}<br><img alt="{caption}" src="data:image/png;base64,{picture}"><br><small>{caption}</small>'


def _grid(images: np.ndarray, columns: int) -> np.ndarray:
    """Return images `[count, h, w(, 3)]` in [0, 1] as one picture of bytes, `columns` in a row, 28 wide or more."""
    scale = max(1, -(-MIN_TILE // images.shape[2]))
    tiles = images.repeat(scale, axis=1).repeat(scale, axis=2)
    pad = ((0, 0), (0, TILE_GAP), (0, TILE_GAP), *((0, 0),) * (tiles.ndim - 3))
    tiles = np.pad(np.round(255 * tiles).astype(np.uint8), pad, constant_values=255)
    rows = tiles.reshape(-1, columns, *tiles.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image  # only where a notebook shows a model

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()
