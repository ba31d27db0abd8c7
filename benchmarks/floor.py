"""The least time of a five-part step: its matrix products at their measured rates, and its optimizers' bytes."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["ConvSizes", "Product", "Sizes", "conv_products_by_phase", "products_by_phase"]

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


class ConvSizes(NamedTuple):
    """What decides the products of a convolutional step: `Sizes`, with images, maps and one hidden layer."""

    batch: int
    sides: tuple[int, int]
    colours: int
    channels: tuple[int, ...]
    width: int = 256
    latent_dim: int = 10
    classes: int = 10
    kernel_size: int = 3


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


def conv_products_by_phase(sizes: ConvSizes) -> dict[str, list[Product]]:
    """Return the products of a convolutional step, as `products_by_phase` does.

    A convolution has three: of its kernel and what the kernel sees, and the two of its gradient. All have the number
    of positions as a side; the first convolution of the encoder needs no gradient of its input.
    """
    down, up = _convolutions(sizes)
    flat = sizes.channels[-1] * down[-1].positions // sizes.batch
    dense = Sizes(sizes.batch, sizes.width, sizes.latent_dim, sizes.classes, flat)
    rows, width = sizes.batch, sizes.width
    encoder = [(flat, width), (width, sizes.latent_dim), (width, sizes.classes)]
    decoder = [(sizes.latent_dim + sizes.classes, width), (width, flat)]

    def trained(layers: list[Layer]) -> list[Product]:
        return [*_forward(layers, rows), *_weights(layers, rows), *_inputs(layers, rows)]

    seen = [layer.forward for layer in down]
    gradients = [*(layer.of_kernel for layer in down), *(layer.of_input for layer in down[1:])]
    rebuilt = [product for layer in up for product in (layer.forward, layer.of_kernel, layer.of_input)]
    others = products_by_phase(dense)
    judged = {name: others[name] for name in ("discriminator_z", "discriminator_y")}
    passed = [p for dim in (sizes.latent_dim, sizes.classes) for p in _judged(dim, width, rows)]
    return {
        "reconstruction": [*seen, *gradients, *rebuilt, *trained(encoder), *trained(decoder)],
        "codes": [*seen, *_forward(encoder, rows)],
        **judged,
        "generator": [*passed, *gradients, *_weights(encoder, rows), *_inputs(encoder, rows)],
        "classification": [*seen, *gradients, *trained([encoder[0], encoder[2]])],
    }


def _judged(dim: int, width: int, rows: int) -> list[Product]:
    """Return the products of a discriminator that is not trained: forwards, and gradients of its inputs."""
    layers = [(dim, width), (width, width), (width, 1)]
    return [*_forward(layers, rows), *_inputs(layers, rows)]


class _Convolution(NamedTuple):
    """Positions of a kernel in a batch, numbers that it sees at each, and features."""

    positions: int
    seen: int
    features: int

    @property
    def forward(self) -> Product:
        return Product(self.features, self.seen, self.positions)

    @property
    def of_kernel(self) -> Product:
        return Product(self.seen, self.positions, self.features)

    @property
    def of_input(self) -> Product:
        return Product(self.seen, self.features, self.positions)


def _convolutions(sizes: ConvSizes) -> tuple[list[_Convolution], list[_Convolution]]:
    """Return those of the encoder, which halve the sides, and of the decoder, which make four maps of each."""
    down, up, (height, width), area = [], [], sizes.sides, sizes.kernel_size**2
    for before, after in itertools.pairwise((sizes.colours, *sizes.channels)):
        height, width = -(-height // 2), -(-width // 2)
        positions = sizes.batch * height * width
        down.append(_Convolution(positions, area * before, after))
        up.append(_Convolution(positions, area * after, 4 * before))
    return down, up
