"""ONNX models from traced functions: JAX's primitives one by one, with what is known computed at once."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core

from aae_jax.errors import InputError, missing_extra
from aae_jax.export.onnx_graph import Graph, Value, constant
from aae_jax.export.onnx_rules import ELEMENTWISE, PASSED_ON, RULES, split
from aae_jax.export.parts import Part, traced_part

__all__ = ["OPSET", "require_onnx", "to_onnx"]

OPSET, IR_VERSION = 18, 9
"""Of 2023: onnxruntime 1.15 and later read them."""
CALLS = frozenset(
    {
        *("pjit", "jit", "closed_call", "core_call", "core_closed_call", "custom_jvp_call", "custom_vjp_call"),
        *("custom_vjp_call_jaxpr", "remat", "remat2", "checkpoint"),
    }
)
"""Primitives that are calls of a program, which takes their place."""
LOGICAL = frozenset({"and", "or", "not"})
"""Primitives that ONNX has for booleans alone under these rules."""


def require_onnx() -> None:
    """Refuse to start where onnx is missing.

    Raises:
        InputError: onnx is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise missing_extra("onnx", "onnx")


def to_onnx(part: Part) -> bytes:
    """Return a part as an ONNX model in float32, for batches of any length.

    Raises:
        InputError: A module of a user's own does something that has no translation.
    """
    import onnx

    with traced_part(part) as (function, rows):
        closed = function.trace(*rows).jaxpr
    names = list(part.inputs)
    graph = Graph(onnx, names[0])
    inputs = [Value(row.shape, np.dtype(row.dtype), row.shape, name) for name, row in zip(names, rows, strict=True)]
    (result,) = _translate(graph, closed.jaxpr, closed.consts, inputs)
    edge = graph.edge(graph.whole(result))
    # The output needs a name of its own, also where it is an input or a constant.
    graph.nodes.append(onnx.helper.make_node("Identity", [edge], [part.output + "_out" * (part.output in names)]))
    described = {name: (row.shape, np.dtype(row.dtype)) for name, row in zip(names, rows, strict=True)}
    made = graph.model(described, (graph.nodes[-1].output[0], result.shape), OPSET, IR_VERSION)
    return bytes(made.SerializeToString())


def _translate(graph: Graph, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Value]) -> list[Value]:
    """Add the operators of a program, and return its results."""
    values: dict[Any, Value] = dict(zip(jaxpr.invars, inputs, strict=True))
    values.update(zip(jaxpr.constvars, map(constant, consts), strict=True))

    def read(atom: Any) -> Value:
        if not isinstance(atom, core.Literal):
            return values[atom]
        kind: Any = atom.aval
        return constant(np.asarray(atom.val, kind.dtype))

    for equation in jaxpr.eqns:
        made = _translate_equation(graph, equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, made, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _translate_equation(graph: Graph, equation: Any, inputs: list[Value]) -> list[Value]:
    name, params = equation.primitive.name, equation.params
    if name in CALLS:
        inner = next(params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in params)
        if isinstance(inner, core.ClosedJaxpr):
            return _translate(graph, inner.jaxpr, inner.consts, inputs)
        return _translate(graph, inner, (), inputs)
    if name in PASSED_ON:
        return inputs
    if name == "split":
        array = graph.whole(inputs[0])
        if isinstance(array.content, np.ndarray):
            return [constant(part) for part in equation.primitive.bind(jax.numpy.asarray(array.content), **params)]
        parts = split(graph, array, params)
        seen = [each.aval for each in equation.outvars]
        return [Value(v.shape, np.dtype(v.dtype), v.shape, edge) for v, edge in zip(seen, parts, strict=True)]
    result = equation.outvars[0].aval
    shape, kind = result.shape, np.dtype(result.dtype)
    if kind == jax.numpy.bfloat16 or (name in LOGICAL and kind != np.bool_) or name == "dim_as_value":
        raise _untranslated(name, f" with a result of type {kind}")
    if name == "broadcast_in_dim":
        return [_broadcast(graph, inputs[0], shape, params["broadcast_dimensions"])]
    if name in ELEMENTWISE:
        held = _joined([each.held for each in inputs])
        if all(each.known for each in inputs):
            arrays = np.broadcast_arrays(*(each.content for each in inputs))
            found = equation.primitive.bind(*map(jax.numpy.asarray, arrays), **params)
            return [Value(shape, kind, held, np.asarray(found))]
        looks = Value(shape, kind, held, "")
        return [looks._replace(content=ELEMENTWISE[name](graph, inputs, params, looks))]
    whole = [graph.whole(each) for each in inputs]
    if all(each.known for each in whole) and all(isinstance(side, int) for side in shape):
        found = equation.primitive.bind(*(jax.numpy.asarray(each.content) for each in whole), **params)
        return [constant(found)]
    if name not in RULES:
        raise _untranslated(name)
    looks = Value(shape, kind, shape, "")
    return [looks._replace(content=RULES[name](graph, whole, params, looks))]


def _untranslated(name: str, what: str = "") -> InputError:
    return InputError(
        f"JAX's operation {name}{what}, which a module of the model uses, has no translation to ONNX; export "
        "StableHLO."
    )


def _joined(shapes: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    """Return the shape to which the last axes of shapes are broadcast together."""
    rank = max(map(len, shapes))
    aligned = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(next((side for side in sides if side != 1), 1) for sides in zip(*aligned, strict=True))


def _broadcast(graph: Graph, value: Value, shape: tuple[Any, ...], axes: Sequence[int]) -> Value:
    """Put a value's axes among others, along which it is repeated only where an operator needs that."""
    held: list[Any] = [1] * len(shape)
    for place, side in zip(axes, value.held, strict=True):
        held[place] = side
    if isinstance(value.content, np.ndarray):
        return Value(shape, value.kind, tuple(held), value.content.reshape(held))
    made = value.content if len(held) == len(value.held) else graph.reshape(value.content, held)
    return Value(shape, value.kind, tuple(held), made)
