"""A graph of ONNX operators under construction, and the values in it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from aae_jax.errors import InputError

__all__ = ["Graph", "Value", "constant"]


class Value(NamedTuple):
    """An array of the program: known now, or an edge of the graph.

    Attributes:
        shape: Its shape in the program; a batch of any length is a symbolic dimension.
        kind: Its type.
        held: The shape that is held: 1 where broadcasting has not been carried out.
        content: The array, of shape `held`, or the name of the edge.
    """

    shape: tuple[Any, ...]
    kind: np.dtype[Any]
    held: tuple[Any, ...]
    content: np.ndarray | str

    @property
    def known(self) -> bool:
        """Whether the numbers are known now."""
        return isinstance(self.content, np.ndarray)


def constant(array: Any) -> Value:
    """Return a value whose numbers are known."""
    numbers = np.asarray(array)
    return Value(numbers.shape, numbers.dtype, numbers.shape, numbers)


class Graph:
    """Nodes and constants; `onnx` is imported by the caller, since it is an extra."""

    def __init__(self, onnx: Any, batch_input: str) -> None:
        """Start a graph whose first input `batch_input` has the batch as its first dimension."""
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._names: dict[tuple[Any, ...], str] = {}
        self._batch_input = batch_input
        self._batch: str | None = None

    def tensor_type(self, kind: np.dtype[Any]) -> int:
        """Return the number of a type in ONNX."""
        return int(self.onnx.helper.np_dtype_to_tensor_dtype(kind))

    def edge(self, value: Value) -> str:
        """Return the name of a value's edge, as it is held."""
        return self.store(value.content) if isinstance(value.content, np.ndarray) else value.content

    def store(self, array: np.ndarray) -> str:
        """Return the name of a constant; equal ones are stored once."""
        key = array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest()
        if key not in self._names:
            self._names[key] = f"c{len(self.constants)}"
            self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), self._names[key]))
        return self._names[key]

    def add(self, operator: str, *edges: str, **attributes: Any) -> str:
        """Add an operator with one output, and return the name of that edge."""
        made = f"v{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operator, list(edges), [made], **attributes))
        return made

    def whole(self, value: Value) -> Value:
        """Return a value that is held in its full shape."""
        if value.held == value.shape:
            return value
        if isinstance(value.content, np.ndarray) and all(isinstance(side, int) for side in value.shape):
            return constant(np.broadcast_to(value.content, value.shape))
        made = self.add("Expand", self.edge(value), self.shape_edge(value.shape))
        return Value(value.shape, value.kind, value.shape, made)

    def shape_edge(self, shape: Sequence[Any]) -> str:
        """Return the edge of a shape, whose symbolic dimensions must be the batch."""
        if all(isinstance(side, int) for side in shape):
            return self.store(np.asarray(shape, np.int64))
        if self._batch is None:
            sizes = self.add("Shape", self._batch_input, start=0, end=1)
            self._batch = sizes
        parts = []
        for side in shape:
            if not isinstance(side, int) and str(side) != "batch":
                raise InputError(
                    f"An array of {side} rows has no translation to ONNX, where each row is of one image; export "
                    "StableHLO."
                )
            parts.append(self.store(np.asarray([side], np.int64)) if isinstance(side, int) else self._batch)
        return self.add("Concat", *parts, axis=0)

    def reshape(self, edge: str, shape: Sequence[Any]) -> str:
        """Reshape an edge; one symbolic dimension at most is inferred."""
        sizes: list[int] = [side if isinstance(side, int) else -1 for side in shape]
        if sizes.count(-1) <= 1 and 0 not in sizes:
            return self.add("Reshape", edge, self.store(np.asarray(sizes, np.int64)))
        return self.add("Reshape", edge, self.shape_edge(shape))

    def model(
        self, inputs: Mapping[str, tuple[Any, np.dtype[Any]]], output: tuple[str, Any], opset: int, ir: int
    ) -> Any:
        """Return the checked model: inputs by their names, and the name and shape of its float32 output."""
        make = self.onnx.helper.make_tensor_value_info

        def described(name: str, shape: Any, kind: Any) -> Any:
            return make(name, self.tensor_type(np.dtype(kind)), [s if isinstance(s, int) else str(s) for s in shape])

        graph = self.onnx.helper.make_graph(
            self.nodes,
            "aae_jax",
            [described(name, shape, kind) for name, (shape, kind) in inputs.items()],
            [described(output[0], output[1], np.float32)],
            self.constants,
        )
        model = self.onnx.helper.make_model(
            graph,
            opset_imports=[self.onnx.helper.make_opsetid("", opset)],
            ir_version=ir,
            producer_name="aae_jax",
        )
        self.onnx.checker.check_model(model, full_check=True)
        return model
