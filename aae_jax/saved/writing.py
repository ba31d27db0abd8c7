"""Writing of saved models: `config.json` and `model.safetensors`, nothing executable."""

import json
import os
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import numpy as np
from safetensors.numpy import save

from aae_jax.errors import InputError
from aae_jax.files import write_whole
from aae_jax.saved import format as saved_model
from aae_jax.saved.digest import EMBEDDED, digest_of
from aae_jax.saved.format import CONFIG_FILE, WEIGHTS_FILE
from aae_jax.saved.versions import network_to_json, scaling_tensors, version_of
from aae_jax.text import quoted
from aae_jax.train.state import used_networks

__all__ = ["WeightType", "save_model"]

WeightType = Literal["float32", "float16"]


def save_model(model: Any, path: str | os.PathLike[str], *, weights: str = "float32") -> None:
    """Write `model.safetensors` and `config.json` of a `Model` into the folder `path`.

    The weights' file holds the configuration too: replacing it is what replaces an older model, and until
    `config.json` follows, `load` takes the configuration from there. Whenever the process is killed, the folder
    holds the older model or the new one.

    Args:
        model: A trained model.
        path: The folder, which is made.
        weights: "float16" halves the file; `load` widens them again. Running moments of batch norm stay as they are.

    Raises:
        InputError: Weights are too large for float16.
        OSError: The folder cannot be written.
    """
    if weights not in get_args(WeightType):
        raise InputError(f"weights is {quoted(weights)}; give 'float32' or 'float16'.")
    params = used_networks(model.params)
    if weights == "float16":
        params = _rounded(params)
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    tree: dict[str, Any] = {"params": params, "stats": model.stats}
    version = version_of(
        model.network,
        own_modules=bool(model.modules.named()),
        scaling=model.scaling,
        prior_samples=model.prior_samples,
        rounded=weights == "float16",
    )
    if model.scaling is not None:
        tree["scaling"] = scaling_tensors(model.scaling, version)
    if model.prior_samples is not None:
        tree["prior_samples"] = np.asarray(model.prior_samples, np.float32)
    config: dict[str, Any] = {
        "format": "aae_jax",
        "format_version": version,
        "network": network_to_json(model.network),
        "image_shape": list(model.image_shape),
        "num_classes": model.num_classes,
        "class_names": list(model.class_names),
        "preprocessing": {"pixels": model.pixels, "scaled_by_feature": model.scaling is not None},
        "prior": saved_model.prior_to_json(model.prior),
        "decoded_label": model.decoded_label,
        "heads": model.heads,
        "mode_decoder": model.mode_decoder,
        "clusters": model.clusters,
        "experiment": model.experiment,
        "temperature": model.temperature,
        "data": dict(model.data),
        "seed": model.seed,
    }
    if model.prior_samples is not None:
        config["prior_samples"] = len(model.prior_samples)
    if model.modules.named():
        config["modules"] = model.modules.named()
    if weights == "float16":
        config["weights"] = weights
    tensors = {name: np.ascontiguousarray(leaf) for name, leaf in saved_model.named(tree)}
    config["digest"] = digest_of(config, tensors)
    text = json.dumps(config, indent=2) + "\n"
    write_whole(folder / WEIGHTS_FILE, save(tensors, metadata={EMBEDDED: text}))
    write_whole(folder / CONFIG_FILE, text.encode())


def _rounded(params: Any) -> Any:
    """Return weights in float16.

    Raises:
        InputError: One is too large.
    """
    with np.errstate(over="ignore"):
        narrow = jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), params)
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(narrow)):
        raise InputError("A weight is too large for float16; save the model in float32.")
    return narrow
