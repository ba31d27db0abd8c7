"""The least time of a five-part step: its matrix products at their measured rates, and its optimizers' bytes."""

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Product", "Sizes", "products_by_phase"]

BYTES_PER_PARAMETER = 7 * 4
"""Adam reads weight, gradient and two moments and writes three of them back, in float32."""


class Product(NamedTuple):
    """`[rows, inner] @ [inner, columns]`."""

    rows: int
    inner: int
    columns: int

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        return 2 * self.rows * self.inner * self.columns


class Sizes(NamedTuple):
    """What decides the products of a step."""

    batch: int
    width: int = 1000
    latent_dim: int = 10
    classes: int = 10
    pixels: int = 784


Layer = tuple[int, int]


def _forward(layers: list[Layer], rows: int) -> Iterator[Product]:
    return (Product(rows, inner, columns) for inner, columns in layers)


def _weights(layers: list[Layer], rows: int) -> Iterator[Product]:
    return (Product(inner, rows, columns) for inner, columns in layers)


def _inputs(layers: list[Layer], rows: int) -> Iterator[Product]:
    return (Product(rows, columns, inner) for inner, columns in layers)


def products_by_phase(sizes: Sizes) -> dict[str, list[Product]]:
    """Return the products that the update's mathematics needs, each once.

    Both discriminators and the generator read the same codes, so these are computed once ("codes"). The first
    layer of an encoder needs no gradient of its input, a network that a phase does not train none of its weights.
    """
    rows, width = sizes.batch, sizes.width
    hidden = [(sizes.pixels, width), (width, width)]
    style, label = (width, sizes.latent_dim), (width, sizes.classes)
    encoder, classifier = [*hidden, style, label], [*hidden, label]
    decoder = [(sizes.latent_dim + sizes.classes, width), (width, width), (width, sizes.pixels)]

    def discriminator(dim: int) -> list[Layer]:
        return [(dim, width), (width, width), (width, 1)]

    def trained(layers: list[Layer], count: int) -> list[Product]:
        return [*_forward(layers, count), *_weights(layers, count), *_inputs(layers[1:], count)]

    adversaries = [discriminator(sizes.latent_dim), discriminator(sizes.classes)]
    return {
        "reconstruction": [*trained(encoder, rows), *trained(decoder, rows), *_inputs(decoder[:1], rows)],
        "codes": [*_forward(encoder, rows)],
        "discriminator_z": trained(adversaries[0], 2 * rows),
        "discriminator_y": trained(adversaries[1], 2 * rows),
        "generator": [
            *(product for d in adversaries for product in (*_forward(d, rows), *_inputs(d, rows))),
            *_weights(encoder, rows),
            *_inputs(encoder[1:], rows),
        ],
        "classification": trained(classifier, rows),
    }
