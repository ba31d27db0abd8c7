"""Convolutions of encoder and decoder (flax modules), before and after the dense layers of a perceptron."""

import itertools
import math
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

from aae_jax.networks.convolve import (
    add_bias,
    convolve,
    crop,
    depth_to_space,
    features_of,
    images_of,
    maps_axis,
    maps_of,
)
from aae_jax.networks.mlp import BATCH_NORM_MOMENTUM, Dropout, dense, kernel_init
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
        shape = (size, size, x.shape[maps_axis()], self.features)
        kernel = self.param("kernel", kernel_init(self.weight_init, before_relu=self.before_relu), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        return add_bias(convolve(x, kernel, self.stride, self.precision), bias)


class Residual(nn.Module):
    """Residual block of two 3×3 convolutions (He et al. 2016): `[batch, h, w, c] -> [batch, h, w, c]`."""

    weight_init: str
    precision: str

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Add the block's output to its input, and apply a ReLU."""
        first = nn.relu(Convolution(x.shape[maps_axis()], 3, 1, self.weight_init, self.precision)(x))
        second = Convolution(x.shape[maps_axis()], 3, 1, self.weight_init, self.precision, before_relu=False)(first)
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
        x = maps_of(images if images.ndim == 4 else images[..., None])
        for width in self.channels:
            x = Convolution(width, self.kernel_size, 2, self.weight_init, self.precision)(x)
            if self.batch_norm:
                x = nn.BatchNorm(use_running_average=not train, momentum=BATCH_NORM_MOMENTUM, axis=maps_axis())(x)
            x = Dropout(self.dropout)(nn.relu(x), train=train)
            if self.residual:
                x = Residual(self.weight_init, self.precision)(x)
        return features_of(x)


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
        x = self._activate(maps_of(flat.reshape(-1, height, width, self.channels[-1])), train)
        widths = [colours, *self.channels[:-1]]
        for made, sides in zip(reversed(widths), reversed(larger), strict=True):
            if self.residual:
                x = Residual(self.weight_init, self.precision)(x)
            last = sides is larger[0]
            x = Convolution(4 * made, self.kernel_size, 1, self.weight_init, self.precision, before_relu=not last)(x)
            x = crop(depth_to_space(x), sides)
            x = x if last else self._activate(x, train)
        return images_of(x)

    def _activate(self, x: Array, train: bool) -> Array:
        if self.batch_norm:
            x = nn.BatchNorm(use_running_average=not train, momentum=BATCH_NORM_MOMENTUM, axis=maps_axis())(x)
        return Dropout(self.dropout)(nn.relu(x), train=train)


def is_image(image_shape: tuple[int, ...]) -> bool:
    """Return whether images have height and width, and at most one further axis."""
    return len(image_shape) in (2, 3) and math.prod(image_shape) > 0
