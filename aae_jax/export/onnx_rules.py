"""JAX's primitives in terms of ONNX operators: one rule for each, or one for a group."""

import itertools
import string
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode, RoundingMethod

from aae_jax.errors import InputError
from aae_jax.export.onnx_conv import convolve, pool
from aae_jax.export.onnx_graph import Graph, Value

__all__ = ["ELEMENTWISE", "PASSED_ON", "RULES", "Rule", "split"]

Rule = Callable[[Graph, list[Value], Mapping[str, Any], Value], str]
"""`(graph, inputs, parameters of the primitive, what the result looks like) -> edge of the result`.

Of elementwise rules inputs may be held without their broadcasting, of the others they are whole."""


def _operator(name: str) -> Rule:
    return lambda graph, inputs, params, result: graph.add(name, *map(graph.edge, inputs))


def _chain(*rules: Rule) -> Rule:
    """Return the rule that applies others one after another."""

    def rule(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
        edge = rules[0](graph, inputs, params, result)
        for following in rules[1:]:
            edge = following(graph, [result._replace(content=edge)], params, result)
        return edge

    return rule


def _not_equal(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    return graph.add("Not", graph.add("Equal", *map(graph.edge, inputs)))


def _square(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    return graph.add("Mul", graph.edge(inputs[0]), graph.edge(inputs[0]))


def _integer_power(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    return graph.add("Pow", graph.edge(inputs[0]), graph.store(np.asarray(params["y"], result.kind)))


def _convert(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    edge = graph.edge(inputs[0])
    if inputs[0].kind.kind == "f" and result.kind.kind in "iu" and result.kind.itemsize < 4:  # JAX saturates
        low, high = (graph.store(np.asarray(end, inputs[0].kind)) for end in _ends(result.kind))
        edge = graph.add("Min", graph.add("Max", edge, low), high)
    return graph.add("Cast", edge, to=graph.tensor_type(result.kind))


def _ends(kind: np.dtype[Any]) -> tuple[int, int]:
    return int(np.iinfo(kind).min), int(np.iinfo(kind).max)


def _exponential_less_one(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    """Near 0, exp(x) − 1 = 2 sinh(x / 2) exp(x / 2), which cancels nothing."""
    edge = graph.edge(inputs[0])
    half = graph.add("Mul", edge, _number(graph, 0.5, result))
    product = graph.add("Mul", graph.add("Sinh", half), graph.add("Exp", half))
    near = graph.add("Mul", product, _number(graph, 2, result))
    return _near_zero(graph, edge, near, graph.add("Sub", graph.add("Exp", edge), _number(graph, 1, result)), result)


def _logarithm_of_one_more(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    """Near 0, log(1 + x) = 2 atanh(x / (2 + x)), which loses no digit of x."""
    edge = graph.edge(inputs[0])
    ratio = graph.add("Div", edge, graph.add("Add", edge, _number(graph, 2, result)))
    near = graph.add("Mul", graph.add("Atanh", ratio), _number(graph, 2, result))
    return _near_zero(graph, edge, near, graph.add("Log", graph.add("Add", edge, _number(graph, 1, result))), result)


def _near_zero(graph: Graph, edge: str, near: str, far: str, result: Value) -> str:
    return graph.add("Where", graph.add("Less", graph.add("Abs", edge), _number(graph, 0.5, result)), near, far)


def _number(graph: Graph, number: float, result: Value) -> str:
    return graph.store(np.asarray(number, result.kind))


def _remainder(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    return graph.add("Mod", *map(graph.edge, inputs), fmod=1)


def _round(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    edge = graph.edge(inputs[0])
    if params["rounding_method"] == RoundingMethod.TO_NEAREST_EVEN:
        return graph.add("Round", edge)
    whole = graph.add("Floor", graph.add("Abs", edge))
    rest = graph.add("Sub", graph.add("Abs", edge), whole)
    more = graph.add("Add", whole, _number(graph, 1, result))
    up = graph.add("GreaterOrEqual", rest, _number(graph, 0.5, result))
    return graph.add("Mul", graph.add("Sign", edge), graph.add("Where", up, more, whole))


def _cumulative_sum(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    if result.kind.kind == "u" or (result.kind.kind == "i" and result.kind.itemsize < 4):
        raise InputError(f"A running sum of type {result.kind} has no translation to ONNX; export StableHLO.")
    axis = graph.store(np.asarray(params["axis"], np.int64))
    return graph.add("CumSum", graph.edge(inputs[0]), axis, reverse=int(params["reverse"]))


def split(graph: Graph, value: Value, params: Mapping[str, Any]) -> list[str]:
    """Add the cuts of an array into parts along an axis, and return their edges.

    Raises:
        InputError: The axis is that of the batch.
    """
    if not isinstance(value.shape[params["axis"]], int):
        raise InputError("A cut that depends on the batch has no translation to ONNX; export StableHLO.")
    ends = [0, *np.cumsum(params["sizes"]).tolist()]
    edge, axis = graph.edge(value), graph.store(np.asarray([params["axis"]], np.int64))
    places = [graph.store(np.asarray([end], np.int64)) for end in ends]
    return [graph.add("Slice", edge, first, last, axis) for first, last in itertools.pairwise(places)]


def _select(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    which, *cases = inputs
    if len(cases) != 2 or which.kind != np.bool_:
        raise InputError("A choice among more than two cases has no translation to ONNX; export StableHLO.")
    return graph.add("Where", graph.edge(which), graph.edge(cases[1]), graph.edge(cases[0]))


def _clamp(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    low, middle, high = map(graph.edge, inputs)
    return graph.add("Min", graph.add("Max", middle, low), high)


def _transpose(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    return graph.add("Transpose", graph.edge(inputs[0]), perm=list(params["permutation"]))


def _reshape(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    return graph.reshape(graph.edge(inputs[0]), result.shape)


def _concatenate(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    axis = params["dimension"]
    edges = [graph.edge(each) for each in inputs if each.shape[axis] != 0]
    return edges[0] if len(edges) == 1 else graph.add("Concat", *edges, axis=axis)


def _slice(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    edge, shape = graph.edge(inputs[0]), inputs[0].shape
    steps = params["strides"] or (1,) * len(shape)
    cuts = [
        (axis, first, last, step)
        for axis, (first, last, step) in enumerate(
            zip(params["start_indices"], params["limit_indices"], steps, strict=True)
        )
        if not (first == 0 and step == 1 and last == shape[axis])
    ]
    if not cuts:
        return edge
    if not all(isinstance(number, int) for cut in cuts for number in cut):
        raise InputError("A cut that depends on the batch has no translation to ONNX; export StableHLO.")
    axes, firsts, lasts, strides = (np.asarray(column, np.int64) for column in zip(*cuts, strict=True))
    return graph.add("Slice", edge, *map(graph.store, (firsts, lasts, axes, strides)))


def _reverse(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    axes = np.asarray(params["dimensions"], np.int64)
    ends = np.full(len(axes), np.iinfo(np.int64).min)
    backwards = np.full(len(axes), -1, np.int64)
    return graph.add("Slice", graph.edge(inputs[0]), *map(graph.store, (backwards, ends, axes, backwards)))


def _pad(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    low, high, between = zip(*params["padding_config"], strict=True)
    if any(between) or min(*low, *high) < 0:
        raise InputError("Padding between numbers, or by less than none, has no translation to ONNX; use StableHLO.")
    sides = graph.store(np.asarray([*low, *high], np.int64))
    return graph.add("Pad", graph.edge(inputs[0]), sides, graph.edge(inputs[1]), mode="constant")


def _reduce(operator: str) -> Rule:
    def rule(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
        if not params["axes"]:
            return graph.edge(inputs[0])
        axes = graph.store(np.asarray(params["axes"], np.int64))
        return graph.add(operator, graph.edge(inputs[0]), axes, keepdims=0)

    return rule


def _arg(operator: str) -> Rule:
    def rule(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
        found = graph.add(operator, graph.edge(inputs[0]), axis=params["axes"][0], keepdims=0)
        return graph.add("Cast", found, to=graph.tensor_type(result.kind))

    return rule


def _squeeze(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    return graph.reshape(graph.edge(inputs[0]), result.shape)


def _dot(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    (left_summed, right_summed), (left_batch, right_batch) = params["dimension_numbers"]
    left, right = (
        each if each.kind == result.kind else _cast(graph, each, result.kind) for each in inputs
    )  # e.g. bfloat16 with sums in float32
    ranks = len(left.shape), len(right.shape)
    if not left_batch and right_summed == (0,) and left_summed == (ranks[0] - 1,) and ranks[1] == 2:
        return graph.add("MatMul", graph.edge(left), graph.edge(right))
    letters = iter(string.ascii_letters)
    of_left = [next(letters) for _ in range(ranks[0])]
    of_right = [next(letters) for _ in range(ranks[1])]
    for mine, theirs in zip((*left_batch, *left_summed), (*right_batch, *right_summed), strict=True):
        of_right[theirs] = of_left[mine]
    free = [of_left[axis] for axis in range(ranks[0]) if axis not in (*left_batch, *left_summed)]
    free += [of_right[axis] for axis in range(ranks[1]) if axis not in (*right_batch, *right_summed)]
    made = "".join([*(of_left[axis] for axis in left_batch), *free])
    equation = f"{''.join(of_left)},{''.join(of_right)}->{made}"
    return graph.add("Einsum", graph.edge(left), graph.edge(right), equation=equation)


def _cast(graph: Graph, value: Value, kind: np.dtype[Any]) -> Value:
    edge = graph.add("Cast", graph.edge(value), to=graph.tensor_type(kind))
    return value._replace(kind=kind, content=edge)


def _gather(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    """Add a slice at known places, `x[:, 1:5, 0]`, or the choice of rows along one axis, `x[:, indices]`."""
    operand, indices = inputs
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    axes, rank = numbers.start_index_map, len(indices.shape) - 1
    clips, fills = (params["mode"] == getattr(GatherScatterMode, mode) for mode in ("CLIP", "FILL_OR_DROP"))
    if rank == 0 and isinstance(indices.content, np.ndarray):
        firsts = {axis: int(first) for axis, first in zip(axes, indices.content, strict=True)}
        if clips:
            firsts = {axis: max(0, min(first, operand.shape[axis] - sizes[axis])) for axis, first in firsts.items()}
        if any(not 0 <= first <= operand.shape[axis] - sizes[axis] for axis, first in firsts.items()):
            raise InputError("An index beyond the end of an array has no translation to ONNX; export StableHLO.")
        steps = [firsts.get(axis, 0) for axis in range(len(sizes))]
        limits = [first + size for first, size in zip(steps, sizes, strict=True)]
        cut = _slice(graph, [operand], {"start_indices": steps, "limit_indices": limits, "strides": None}, result)
        return graph.reshape(cut, result.shape) if numbers.collapsed_slice_dims else cut
    if len(axes) == 1 and tuple(numbers.collapsed_slice_dims) == tuple(axes):
        axis = axes[0]
        rest = [place for place in range(len(result.shape)) if not axis <= place < axis + rank]
        others = [place for place in range(len(operand.shape)) if place != axis]
        if list(numbers.offset_dims) == rest and all(sizes[place] == operand.shape[place] for place in others):
            chosen = graph.reshape(graph.edge(indices), indices.shape[:-1])
            low, high = (graph.store(np.asarray(end, indices.kind)) for end in (0, operand.shape[axis] - 1))
            inside = graph.add("Min", graph.add("Max", chosen, low), high) if clips or fills else chosen
            taken = graph.add("Gather", graph.edge(operand), inside, axis=axis)
            if not fills:
                return taken
            sides = [*[1] * axis, *indices.shape[:-1], *[1] * (len(result.shape) - axis - rank)]
            valid = graph.reshape(graph.add("Equal", inside, chosen), sides)
            value = params["fill_value"]
            value = value if value is not None else np.nan if result.kind.kind == "f" else _ends(result.kind)[0]
            return graph.add("Where", valid, taken, graph.store(np.asarray(value, result.kind)))
    raise InputError("Indexing of this kind has no translation to ONNX; export StableHLO.")


def _finite(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    edge = graph.edge(inputs[0])
    return graph.add("Less", graph.add("Abs", edge), graph.store(np.asarray(np.inf, inputs[0].kind)))


ELEMENTWISE: dict[str, Rule] = {
    "abs": _operator("Abs"),
    "add": _operator("Add"),
    "and": _operator("And"),
    "ceil": _operator("Ceil"),
    "clamp": _clamp,
    "convert_element_type": _convert,
    "cos": _operator("Cos"),
    "div": _operator("Div"),
    "eq": _operator("Equal"),
    "erf": _operator("Erf"),
    "exp": _operator("Exp"),
    "expm1": _exponential_less_one,
    "floor": _operator("Floor"),
    "ge": _operator("GreaterOrEqual"),
    "gt": _operator("Greater"),
    "integer_pow": _integer_power,
    "is_finite": _finite,
    "le": _operator("LessOrEqual"),
    "log": _operator("Log"),
    "log1p": _logarithm_of_one_more,
    "logistic": _operator("Sigmoid"),
    "lt": _operator("Less"),
    "max": _operator("Max"),
    "min": _operator("Min"),
    "mul": _operator("Mul"),
    "ne": _not_equal,
    "neg": _operator("Neg"),
    "not": _operator("Not"),
    "or": _operator("Or"),
    "pow": _operator("Pow"),
    "rem": _remainder,
    "round": _round,
    "rsqrt": _chain(_operator("Sqrt"), _operator("Reciprocal")),
    "select_n": _select,
    "sign": _operator("Sign"),
    "sin": _operator("Sin"),
    "sqrt": _operator("Sqrt"),
    "square": _square,
    "sub": _operator("Sub"),
    "tanh": _operator("Tanh"),
}
RULES: dict[str, Rule] = {
    "argmax": _arg("ArgMax"),
    "argmin": _arg("ArgMin"),
    "concatenate": _concatenate,
    "conv_general_dilated": convolve,
    "cumsum": _cumulative_sum,
    "dot_general": _dot,
    "gather": _gather,
    "pad": _pad,
    "reduce_max": _reduce("ReduceMax"),
    "reduce_min": _reduce("ReduceMin"),
    "reduce_prod": _reduce("ReduceProd"),
    "reduce_sum": _reduce("ReduceSum"),
    "reduce_window_max": pool("MaxPool"),
    "reduce_window_sum": pool("AveragePool"),
    "reshape": _reshape,
    "rev": _reverse,
    "slice": _slice,
    "squeeze": _squeeze,
    "transpose": _transpose,
}
PASSED_ON = frozenset({"copy", "copy_p", "optimization_barrier", "sharding_constraint", "stop_gradient"})
"""Primitives that change no number."""
