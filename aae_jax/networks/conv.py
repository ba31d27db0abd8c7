"""Convolutions of encoder and decoder (flax modules), before and after the dense layers of a perceptron."""

import functools
import itertools
import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from aae_jax.networks.mlp import BATCH_NORM_MOMENTUM, Dropout, dense, kernel_init
from aae_jax.networks.precision import product, product_options
from aae_jax.types import Array

__all__ = ["Convolution", "Convolutions", "Deconvolutions", "count_conv_weights", "halvings", "is_image"]


def halvings(sides: tuple[int, ...], times: int) -> list[tuple[int, int]]:
    """Return the height and width of an image and of its halvings, rounded up: (7, 5), (4, 3), (2, 2) for two."""
    found = [(sides[0], sides[1])]
    for _ in range(times):
        height, width = found[-1]
        found.append((-(-height // 2), -(-width // 2)))
    return found


def count_conv_weights(
    image_shape: tuple[int, ...],
    channels: Sequence[int],
    kernel_size: int,
    hidden: Sequence[int],
    given: int,
    taken: int,
) -> int:
    """Return the number of entries of the kernels of encoder and decoder, without residual blocks.

    Args:
        image_shape: Height, width, and number of colours if there are several.
        channels: Feature maps of each convolution.
        kernel_size: Side of the kernels.
        hidden: Widths of the dense layers.
        given: Numbers per code that the encoder outputs.
        taken: Numbers per code that the decoder takes.
    """
    colours = image_shape[2] if len(image_shape) > 2 else 1
    maps = (colours, *channels)
    convolved = sum(kernel_size**2 * a * b for a, b in itertools.pairwise(maps))
    unfolded = sum(4 * kernel_size**2 * a * b for a, b in itertools.pairwise(maps))
    height, width = halvings(image_shape, len(channels))[-1]
    flat = height * width * channels[-1]
    dense_layers = ((flat, *hidden, given), (taken, *hidden, flat))
    return convolved + unfolded + sum(a * b for sizes in dense_layers for a, b in itertools.pairwise(sizes))


class Convolution(nn.Module):
    """Convolution with zero padding: `[batch, h, w, in] -> [batch, ceil(h / stride), ceil(w / stride), features]`.

    On a CPU it is computed by matrix products: within a loop over updates, XLA's own convolution is up to sixteen
    times slower there, and that of several seeds three times (ADR 0023).

    Attributes:
        features: Number of feature maps.
        kernel_size: Side of the kernel.
        stride: Step of the kernel.
        weight_init: `"he"` or `"paper"`, as in `Trunk`.
        precision: Precision of the operands of products.
        before_relu: Whether a ReLU follows.
    """

    features: int
    kernel_size: int
    stride: int
    weight_init: str
    precision: str
    before_relu: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Apply the convolution."""
        size = self.kernel_size
        shape = (size, size, x.shape[-1], self.features)
        kernel = self.param("kernel", kernel_init(self.weight_init, before_relu=self.before_relu), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        convolve = _by_products if jax.default_backend() == "cpu" else _by_device
        return convolve(x, kernel, self.stride, self.precision) + bias[None, None, None]


def _by_products(x: Array, kernel: Array, stride: int, precision: str) -> Array:
    """Convolve by a matrix product for each row of the kernel, of the pixels that its columns see."""
    size, _, maps, features = kernel.shape
    sides = [-(-side // stride) for side in x.shape[1:3]]
    pads = jax.lax.padtype_to_pads(x.shape[1:3], (size, size), (stride, stride), "SAME")
    padded = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    down, right = ((side - 1) * stride + 1 for side in sides)
    wide = jnp.concatenate([padded[:, :, first : first + right : stride] for first in range(size)], axis=-1)
    seen = (wide[:, first : first + down : stride].reshape(-1, size * maps) for first in range(size))
    rows = kernel.reshape(size, size * maps, features)
    products = [product(pixels, rows[first], precision) for first, pixels in enumerate(seen)]
    return functools.reduce(jnp.add, products).reshape(x.shape[0], *sides, features)


def _by_device(x: Array, kernel: Array, stride: int, precision: str) -> Array:
    """Convolve by the device's own convolution; in bfloat16 its results are rounded too."""
    options = product_options(precision)
    if precision == "bfloat16":  # operands and result alike: the gradient of mixed types is not defined
        x, kernel, options = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16), {}
    layout = ("NHWC", "HWIO", "NHWC")
    made: Array = jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=layout, **options
    )
    return made.astype(jnp.float32)


class Residual(nn.Module):
    """Residual block of two 3×3 convolutions (He et al. 2016): `[batch, h, w, c] -> [batch, h, w, c]`."""

    weight_init: str
    precision: str

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Add the block's output to its input, and apply a ReLU."""
        first = nn.relu(Convolution(x.shape[-1], 3, 1, self.weight_init, self.precision)(x))
        second = Convolution(x.shape[-1], 3, 1, self.weight_init, self.precision, before_relu=False)(first)
        return nn.relu(x + second)


class Convolutions(nn.Module):
    """Convolutions that each halve the sides of an image: `[batch, h, w(, colours)] -> [batch, features]`.

    Attributes:
        channels: Feature maps of each convolution.
        kernel_size: Side of the kernels.
        residual: Whether a residual block follows each convolution.
        batch_norm: Whether to normalise before each ReLU outside residual blocks.
        dropout: Probability of dropping a unit after each of these ReLUs in training.
        weight_init: `"he"` or `"paper"`, as in `Trunk`.
        precision: Precision of the operands of products.
    """

    channels: Sequence[int]
    kernel_size: int
    residual: bool
    batch_norm: bool
    dropout: float
    weight_init: str
    precision: str

    @nn.compact
    def __call__(self, images: Array, *, train: bool) -> Array:
        """Apply the convolutions and flatten their last maps."""
        x = images if images.ndim == 4 else images[..., None]
        for width in self.channels:
            x = Convolution(width, self.kernel_size, 2, self.weight_init, self.precision)(x)
            if self.batch_norm:
                x = nn.BatchNorm(use_running_average=not train, momentum=BATCH_NORM_MOMENTUM)(x)
            x = Dropout(self.dropout)(nn.relu(x), train=train)
            if self.residual:
                x = Residual(self.weight_init, self.precision)(x)
        return x.reshape(x.shape[0], -1)


class Deconvolutions(nn.Module):
    """Sub-pixel convolutions that each double the sides (Shi et al. 2016): `[batch, in] -> [batch, h, w, colours]`.

    A convolution makes four values per output map, which become two by two pixels; what exceeds the image's side, an
    odd number, is cut off. Kernels thus overlap evenly, and leave no chequerboard.

    Attributes:
        channels: Feature maps, in the order of the encoder's.
        image_shape: Height, width, and number of colours if there are several.
        kernel_size: Side of the kernels.
        residual: Whether a residual block precedes each convolution.
        batch_norm: Whether to normalise before each ReLU outside residual blocks.
        dropout: Probability of dropping a unit after each ReLU outside residual blocks in training.
        weight_init: `"he"` or `"paper"`, as in `Trunk`.
        precision: Precision of the operands of products.
    """

    channels: Sequence[int]
    image_shape: tuple[int, ...]
    kernel_size: int
    residual: bool
    batch_norm: bool
    dropout: float
    weight_init: str
    precision: str

    @nn.compact
    def __call__(self, features: Array, *, train: bool) -> Array:
        """Apply a dense layer and the convolutions; the result has no output non-linearity."""
        *larger, (height, width) = halvings(self.image_shape, len(self.channels))
        colours = self.image_shape[2] if len(self.image_shape) > 2 else 1
        flat = dense(height * width * self.channels[-1], self.weight_init, self.precision, before_relu=True)(features)
        x = self._activate(flat.reshape(-1, height, width, self.channels[-1]), train)
        widths = [colours, *self.channels[:-1]]
        for made, sides in zip(reversed(widths), reversed(larger), strict=True):
            if self.residual:
                x = Residual(self.weight_init, self.precision)(x)
            last = sides is larger[0]
            x = Convolution(4 * made, self.kernel_size, 1, self.weight_init, self.precision, before_relu=not last)(x)
            x = _depth_to_space(x)[:, : sides[0], : sides[1]]
            x = x if last else self._activate(x, train)
        return x

    def _activate(self, x: Array, train: bool) -> Array:
        if self.batch_norm:
            x = nn.BatchNorm(use_running_average=not train, momentum=BATCH_NORM_MOMENTUM)(x)
        return Dropout(self.dropout)(nn.relu(x), train=train)


def _depth_to_space(x: Array) -> Array:
    """Move groups of four maps into two by two pixels: `[batch, h, w, 4 c] -> [batch, 2 h, 2 w, c]`."""
    batch, height, width, maps = x.shape
    blocks = x.reshape(batch, height, width, 2, 2, maps // 4).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(batch, 2 * height, 2 * width, maps // 4)


def is_image(image_shape: tuple[int, ...]) -> bool:
    """Return whether images have height and width, and at most one further axis."""
    return len(image_shape) in (2, 3) and math.prod(image_shape) > 0
