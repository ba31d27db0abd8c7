"""Reader of YAML files of shaharazulay/adversarial-autoencoder-classifier, whose keys override its preset."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from aae_jax.config import OptimizerConfig
from aae_jax.config.text import coerce
from aae_jax.errors import InputError, did_you_mean
from aae_jax.models.clustering.config import ClusteringConfig
from aae_jax.models.semi_supervised.config import OptimizersConfig, SemiSupervisedConfig
from aae_jax.text import quoted

__all__ = ["clusters_from_seed_yaml", "from_seed_yaml", "is_seed_yaml"]

BLOCKS = {"unsupervised", "semi_supervised"}
RATES = {
    "auto_encoder_lr": "reconstruction",
    "generator_lr": "generator",
    "discriminator_lr": "discriminator",
    "classifier_lr": "classification",
}
CLUSTER_RATES = {
    "auto_encoder_lr": "reconstruction",
    "generator_lr": "generator",
    "discriminator_lr": "discriminator",
    "info_lr": "cyclic",
    "mode_lr": "mode",
    "disentanglement_lr": "mode_separation",
}
MODEL = ("hidden_size", "encoder_dropout")
SWITCHES = {"use_mutual_info": "cyclic", "use_mode_decoder": "mode", "use_disentanglement": "mode_separation"}
TRAINING = (
    *SWITCHES,
    "use_adam_optimization",
    "use_adversarial_categorial_weights",
    "lambda_z_l2_regularization",
)
SGD = {"reconstruction": (0.01, 0.9), "generator": (0.1, 0.1), "discriminator": (0.1, 0.1)}
"""Learning rates and momenta of that project without Adam, which ignore the rates in the file."""


def is_seed_yaml(values: Mapping[Any, Any]) -> bool:
    """Return whether the top level of the file consists only of that project's blocks."""
    return bool(values) and set(values) <= BLOCKS


def from_seed_yaml(values: Mapping[Any, Any], base: SemiSupervisedConfig) -> tuple[SemiSupervisedConfig, list[str]]:
    """Return `base` with the values of the file's `semi_supervised` block, and notes on the rest.

    `encoder_dropout` is parsed but ignored, as in that project; the `unsupervised` block belongs to clustering.

    Raises:
        InputError: A key is unknown, or a value has the wrong type.
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
        notes.append("semi_supervised.model.encoder_dropout is ignored, as in that project; give --network.dropout.")
    if "unsupervised" in values:
        notes.append("The block unsupervised belongs to clustering and is left out.")
    return dataclasses.replace(base, optimizers=optimizers, network=network), notes


def clusters_from_seed_yaml(values: Mapping[Any, Any], base: ClusteringConfig) -> tuple[ClusteringConfig, list[str]]:
    """Return `base` with the values of the file's `unsupervised` block, and notes on the rest.

    Raises:
        InputError: A key is unknown, or a value has the wrong type.
    """
    if "unsupervised" not in values:
        raise InputError(
            "The file has no block unsupervised, and its block semi_supervised belongs to semi_supervised."
        )
    where = "unsupervised"
    block = _block(values[where], where, ("learning_rates", "model", "training"))
    rates = _block(block.get("learning_rates", {}), f"{where}.learning_rates", CLUSTER_RATES)
    model = _block(block.get("model", {}), f"{where}.model", MODEL)
    training = _block(block.get("training", {}), f"{where}.training", TRAINING)
    changes = {
        CLUSTER_RATES[key]: dataclasses.replace(
            getattr(base.optimizers, CLUSTER_RATES[key]),
            learning_rate=coerce(rate, float, f"{where}.learning_rates.{key}"),
        )
        for key, rate in rates.items()
    }
    if not coerce(training.get("use_adam_optimization", True), bool, f"{where}.training.use_adam_optimization"):
        changes |= {
            name: OptimizerConfig(kind="sgd", learning_rate=rate, momentum=momentum)
            for name, (rate, momentum) in SGD.items()
        }
    network = base.network
    if "hidden_size" in model:
        size = coerce(model["hidden_size"], int, f"{where}.model.hidden_size")
        network = dataclasses.replace(network, hidden=(size, size), discriminator_hidden=(size, size))
    if "encoder_dropout" in model:
        dropout = coerce(model["encoder_dropout"], float, f"{where}.model.encoder_dropout")
        network = dataclasses.replace(network, dropout=dropout)
    config = dataclasses.replace(
        base,
        optimizers=dataclasses.replace(base.optimizers, **changes),
        network=network,
        weights=dataclasses.replace(base.weights, **_weights(training, where)),
        inverse_frequency=coerce(
            training.get("use_adversarial_categorial_weights", base.inverse_frequency),
            bool,
            f"{where}.training.use_adversarial_categorial_weights",
        ),
    )
    notes = (
        []
        if "semi_supervised" not in values
        else ["The block semi_supervised belongs to another model and is ignored."]
    )
    return config, notes


def _weights(training: Mapping[str, Any], where: str) -> dict[str, Any]:
    weights: dict[str, Any] = {
        SWITCHES[key]: float(coerce(training[key], bool, f"{where}.training.{key}"))
        for key in SWITCHES
        if key in training
    }
    if "lambda_z_l2_regularization" in training:
        name = f"{where}.training.lambda_z_l2_regularization"
        weights["style_penalty"] = coerce(training["lambda_z_l2_regularization"], float, name)
    return weights


def _block(values: Any, where: str, known: Any) -> Mapping[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise InputError(f"{where} is {quoted(values)}; give a mapping of keys to values.")
    for key in values:
        if key not in known:
            raise InputError(f"There is no key {quoted(f'{where}.{key}')}; {did_you_mean(str(key), known)}")
    return values
