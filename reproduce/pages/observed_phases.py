"""What the phases of a model's table compute, observed by tracing each loss once: nothing here is written by hand."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from aae_jax.config import OptimizerConfig, resolve
from aae_jax.models import find_model, preset
from aae_jax.networks import Networks
from aae_jax.train.hyper import traced
from aae_jax.types import Batch

__all__ = ["CLASSES", "ObservedModel", "ObservedPhase", "observe"]

IMAGE, CLASSES, BATCH = (28, 28), 10, 20


class ObservedPhase(NamedTuple):
    """A row of the table of phases, and what its loss calls.

    Attributes:
        name: Name of the phase.
        trained: Networks that it trains.
        called: Networks that its loss calls, in the order of the first call.
        terms: Names of the loss terms and other metrics that it reports.
        optimizer: Configuration of its optimizer.
    """

    name: str
    trained: tuple[str, ...]
    called: tuple[str, ...]
    terms: tuple[str, ...]
    optimizer: OptimizerConfig


class ObservedModel(NamedTuple):
    """The networks of a preset, their inputs, and its phases.

    Attributes:
        config: Its resolved configuration.
        encodes_label: Whether the encoder outputs a label.
        decodes_label: Whether the decoder takes a label, or a label's cluster head.
        labels_judged: Length of the label that the discriminator of z sees with the style.
        heads: Whether the decoder takes the style added to the label's cluster head.
        discriminators: Names of the discriminators.
        phases: The phases, in the order of their execution.
    """

    config: Any
    encodes_label: bool
    decodes_label: bool
    labels_judged: int
    heads: bool
    discriminators: tuple[str, ...]
    phases: tuple[ObservedPhase, ...]


@functools.cache
def observe(model: str, name: str = "default") -> ObservedModel:
    """Return what a preset of a model computes for images of 28×28 pixels and ten classes."""
    spec = find_model(model).spec
    config = resolve(preset(name, model), IMAGE)
    networks = spec.build_networks(config, IMAGE, CLASSES)
    calls: list[str] = []
    inputs: dict[str, tuple[int, ...]] = {}
    phases = spec.build_phases(_observed(networks, calls, inputs), config, num_classes=CLASSES)
    params, stats = jax.eval_shape(networks.init, jax.random.key(0))
    found = []
    for phase_name, phase in phases.items():
        calls.clear()
        _, (_, metrics) = jax.eval_shape(
            phase.loss, params, stats, _batch(config), traced(config, 1.0), jax.random.key(0)
        )
        optimizer = getattr(config.optimizers, phase.rate or phase_name)
        found.append(ObservedPhase(phase_name, phase.trained, tuple(dict.fromkeys(calls)), tuple(metrics), optimizer))
    latent = config.network.latent_dim
    return ObservedModel(
        config,
        encodes_label=inputs["logits"][0] > 0,
        decodes_label=inputs["decoder"][1] > 0,
        labels_judged=inputs.get("discriminator_z", (latent,))[0] - latent,
        heads="heads" in params,
        discriminators=tuple(one for one in params if one.startswith("discriminator")),
        phases=tuple(found),
    )


def _observed(networks: Networks, calls: list[str], inputs: dict[str, tuple[int, ...]]) -> Networks:
    """Return networks that note their calls and the lengths of the codes that they take."""

    def noting(name: str, network: Callable[..., Any]) -> Callable[..., Any]:
        def call(params: Mapping[str, Any], *codes: Any) -> Any:
            calls.append(name)
            inputs[name] = tuple(code.shape[-1] for code in codes[:-1])
            return network(params, *codes)

        return call

    def encode(*given: Any, **options: Any) -> Any:
        calls.append("encoder")
        output, stats = networks.encode(*given, **options)
        inputs["logits"] = (output.logits.shape[-1],)
        return output, stats

    def decode(params: Mapping[str, Any], stats: Any, *codes: Any) -> Any:
        return noting("decoder", lambda params, *codes: networks.decode(params, stats, *codes))(params, *codes)

    mode = networks.decode_mode
    return networks._replace(
        encode=encode,
        decode=decode,
        discriminate_z=noting("discriminator_z", networks.discriminate_z),
        discriminate_y=noting("discriminator_y", networks.discriminate_y),
        decode_mode=None if mode is None else noting("mode_decoder", mode),
    )


def _batch(config: Any) -> Batch:
    images = jnp.zeros((BATCH, *IMAGE), jnp.float32)
    classes = getattr(config, "num_clusters", None) or CLASSES
    return Batch(
        images, images, jnp.zeros(BATCH, jnp.int32), jnp.zeros((BATCH, classes), jnp.float32), neighbours=images
    )
