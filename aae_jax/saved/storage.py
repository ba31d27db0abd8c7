"""The saved model that people load and share: `config.json` and `model.safetensors`, nothing executable."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.data.scaling import Scaling
from aae_jax.errors import InputError, did_you_mean
from aae_jax.networks import NO_MODULES, Modules
from aae_jax.networks.precision import has_tf32
from aae_jax.saved import format as saved_model
from aae_jax.saved.format import CONFIG_FILE, WEIGHTS_FILE
from aae_jax.saved.model import Model
from aae_jax.saved.versions import FORMAT_VERSION
from aae_jax.saved.writing import save_model
from aae_jax.text import quoted

__all__ = ["FORMAT_VERSION", "PRETRAINED_FOLDER", "Model", "load", "save_model"]

PRETRAINED = "pretrained:"
PRETRAINED_FOLDER = Path(__file__).resolve().parent.parent / "pretrained"


def load(path: str | os.PathLike[str], *, modules: Modules = NO_MODULES) -> Model:
    """Load a model from its folder, or from the folder of the run that left it.

    Every format since version 1 is read.

    Args:
        path: The folder, or "pretrained:NAME" for a model that comes with the library.
        modules: Encoder and decoder of a user's own, if the model was trained with them: files hold no code.

    Raises:
        InputError: There is none, or its files or the modules do not belong together.
    """
    folder = _place_of(path)
    try:
        if not (folder / CONFIG_FILE).is_file() and (folder / "model" / CONFIG_FILE).is_file():
            folder = folder / "model"
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}); name the folder of a run or model.") from error
    described = saved_model.read_config(folder)
    saved_model.check_size(described, folder)
    config = {field.name: getattr(described, field.name) for field in dataclasses.fields(described)}
    scaled, wide, num_samples = (config.pop(name) for name in ("scaled_by_feature", "wide_scaling", "prior_samples"))
    if config["network"].precision == "tf32" and not has_tf32():
        config["network"] = dataclasses.replace(config["network"], precision="float32")
    prior = config.pop("prior")
    weights = np.dtype(config.pop("weights"))
    _check_modules(config.pop("modules"), modules, folder)
    model = Model(**config, prior=None, params={}, stats={}, modules=modules)
    try:
        params, stats = jax.eval_shape(model.networks.init, jax.random.key(0))
    except Exception as error:  # of whatever kind the sizes provoke inside the networks
        if modules.named():
            raise
        raise InputError(f"{folder / CONFIG_FILE} describes no network ({error}); save the model again.") from error
    narrowed = jax.tree.map(lambda leaf: jax.eval_shape(lambda: jnp.zeros(leaf.shape, weights)), dict(params))
    expected: dict[str, Any] = {"params": narrowed, "stats": stats}
    if scaled:
        expected["scaling"] = saved_model.expected_scaling(model.image_shape, wide)
    if num_samples:
        table = num_samples, model.network.latent_dim
        expected["prior_samples"] = jax.eval_shape(lambda: jnp.zeros(table, jnp.float32))
    tensors = saved_model.read_tensors(folder / WEIGHTS_FILE, dict(saved_model.named(expected)))
    tree = jax.tree_util.tree_map_with_path(lambda path, _: tensors[saved_model.name_of(path)], expected)
    return dataclasses.replace(
        model,
        prior=prior,
        params=jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), tree["params"]),
        stats=jax.tree.map(jnp.asarray, tree["stats"]),
        scaling=Scaling(**jax.tree.map(np.float64, tree["scaling"])) if scaled else None,
        prior_samples=jnp.asarray(tree["prior_samples"]) if num_samples else None,
    )


def _place_of(path: str | os.PathLike[str]) -> Path:
    """Return the folder of a name.

    Raises:
        InputError: No such model comes with the library.
    """
    name = os.fspath(path)
    if not isinstance(name, str) or not name.startswith(PRETRAINED):
        return Path(path)
    known = sorted(folder.name for folder in PRETRAINED_FOLDER.iterdir() if (folder / CONFIG_FILE).is_file())
    chosen = name.removeprefix(PRETRAINED)
    if chosen not in known:
        raise InputError(f"There is no model {quoted(name)}; {did_you_mean(chosen, known)}")
    return PRETRAINED_FOLDER / chosen


def _check_modules(trained: Mapping[str, str], given: Modules, folder: Path) -> None:
    """Refuse a model without the modules of a user's own that it was trained with, or with others."""
    for name in Modules._fields:
        expected, actual = trained.get(name), given.named().get(name)
        if expected is not None and actual is None:
            raise InputError(
                f"The model in {folder} has {quoted(expected)} for its {name}, a module of a user's own; give it in "
                f"Python: aae_jax.load(..., modules=aae_jax.Modules({name}=...))."
            )
        if expected is None and actual is not None:
            raise InputError(
                f"The model in {folder} has no {name} of a user's own, but modules has {actual}; leave it out."
            )
