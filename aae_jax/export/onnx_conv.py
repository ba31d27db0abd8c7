"""Rules of convolutions and pooling: ONNX wants `[batch, maps, height, width]`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aae_jax.errors import InputError
from aae_jax.export.onnx_graph import Graph, Value, constant

__all__ = ["convolve", "pool"]


def _ordered(graph: Graph, value: Value, axes: Sequence[int]) -> str:
    """Return the edge of a value whose axes are put in another order."""
    if isinstance(value.content, np.ndarray):
        return graph.edge(constant(np.transpose(value.content, axes)))
    edge = graph.edge(value)
    return edge if list(axes) == sorted(axes) else graph.add("Transpose", edge, perm=list(axes))


def convolve(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
    """Add a convolution, or a transposed one where the images are dilated."""
    numbers, dilated = params["dimension_numbers"], any(step != 1 for step in params["lhs_dilation"])
    groups = params["feature_group_count"]
    if params["batch_group_count"] != 1 or (dilated and groups != 1):
        raise InputError("A convolution by groups of this kind has no translation to ONNX; export StableHLO.")
    kernel = inputs[1]
    images = _ordered(graph, inputs[0], numbers.lhs_spec)
    (tops, bottoms) = zip(*params["padding"], strict=True)
    if dilated:
        made = _transposed(graph, images, kernel, params, (tops, bottoms))
    else:
        if min(*tops, *bottoms) < 0:
            raise InputError("A convolution that crops has no translation to ONNX; export StableHLO.")
        made = graph.add(
            "Conv",
            images,
            _ordered(graph, kernel, numbers.rhs_spec),
            strides=list(params["window_strides"]),
            pads=[*tops, *bottoms],
            dilations=list(params["rhs_dilation"]),
            group=groups,
        )
    back = np.argsort(numbers.out_spec).tolist()
    return made if back == sorted(back) else graph.add("Transpose", made, perm=back)


def _transposed(
    graph: Graph, images: str, kernel: Value, params: Mapping[str, Any], pads: tuple[Sequence[int], Sequence[int]]
) -> str:
    """Add a convolution of pixels with zeros between them, which ONNX knows as a transposed one."""
    spec = params["dimension_numbers"].rhs_spec
    if not isinstance(kernel.content, np.ndarray) or any(step != 1 for step in params["window_strides"]):
        raise InputError("A strided convolution with dilated images has no translation to ONNX; export StableHLO.")
    flipped = np.flip(np.transpose(kernel.content, spec), axis=tuple(range(2, len(spec))))
    reach = [(side - 1) * step for side, step in zip(flipped.shape[2:], params["rhs_dilation"], strict=True)]
    tops, bottoms = ([most - pad for most, pad in zip(reach, side, strict=True)] for side in pads)
    extra = [max(0, -bottom) for bottom in bottoms]
    if min(tops) < 0 or any(more >= step for more, step in zip(extra, params["lhs_dilation"], strict=True)):
        raise InputError("A transposed convolution with this padding has no translation to ONNX; export StableHLO.")
    return graph.add(
        "ConvTranspose",
        images,
        graph.edge(constant(np.swapaxes(flipped, 0, 1))),
        strides=list(params["lhs_dilation"]),
        pads=[*tops, *(max(0, bottom) for bottom in bottoms)],
        output_padding=extra,
        dilations=list(params["rhs_dilation"]),
    )


def pool(operator: str) -> Any:
    """Return the rule of pooling over height and width of `[batch, height, width, maps]`."""

    def rule(graph: Graph, inputs: list[Value], params: Mapping[str, Any], result: Value) -> str:
        window, steps, pads = (params[name] for name in ("window_dimensions", "window_strides", "padding"))
        rank = len(window)
        plain = all(step == 1 for step in (*params["base_dilation"], *params["window_dilation"]))
        if rank < 3 or not plain or (window[0], window[-1], steps[0], steps[-1]) != (1, 1, 1, 1):
            raise InputError("Pooling over maps or images has no translation to ONNX; export StableHLO.")
        forward = [0, rank - 1, *range(1, rank - 1)]
        tops, bottoms = zip(*pads[1:-1], strict=True)
        options: dict[str, Any] = {"kernel_shape": list(window[1:-1]), "strides": list(steps[1:-1])}
        options["pads"] = [*tops, *bottoms]
        if operator == "AveragePool":
            options["count_include_pad"] = 1
        made = graph.add(operator, _ordered(graph, inputs[0], forward), **options)
        if operator == "AveragePool":
            made = graph.add("Mul", made, graph.store(np.asarray(np.prod(window), result.kind)))
        return graph.add("Transpose", made, perm=np.argsort(forward).tolist())

    return rule
