"""Linen modules of a user's own, in place of the encoder or decoder that a configuration describes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from aae_jax.errors import InputError
from aae_jax.types import Array

__all__ = ["NO_MODULES", "Modules", "check_modules"]


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

    def __eq__(self, other: object) -> bool:
        """Return whether the modules are the same objects: not every module can be compared or hashed."""
        return isinstance(other, Modules) and self.encoder is other.encoder and self.decoder is other.decoder

    def __hash__(self) -> int:
        """Hash the identity of the modules, by which compiled programs are kept."""
        return hash((id(self.encoder), id(self.decoder)))

    def named(self) -> dict[str, str]:
        """Return the names of the classes of the modules that are given, by network."""
        return {name: type(module).__name__ for name, module in self._asdict().items() if module is not None}


NO_MODULES = Modules()


def check_modules(modules: Mapping[str, Any], inputs: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Check that modules accept their inputs and return arrays of the expected shapes, without computing anything.

    Args:
        modules: Encoder, decoder or both, by name.
        inputs: Arguments of each, with a batch of one.
        expected: Shape of each output by name, for a batch of one, or None for an output that is None.

    Raises:
        InputError: Something is no module, fails in training or in evaluation, has other variables than parameters
            and running moments, or returns something else; the message names module and fault.
    """
    for name, module in modules.items():
        if not isinstance(module, nn.Module):
            given = module.__name__ if isinstance(module, type) else type(module).__name__
            raise InputError(f"modules.{name} is {given}; give an instance of a flax.linen.Module.")
        called = f"The {name} {type(module).__name__}"
        for train in (False, True):
            try:
                outputs = jax.eval_shape(lambda m=module, t=train, n=name: _output(m, inputs[n], train=t))
            except InputError as error:
                raise InputError(f"{called} {error}; see aae_jax.Modules.") from error
            except Exception as error:  # of whatever kind a user's module raises
                arguments = "images and noise" if name == "encoder" else "styles and labels"
                reason = str(error).partition("\n")[0]
                raise InputError(
                    f"{called} cannot be applied to {arguments} with train={train} ({reason}); see aae_jax.Modules."
                ) from error
            found = _shapes(outputs)
            if found != expected[name]:
                raise InputError(f"{called} returns {found}, not {expected[name]}; see aae_jax.Modules.")


def _output(module: nn.Module, inputs: Any, *, train: bool) -> Any:
    """Return a module's output as the networks apply it, with weights that are drawn here."""
    key = jax.random.key(0)
    variables = module.init(key, *inputs, train=False)
    others = sorted(set(variables) - {"params", "batch_stats"})
    if others:
        raise InputError(f"has the variables {', '.join(others)}; it may have params and batch_stats alone")
    if "params" not in variables:
        raise InputError("has no parameters, so that there is nothing to train")
    mutable = ["batch_stats"] if train and "batch_stats" in variables else False
    output: Any = module.apply(
        variables, *inputs, train=train, rngs={"dropout": key} if train else {}, mutable=mutable
    )
    return output[0] if mutable else output


def _shapes(outputs: Any) -> Any:
    """Return the shape of a float32 array, or of each of a tuple; of anything else, what it is."""
    if isinstance(outputs, tuple):
        return tuple(_shapes(output) for output in outputs)
    if isinstance(outputs, Array | jax.ShapeDtypeStruct):
        shape = tuple(outputs.shape)
        return shape if outputs.dtype == jnp.float32 else f"{outputs.dtype} {shape}"
    return None if outputs is None else type(outputs).__name__
