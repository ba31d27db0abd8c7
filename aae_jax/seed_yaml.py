"""The YAML file of shaharazulay/adversarial-autoencoder-classifier, read as it is: its keys, over its preset."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from aae_jax.config import OptimizersConfig, SemiSupervisedConfig
from aae_jax.config_text import coerce
from aae_jax.errors import InputError, did_you_mean

__all__ = ["from_seed_yaml", "is_seed_yaml"]

BLOCKS = {"unsupervised", "semi_supervised"}
RATES = {
    "auto_encoder_lr": "reconstruction",
    "generator_lr": "generator",
    "discriminator_lr": "discriminator",
    "classifier_lr": "classification",
}
MODEL = ("hidden_size", "encoder_dropout")


def is_seed_yaml(values: Mapping[Any, Any]) -> bool:
    """Return whether the file has that project's blocks, and nothing else, at its top level."""
    return bool(values) and set(values) <= BLOCKS


def from_seed_yaml(values: Mapping[Any, Any], base: SemiSupervisedConfig) -> tuple[SemiSupervisedConfig, list[str]]:
    """Return `base` with the file's `semi_supervised` block in it, and what has to be said of the rest.

    Its `encoder_dropout` is read and left out, as it was there; the `unsupervised` block belongs to clustering.

    Raises:
        InputError: An unknown key, or a value of the wrong kind.
    """
    if "semi_supervised" not in values:
        raise InputError("The file has no block semi_supervised, and its block unsupervised belongs to clustering.")
    block = _block(values["semi_supervised"], "semi_supervised", ("learning_rates", "model"))
    rates = _block(block.get("learning_rates", {}), "semi_supervised.learning_rates", RATES)
    model = _block(block.get("model", {}), "semi_supervised.model", MODEL)
    optimizers: OptimizersConfig = base.optimizers
    for key, rate in rates.items():
        old = getattr(optimizers, RATES[key])
        number = coerce(rate, float, f"semi_supervised.learning_rates.{key}")
        optimizers = dataclasses.replace(optimizers, **{RATES[key]: dataclasses.replace(old, learning_rate=number)})
    network = base.network
    if "hidden_size" in model:
        size = coerce(model["hidden_size"], int, "semi_supervised.model.hidden_size")
        network = dataclasses.replace(network, hidden=(size, size), discriminator_hidden=(size, size))
    notes = []
    if coerce(model.get("encoder_dropout", 0), float, "semi_supervised.model.encoder_dropout"):
        notes.append("semi_supervised.model.encoder_dropout is left out, as it was there; give --network.dropout.")
    if "unsupervised" in values:
        notes.append("The block unsupervised belongs to clustering and is left out.")
    return dataclasses.replace(base, optimizers=optimizers, network=network), notes


def _block(values: Any, where: str, known: Any) -> Mapping[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise InputError(f"{where} is {values!r}; give a mapping of keys to values.")
    for key in values:
        if key not in known:
            raise InputError(f"There is no key {f'{where}.{key}'!r}; {did_you_mean(str(key), known)}")
    return values
