"""The part of PyTorch that benchmarks/torch_worker.py uses, in NumPy: tensors, reverse-mode gradients, optimizers.

It computes the same numbers, slowly, and knows no other device than the CPU.
"""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np

__version__ = "stand-in"
uint8, bfloat16, channels_last = np.uint8, "bfloat16", "channels_last"
backends = SimpleNamespace(cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False)))
cuda = SimpleNamespace(is_available=lambda: False)
compiler = SimpleNamespace(cudagraph_mark_step_begin=lambda: None)
_draw = np.random.default_rng(0)


class device:  # noqa: N801 - its name in PyTorch
    def __init__(self, kind):
        if kind != "cpu":
            raise RuntimeError(f"the stand-in has no device {kind}")
        self.type = kind


class Tensor:
    """An array, and how the gradient of what was computed from it reaches its parents."""

    def __init__(self, data, parents=()):
        self.data = np.asarray(data)
        self.parents = [(parent, pull) for parent, pull in parents if parent.needs_grad]
        self.requires_grad, self.grad = False, None

    @property
    def needs_grad(self):
        return self.requires_grad or bool(self.parents)

    def __len__(self):
        return len(self.data)

    def __float__(self):
        return float(self.data)

    def __getitem__(self, where):
        where = where.data if isinstance(where, Tensor) else where

        def pull(gradient):
            full = np.zeros_like(self.data)
            np.add.at(full, where, gradient)
            return full

        return Tensor(self.data[where], [(self, pull)])

    def __add__(self, other):
        other = _tensor(other)
        return _elementwise(self, other, self.data + other.data, lambda g: g, lambda g: g)

    def __sub__(self, other):
        other = _tensor(other)
        return _elementwise(self, other, self.data - other.data, lambda g: g, lambda g: -g)

    def __mul__(self, other):
        other = _tensor(other)
        return _elementwise(self, other, self.data * other.data, lambda g: g * other.data, lambda g: g * self.data)

    def __truediv__(self, number):
        return self * (1 / number)

    def __pow__(self, power):
        return Tensor(self.data**power)

    def __matmul__(self, other):
        left, right = self.data, other.data
        return Tensor(left @ right, [(self, lambda g: g @ right.T), (other, lambda g: left.T @ g)])

    def __neg__(self):
        return self * -1.0

    __radd__, __rmul__ = __add__, __mul__

    def square(self):
        return self * self

    def sum(self):
        return Tensor(self.data.sum(), [(self, lambda g: np.full_like(self.data, g))])

    def mean(self):
        return self.sum() / self.data.size

    def softmax(self, axis):
        shifted = np.exp(self.data - self.data.max(axis=axis, keepdims=True))
        result = shifted / shifted.sum(axis=axis, keepdims=True)
        return Tensor(result, [(self, lambda g: result * (g - (g * result).sum(axis=axis, keepdims=True)))])

    def view(self, *shape):
        return Tensor(self.data.reshape(shape), [(self, lambda g: g.reshape(self.data.shape))])

    def flatten(self, first):
        return self.view(*self.data.shape[:first], -1)

    def permute(self, *axes):
        back = np.argsort(axes)
        return Tensor(self.data.transpose(axes), [(self, lambda g: g.transpose(back))])

    def dim(self):
        return self.data.ndim

    def float(self):
        return Tensor(self.data.astype(np.float32), [(self, lambda g: g)])

    def double(self):
        return Tensor(self.data.astype(np.float64))

    def detach(self):
        return Tensor(self.data)

    def clone(self):
        return Tensor(self.data.copy())

    def to(self, _device):
        return self

    def contiguous(self, memory_format=None):
        return self

    def cpu(self):
        return self

    def requires_grad_(self, value):
        self.requires_grad = value
        return self


def _tensor(value):
    return value if isinstance(value, Tensor) else Tensor(np.float32(value))


