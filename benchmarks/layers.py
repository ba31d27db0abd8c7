"""Weights of our networks in the order and the layout in which the rival keeps them."""

from typing import Any

import numpy as np

__all__ = ["layers_of"]

PERCEPTRONS = {
    "encoder": (("trunk", "Dense_0"), ("trunk", "Dense_1"), ("style", "Dense_0"), ("label", "Dense_0")),
    "decoder": (("trunk", "Dense_0"), ("trunk", "Dense_1"), ("Head_0", "Dense_0")),
}


def layers_of(name: str, params: Any) -> list[np.ndarray]:
    """Return a network's kernels, `[out, in]` or `[out, in, height, width]`, each followed by its bias."""
    network, arrays = params[name], []
    for outer, inner in _paths(name, network):
        kernel, bias = (np.asarray(network[outer][inner][part]) for part in ("kernel", "bias"))
        kernel = kernel.T if kernel.ndim == 2 else kernel.transpose(3, 2, 0, 1)
        if outer == "deconvolutions" and kernel.ndim == 4:
            kernel, bias = _shuffled(kernel), _shuffled(bias)
        arrays += [np.ascontiguousarray(kernel), np.ascontiguousarray(bias)]
    return arrays


def _paths(name: str, network: Any) -> list[tuple[str, str]]:
    """Return the layers from the input to the outputs."""
    if "convolutions" in network:
        down = [("convolutions", f"Convolution_{i}") for i in range(len(network["convolutions"]))]
        return [*down, ("trunk", "Dense_0"), ("style", "Dense_0"), ("label", "Dense_0")]
    if "deconvolutions" in network:
        up = [("deconvolutions", f"Convolution_{i}") for i in range(len(network["deconvolutions"]) - 1)]
        return [("trunk", "Dense_0"), ("deconvolutions", "Dense_0"), *up]
    return list(PERCEPTRONS.get(name, PERCEPTRONS["decoder"]))


def _shuffled(values: np.ndarray) -> np.ndarray:
    """Reorder maps from those of each pixel of a block to the pixels of each map, as `pixel_shuffle` wants them."""
    return values.reshape(4, -1, *values.shape[1:]).swapaxes(0, 1).reshape(values.shape)
