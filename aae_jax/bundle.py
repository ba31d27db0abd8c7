"""The saved model that people load and share: `config.json` and `model.safetensors`, nothing executable."""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, UInt8
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from aae_jax.config import NetworkConfig
from aae_jax.config_text import from_mapping
from aae_jax.errors import InputError
from aae_jax.evaluation import build_encode
from aae_jax.models.semi_supervised import activate
from aae_jax.networks import EncoderOutput, Networks, build_mlp_networks
from aae_jax.types import Array, Params, Stats
from aae_jax.views import unscale_pixels

__all__ = ["FORMAT_VERSION", "Model", "load", "save_model"]

FORMAT_VERSION = 1
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
SAVED = ("encoder", "decoder")


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A trained model: immutable, its methods pure.

    Attributes:
        network: Sizes and kinds of the networks.
        image_shape: Height and width of the images.
        num_classes: Number of classes.
        prior_std: Standard deviation of the style's prior.
        params: Weights of encoder and decoder.
        stats: Running batch-norm moments.
        data: Name and SHA-256 of the data that the model was trained on.
        seed: The seed of its training, where known.
    """

    network: NetworkConfig
    image_shape: tuple[int, int]
    num_classes: int
    prior_std: float
    params: Params
    stats: Stats
    data: Mapping[str, str]
    seed: int | None = None

    @cached_property
    def networks(self) -> Networks:
        """The pure functions behind the methods."""
        return build_mlp_networks(self.network, self.image_shape, self.num_classes)

    @cached_property
    def _encode(self) -> Any:
        return jax.jit(build_encode(self.networks, self.network.output))

    def encode(self, images: UInt8[np.ndarray, "count height width"] | Array) -> EncoderOutput:
        """Return style mean, label logits and posterior log-std of images given as bytes."""
        images = jnp.asarray(images)
        if images.ndim != 3 or images.shape[1:] != self.image_shape or images.dtype != jnp.uint8:
            raise InputError(
                f"The model takes uint8 images of shape [n, {self.image_shape[0]}, {self.image_shape[1]}], "
                f"not {images.dtype} of shape {list(images.shape)}; convert them first."
            )
        encoded: EncoderOutput = self._encode(self.params, self.stats, images)
        return encoded

    def predict_proba(self, images: UInt8[np.ndarray, "count height width"] | Array) -> Float[Array, "count classes"]:
        """Return the probability of each class for images given as bytes."""
        return jax.nn.softmax(self.encode(images).logits)

    def predict(self, images: UInt8[np.ndarray, "count height width"] | Array) -> Int[Array, " count"]:
        """Return the most probable class of images given as bytes."""
        return jnp.argmax(self.encode(images).logits, axis=1)

    def decode(
        self, z: Float[Array, "count latent"], y: Float[Array, "count classes"]
    ) -> Float[Array, "count height width"]:
        """Return images in [0, 1] of styles `z` and label vectors `y` (one-hot, or probabilities)."""
        decoded = self.networks.decode(self.params, z, y, None)
        return unscale_pixels(activate(decoded, self.network.output), self.network.output)

    def reconstruct(
        self, images: UInt8[np.ndarray, "count height width"] | Array
    ) -> Float[Array, "count height width"]:
        """Return images in [0, 1] decoded from the codes of images given as bytes."""
        encoded = self.encode(images)
        return self.decode(encoded.mean, jax.nn.softmax(encoded.logits))


def save_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write `config.json` and `model.safetensors` into the folder `path`, the configuration last."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = _flatten({"params": {n: model.params[n] for n in SAVED}, "stats": model.stats})
    config = {
        "format": "aae_jax",
        "format_version": FORMAT_VERSION,
        "network": dataclasses.asdict(model.network),
        "image_shape": list(model.image_shape),
        "num_classes": model.num_classes,
        "prior_std": model.prior_std,
        "data": dict(model.data),
        "seed": model.seed,
    }
    weights = folder / (WEIGHTS_FILE + ".unfinished")
    save_file(tensors, weights)
    os.replace(weights, folder / WEIGHTS_FILE)
    unfinished = folder / (CONFIG_FILE + ".unfinished")
    unfinished.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, folder / CONFIG_FILE)


def load(path: str | os.PathLike[str]) -> Model:
    """Load a model from its folder, or from the folder of the run that left it.

    Raises:
        InputError: There is none, or its files do not belong together.
    """
    folder = Path(path)
    if not (folder / CONFIG_FILE).is_file() and (folder / "model" / CONFIG_FILE).is_file():
        folder = folder / "model"
    config = _read_config(folder)
    model = _describe(config, folder / CONFIG_FILE)
    try:
        params, stats = jax.eval_shape(model.networks.init, jax.random.key(0))
    except Exception as error:  # of whatever kind the sizes provoke inside the networks
        raise InputError(f"{folder / CONFIG_FILE} describes no network ({error}); save the model again.") from error
    expected = {"params": {n: params[n] for n in SAVED}, "stats": stats}
    tensors = _read_tensors(folder / WEIGHTS_FILE, _flatten(expected, shapes=True))
    tree = _unflatten(expected, tensors)
    return dataclasses.replace(model, params=tree["params"], stats=tree["stats"])


def _describe(config: Mapping[str, Any], path: Path) -> Model:
    """Return the model of a configuration, still without weights."""
    try:
        height, width = (int(size) for size in config["image_shape"])
        return Model(
            network=from_mapping(NetworkConfig, config["network"], where="network"),
            image_shape=(height, width),
            num_classes=int(config["num_classes"]),
            prior_std=float(config["prior_std"]),
            params={},
            stats={},
            data=dict(config["data"]),
        )
    except InputError as error:
        raise InputError(f"{path} describes no network: {error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path} holds a value of the wrong kind ({error}); save the model again.") from error


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{folder} holds no saved model ({CONFIG_FILE} is missing); name a run's folder.") from error
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}); save the model again.") from error
    if not isinstance(config, dict) or config.get("format") != "aae_jax":
        raise InputError(f"{path} is not of aae_jax; name a folder that a run of it left.")
    if config.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {config.get('format_version')}, this library reads {FORMAT_VERSION}; "
            "load it with the aae_jax that wrote it."
        )
    missing = {"network", "image_shape", "num_classes", "prior_std", "data"} - set(config)
    if missing:
        raise InputError(f"{path} lacks {', '.join(sorted(missing))}; save the model again.")
    return config


def _read_tensors(path: Path, expected: Mapping[str, Any]) -> dict[str, Any]:
    try:
        tensors: dict[str, Any] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error}); save the model again.") from error
    if set(tensors) != set(expected):
        odd = sorted(set(tensors) ^ set(expected))[0]
        raise InputError(f"{path} does not fit its {CONFIG_FILE}: tensor {odd!r} is missing or unknown.")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape or tensor.dtype != expected[name].dtype:
            raise InputError(
                f"{path} does not fit its {CONFIG_FILE}: tensor {name!r} is {tensor.dtype} of shape "
                f"{list(tensor.shape)}, not {expected[name].dtype} of shape {list(expected[name].shape)}."
            )
    return tensors


def _flatten(tree: Any, *, shapes: bool = False) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {_name(path): leaf if shapes else np.ascontiguousarray(leaf) for path, leaf in leaves}


def _unflatten(like: Any, tensors: Mapping[str, Any]) -> Any:
    return jax.tree_util.tree_map_with_path(lambda path, _: jnp.asarray(tensors[_name(path)]), like)


def _name(path: tuple[Any, ...]) -> str:
    return "/".join(str(part.key) for part in path)