def _elementwise(left, right, result, pull_left, pull_right):
    def to_shape(gradient, shape):
        gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
        return gradient.sum(axis=tuple(i for i, size in enumerate(shape) if size == 1), keepdims=True).reshape(shape)

    return Tensor(
        result,
        [
            (left, lambda g: to_shape(pull_left(g), left.data.shape)),
            (right, lambda g: to_shape(pull_right(g), right.data.shape)),
        ],
    )


def sigmoid(x):
    result = 0.5 * (1 + np.tanh(0.5 * x.data))
    return Tensor(result, [(x, lambda g: g * result * (1 - result))])


def cat(tensors, dim=0):
    ends = np.cumsum([tensor.data.shape[dim] for tensor in tensors])[:-1]
    parents = [(tensor, lambda g, i=i: np.split(g, ends, axis=dim)[i]) for i, tensor in enumerate(tensors)]
    return Tensor(np.concatenate([tensor.data for tensor in tensors], axis=dim), parents)


def _order(root):
    """Return the tensors that a result was computed from, each after all that were computed from it."""
    seen, ordered, waiting = set(), [], [(root, False)]
    while waiting:
        tensor, done = waiting.pop()
        if done:
            ordered.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            waiting += [(tensor, True), *((parent, False) for parent, _ in tensor.parents)]
    return ordered[::-1]


def _grad(loss, weights, allow_unused=False):
    gradients = {id(loss): np.ones_like(loss.data)}
    for tensor in _order(loss):
        for parent, pull in tensor.parents:
            gradients[id(parent)] = gradients.get(id(parent), 0) + pull(gradients[id(tensor)])
    found = [gradients.get(id(weight)) for weight in weights]
    if not allow_unused and any(gradient is None for gradient in found):
        raise RuntimeError("a weight was not used")
    return tuple(None if gradient is None else Tensor(gradient) for gradient in found)


autograd = SimpleNamespace(grad=_grad)


class _SGD:
    def __init__(self, weights, lr):
        self.weights, self.lr = weights, lr

    def step(self):
        for weight in self.weights:
            weight.data = weight.data - np.float32(self.lr) * weight.grad.data


class _Adam:
    def __init__(self, weights, lr, betas, fused, capturable, eps=1e-8):
        assert fused or not capturable
        self.weights, self.lr, self.betas, self.eps, self.count = weights, lr, betas, eps, 0
        self.moments = [(np.zeros_like(w.data), np.zeros_like(w.data)) for w in weights]

    def step(self):
        self.count += 1
        (first, second), corrections = self.betas, [1 - beta**self.count for beta in self.betas]
        for i, weight in enumerate(self.weights):
            gradient, (mean, square) = weight.grad.data, self.moments[i]
            mean, square = first * mean + (1 - first) * gradient, second * square + (1 - second) * gradient**2
            self.moments[i] = mean, square
            moved = self.lr * (mean / corrections[0]) / (np.sqrt(square / corrections[1]) + self.eps)
            weight.data = (weight.data - moved).astype(np.float32)


optim = SimpleNamespace(SGD=_SGD, Adam=_Adam)


def autocast(_device, dtype, enabled):
    assert dtype == bfloat16
    return nullcontext()


def compile(function, mode, dynamic):
    assert (mode, dynamic) == ("default", False), "other modes need a GPU"
    return function


def set_num_threads(count):
    assert count >= 1


def set_flush_denormal(_value):
    return False


def manual_seed(seed):
    global _draw
    _draw = np.random.default_rng(seed)


def from_numpy(array):
    return Tensor(array)


def zeros(*shape):
    return Tensor(np.zeros(shape, np.float32))


def zeros_like(x):
    return Tensor(np.zeros_like(x.data))


def randn(*shape, device=None):
    return Tensor(_draw.standard_normal(shape, dtype=np.float32))


def randn_like(x):
    return randn(*x.data.shape)


def randint(low, high, shape, dtype=np.int64, device=None):
    return Tensor(_draw.integers(low, high, shape, dtype=dtype))


def randperm(count, device=None):
    return Tensor(_draw.permutation(count))
