"""Arithmetic of convolutions: as products of matrices on a CPU, by the device's own convolution elsewhere (ADR 0023).

On a CPU images are `[maps, height, width, batch]` between the layers. Shifting, striding and interleaving pixels then
copies whole rows of a batch, whatever the number of maps, and no operand of a product has to be transposed. Elsewhere
they are `[batch, height, width, maps]`.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from aae_jax.networks.precision import product_options, transposed
from aae_jax.types import Array

__all__ = [
    "add_bias",
    "convolve",
    "crop",
    "depth_to_space",
    "device_convolutions",
    "features_of",
    "images_of",
    "maps_axis",
    "maps_of",
]

_BY_DEVICE = contextvars.ContextVar("by_device", default=False)


@contextlib.contextmanager
def device_convolutions() -> Iterator[None]:
    """Trace convolutions as the device's own, on a CPU too: for programs that run elsewhere."""
    token = _BY_DEVICE.set(True)
    try:
        yield
    finally:
        _BY_DEVICE.reset(token)


def maps_axis() -> int:
    """Return the axis of the feature maps between the layers: the first on a CPU, the last elsewhere."""
    return 0 if jax.default_backend() == "cpu" and not _BY_DEVICE.get() else 3


def maps_of(images: Array) -> Array:
    """Arrange `[batch, height, width, maps]` as between the layers."""
    if maps_axis() == 3:
        return images
    # In a loop over rows, because XLA would otherwise fuse what computes the images, such as their noise, into the
    # transposition, which computes each number by itself.
    rows: Array = lax.map(lambda row: row.transpose(2, 1, 0), images.swapaxes(0, 1))
    return rows.swapaxes(0, 1)


def images_of(x: Array) -> Array:
    """Arrange what is between the layers as `[batch, height, width, maps]`."""
    return x.transpose(3, 1, 2, 0) if maps_axis() == 0 else x


def features_of(x: Array) -> Array:
    """Flatten what is between the layers to `[batch, height · width · maps]`."""
    images = images_of(x)
    return images.reshape(images.shape[0], -1)


def add_bias(x: Array, bias: Array) -> Array:
    """Add a number to each map of what is between the layers."""
    return _add_bias(x, bias) if maps_axis() == 0 else x + bias[None, None, None]


@jax.custom_vjp
def _add_bias(x: Array, bias: Array) -> Array:
    """Add a number to each map; its derivative is a product with ones, seven times as fast as XLA's sum on a CPU."""
    return x + bias[:, None, None, None]


def _bias_gradient(gradient: Array) -> Array:
    flat = gradient.reshape(gradient.shape[0], -1)
    return lax.dot_general(flat, jnp.ones(flat.shape[1:], flat.dtype), (((1,), (0,)), ((), ())))


_add_bias.defvjp(lambda x, bias: (_add_bias(x, bias), None), lambda _, gradient: (gradient, _bias_gradient(gradient)))


def crop(x: Array, sides: Sequence[int]) -> Array:
    """Cut off rows and columns beyond `sides` of what is between the layers."""
    return x[:, : sides[0], : sides[1]]


def convolve(x: Array, kernel: Array, stride: int, precision: str) -> Array:
    """Convolve with zero padding; sides become ceil(side / stride).

    Args:
        x: Images, arranged as between the layers.
        kernel: `[size, size, maps, features]`.
        stride: Step of the kernel.
        precision: Precision of the operands of products.
    """
    if maps_axis() == 0:
        return by_products(x, kernel, stride, precision)
    return by_device(x, kernel, stride, precision)


def by_device(x: Array, kernel: Array, stride: int, precision: str) -> Array:
    """Convolve `[batch, h, w, maps]` by the device's own convolution; in bfloat16 its results are rounded too."""
    options = product_options(precision)
    if precision == "bfloat16":  # operands and result alike: the gradient of mixed types is not defined
        x, kernel, options = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16), {}
    layout = ("NHWC", "HWIO", "NHWC")
    made: Array = lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=layout, **options)
    return made.astype(jnp.float32)


