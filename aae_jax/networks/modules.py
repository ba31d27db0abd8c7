"""Linen modules of a user's own, in place of the encoder or decoder that a configuration describes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from aae_jax.errors import InputError
from aae_jax.types import Array

__all__ = ["NO_MODULES", "Modules", "check_outputs"]


class Modules(NamedTuple):
    """Modules of a user's own; None: the module that the configuration describes.

    They may keep running moments of batch norm (collection `batch_stats`) and use the random stream `dropout`.

    Attributes:
        encoder: `(images, extra, *, train) -> (mean, logits, log_std)`: of images `[batch, *image]`, scaled to the
            range of `network.output`, and of noise `[batch, noise_dim]` or None, the style's mean `[batch, latent]`,
            logits `[batch, classes]` (`[batch, 0]` in a model without label), and the log standard deviation of a
            Gaussian posterior `[batch, latent]`, else None.
        decoder: `(z, y, *, train) -> [batch, *image]`, before the output non-linearity, of styles `[batch, latent]`
            and labels `[batch, classes]` (`[batch, 0]` in a model without label).
    """

    encoder: nn.Module | None = None
    decoder: nn.Module | None = None

    def named(self) -> dict[str, str]:
        """Return the names of the classes of the modules that are given, by network."""
        return {name: type(module).__name__ for name, module in self._asdict().items() if module is not None}


NO_MODULES = Modules()


def check_outputs(modules: Mapping[str, nn.Module], inputs: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Check that modules accept their inputs and return arrays of the expected shapes, without computing anything.

    Args:
        modules: Encoder, decoder or both, by name.
        inputs: Arguments of each, with a batch of one.
        expected: Shape of each output by name, for a batch of one, or None for an output that is None.

    Raises:
        InputError: A module fails, or returns something else; the message names module and shape.
    """
    for name, module in modules.items():
        called = f"The {name} {type(module).__name__}"
        arguments = f"images and noise, train={False}" if name == "encoder" else f"styles and labels, train={False}"
        try:
            outputs, _ = jax.eval_shape(
                lambda *given, module=module: module.init_with_output(jax.random.key(0), *given, train=False),
                *inputs[name],
            )
        except Exception as error:  # of whatever kind a user's module raises
            raise InputError(f"{called} cannot be applied to {arguments} ({error}); see aae_jax.Modules.") from error
        found = _shapes(outputs)
        if found != expected[name]:
            raise InputError(f"{called} returns {found}, not {expected[name]}; see aae_jax.Modules.")


def _shapes(outputs: Any) -> Any:
    """Return the shapes of an array, or of each of a tuple."""
    if isinstance(outputs, tuple):
        return tuple(_shapes(output) for output in outputs)
    return tuple(outputs.shape) if isinstance(outputs, Array | jax.ShapeDtypeStruct) else None