class Window(NamedTuple):
    """Pixels that each entry of a kernel sees.

    Attributes:
        sides: Height and width of the image.
        size: Side of the kernel.
        stride: Step of the kernel.
        before: Rows of zeros above the image, and columns to its left.
    """

    sides: tuple[int, int]
    size: int
    stride: int
    before: tuple[int, int]

    @property
    def steps(self) -> tuple[int, int]:
        """Positions of the kernel down and across."""
        return -(-self.sides[0] // self.stride), -(-self.sides[1] // self.stride)


def by_products(x: Array, kernel: Array, stride: int, precision: str) -> Array:
    """Convolve `[maps, h, w, batch]` by a product of matrices, to `[features, …, batch]`.

    Whichever has fewer maps is unfolded, the input or the output: a convolution is the product of the kernel and the
    unfolded input, and if the stride is 1 also the sum of the shifted products of the flipped kernel and the input.
    """
    size, (_, height, width, _) = kernel.shape[0], x.shape
    pads = lax.padtype_to_pads(x.shape[1:3], (size, size), (stride, stride), "SAME")
    (top, bottom), (left, right) = pads
    if stride == 1 and kernel.shape[3] < kernel.shape[2]:
        flipped = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
        return _spread(x, flipped, Window((height, width), size, 1, (bottom, right)), precision)
    return _gather(x, kernel, Window((height, width), size, stride, (top, left)), precision)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _gather(x: Array, kernel: Array, window: Window, precision: str) -> Array:
    """Return, at each position, the sum of the pixels that the kernel sees, weighted by it."""
    return _gather_forward(x, kernel, window, precision)[0]


def _gather_forward(x: Array, kernel: Array, window: Window, precision: str) -> tuple[Array, tuple[Array, Array]]:
    weights = _operand(_matrix(kernel), precision)
    seen = _seen(x, window, precision)
    made = _contract(transposed(weights), seen, 1, 0, precision)
    return made.reshape(-1, *window.steps, x.shape[3]), (seen, weights)


def _gather_backward(
    window: Window, precision: str, saved: tuple[Array, Array], gradient: Array
) -> tuple[Array, Array]:
    seen, weights = saved
    batch = gradient.shape[3]
    flat = _operand(gradient, precision).reshape(gradient.shape[0], -1)
    of_seen = _contract(weights, flat, 1, 0, precision)
    of_kernel = _contract(seen, flat, 1, 1, precision)
    size = window.size
    return fold(of_seen, window, batch), of_kernel.reshape(size, size, -1, gradient.shape[0])


_gather.defvjp(_gather_forward, _gather_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _spread(x: Array, kernel: Array, window: Window, precision: str) -> Array:
    """Add to the pixels around each position the kernel times the pixel there: the transposed convolution."""
    return _spread_forward(x, kernel, window, precision)[0]


def _spread_forward(x: Array, kernel: Array, window: Window, precision: str) -> tuple[Array, tuple[Array, Array]]:
    flat, weights = _operand(x, precision).reshape(x.shape[0], -1), _operand(_matrix(kernel), precision)
    return fold(_contract(weights, flat, 1, 0, precision), window, x.shape[3]), (flat, weights)


def _spread_backward(
    window: Window, precision: str, saved: tuple[Array, Array], gradient: Array
) -> tuple[Array, Array]:
    flat, weights = saved
    seen = _seen(gradient, window, precision)
    of_x = _contract(transposed(weights), seen, 1, 0, precision).reshape(-1, *window.steps, gradient.shape[3])
    of_kernel = _contract(seen, flat, 1, 1, precision)
    return of_x, of_kernel.reshape(window.size, window.size, -1, flat.shape[0])


_spread.defvjp(_spread_forward, _spread_backward)


def _matrix(kernel: Array) -> Array:
    """Return `[size · size · in, out]`."""
    return kernel.reshape(-1, kernel.shape[3])


def _operand(x: Array, precision: str) -> Array:
    """Return an operand of products in its precision."""
    return lax.bitcast_convert_type(_rounded_bits(x), jnp.bfloat16) if precision == "bfloat16" else x


def _seen(x: Array, window: Window, precision: str) -> Array:
    """Return the unfolded pixels in the precision of products.

    bfloat16 moves as whole numbers, because XLA's CPU compiler would convert every element to float32 and back.
    """
    if precision != "bfloat16":
        return unfold(x, window)
    return lax.bitcast_convert_type(unfold(_rounded_bits(x), window), jnp.bfloat16)


def _rounded_bits(x: Array) -> Array:
    """Return the bits of float32 rounded to bfloat16, four times as fast as XLA's conversion on a CPU."""
    bits = lax.bitcast_convert_type(lax.reduce_precision(x, exponent_bits=8, mantissa_bits=7), jnp.uint32)
    return (bits >> 16).astype(jnp.uint16)


def _contract(left: Array, right: Array, left_axis: int, right_axis: int, precision: str) -> Array:
    """Contract one axis of each matrix, with sums in float32."""
    axes = (((left_axis,), (right_axis,)), ((), ()))
    options = {} if precision == "bfloat16" else product_options(precision)
    made: Array = lax.dot_general(left, right, axes, preferred_element_type=jnp.float32, **options)
    return made


def unfold(x: Array, window: Window) -> Array:
    """Return the pixels that each entry sees: `[maps, h, w, batch] -> [size · size · maps, steps · batch]`."""
    (top, left), (down, across), stride = window.before, window.steps, window.stride
    ends = [(steps - 1) * stride + 1 for steps in (down, across)]
    after = [
        max(0, end + window.size - 1 - before - side)
        for end, before, side in zip(ends, window.before, window.sides, strict=True)
    ]
    x = jnp.pad(x, ((0, 0), (top, after[0]), (left, after[1]), (0, 0)))
    entries = range(window.size)
    x = jnp.stack([lax.slice_in_dim(x, entry, entry + ends[1], stride, axis=2) for entry in entries])
    x = jnp.stack([lax.slice_in_dim(x, entry, entry + ends[0], stride, axis=2) for entry in entries])
    return x.reshape(-1, down * across * x.shape[-1])


def fold(columns: Array, window: Window, batch: int) -> Array:
    """Add each entry's numbers to the pixels that it sees, the transpose of `unfold`: to `[maps, h, w, batch]`."""
    stride = window.stride
    blocks = tuple(-(-side // stride) for side in window.sides)
    columns = columns.reshape(window.size, window.size, -1, *window.steps, batch)
    empty = jnp.zeros((columns.shape[2], *blocks, batch), columns.dtype)
    phases = [[empty] * stride for _ in range(stride)]
    touched: set[tuple[int, int]] = set()
    down, across = (_shifts(window, axis, blocks[axis]) for axis in (0, 1))
    for i, (row, to_row, rows) in enumerate(down):
        for j, (column, to_column, across_columns) in enumerate(across):
            part = columns[i, j][:, rows, across_columns]
            if part.size:
                at = (0, to_row, to_column, 0)
                phase = phases[row][column]
                new = (row, column) not in touched
                phases[row][column] = _placed(part, phase, at) if new else _added(part, phase, at)
                touched.add((row, column))
    return _interleave(phases)[:, : window.sides[0], : window.sides[1]]


def _placed(part: Array, whole: Array, at: Sequence[int]) -> Array:
    """Return a part in place among zeros."""
    ends = ((first, full - first - size, 0) for first, full, size in zip(at, whole.shape, part.shape, strict=True))
    return lax.pad(part, jnp.zeros((), part.dtype), tuple(ends))


def _added(part: Array, whole: Array, at: Sequence[int]) -> Array:
    """Add a part to its place in the whole, which XLA does in place."""
    return lax.dynamic_update_slice(whole, lax.dynamic_slice(whole, at, part.shape) + part, at)


def _shifts(window: Window, axis: int, blocks: int) -> list[tuple[int, int, slice]]:
    """Return each entry's phase, its first pixel of that phase, and the positions that see pixels of the image."""
    shifts = []
    for entry in range(window.size):
        block, phase = divmod(entry - window.before[axis], window.stride)
        seen = slice(max(0, -block), max(0, min(window.steps[axis], blocks - block)))
        shifts.append((phase, max(0, block), seen))
    return shifts


def _interleave(phases: Sequence[Sequence[Array]]) -> Array:
    """Interleave the pixels of n by n images: `[maps, h, w, batch]` each, to `[maps, n · h, n · w, batch]`."""
    if len(phases) == 1:
        return phases[0][0]
    full = jnp.stack([jnp.stack(row, axis=3) for row in phases], axis=2)
    maps, height, rows, width, columns, batch = full.shape
    return full.reshape(maps, height * rows, width * columns, batch)


def depth_to_space(x: Array) -> Array:
    """Move groups of four maps into two by two pixels, arranged as between the layers."""
    if maps_axis() == 0:
        return _depth_to_space(x)
    batch, height, width, maps = x.shape
    blocks = x.reshape(batch, height, width, 2, 2, maps // 4).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(batch, 2 * height, 2 * width, maps // 4)


@jax.custom_vjp
def _depth_to_space(x: Array) -> Array:
    """Return `[4 · maps, h, w, batch]` as `[maps, 2 h, 2 w, batch]`; its derivative copies, where JAX's would add."""
    phases = x.reshape(2, 2, -1, *x.shape[1:])
    return _interleave([[phases[row, column] for column in range(2)] for row in range(2)])


def _space_to_depth(gradient: Array) -> Array:
    phases = [gradient[:, row::2, column::2] for row in range(2) for column in range(2)]
    return jnp.concatenate(phases)


_depth_to_space.defvjp(lambda x: (_depth_to_space(x), None), lambda _, gradient: (_space_to_depth(gradient),))
