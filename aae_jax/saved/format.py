"""Reading of the two untrusted files of a saved model: every size is checked before memory is allocated."""

import dataclasses
import errno
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import numpy as np
from safetensors import SafetensorError, safe_open

from aae_jax.config import NetworkConfig, PriorConfig, validate_network, validate_prior
from aae_jax.config.text import from_mapping
from aae_jax.errors import InputError
from aae_jax.files import read_text, require_regular
from aae_jax.networks import Modules, min_weights
from aae_jax.saved.digest import with_weights
from aae_jax.saved.versions import FORMAT_VERSION, WITH_WIDE_SCALING
from aae_jax.text import quoted

__all__ = [
    "CONFIG_FILE",
    "WEIGHTS_FILE",
    "Description",
    "PixelKind",
    "check_samples",
    "check_size",
    "expected_scaling",
    "name_of",
    "named",
    "prior_to_json",
    "read_config",
    "read_tensors",
]

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
MAX_CONFIG_BYTES = 10**7

PixelKind = Literal["bytes", "unit"]


@dataclass(frozen=True, kw_only=True)
class Description:
    """Validated content of a model's `config.json`; see `aae_jax.Model` for the fields."""

    network: NetworkConfig
    image_shape: tuple[int, ...]
    num_classes: int
    prior: PriorConfig | None
    prior_samples: int
    decoded_label: int
    heads: bool
    mode_decoder: bool
    clusters: bool
    experiment: str | None
    data: dict[str, str]
    seed: int | None
    class_names: tuple[str, ...]
    pixels: PixelKind
    scaled_by_feature: bool
    wide_scaling: bool
    temperature: float | None
    modules: dict[str, str]
    weights: Literal["float32", "float16"]


def read_config(folder: Path) -> Description:
    """Read and validate the `config.json` in a model's folder.

    Raises:
        InputError: It is missing, damaged, of another program or a later version, or describes no model.
    """
    path = folder / CONFIG_FILE
    config = with_weights(_read_json(path, folder), folder / WEIGHTS_FILE, MAX_CONFIG_BYTES)
    if not isinstance(config, dict) or config.get("format") != "aae_jax":
        raise InputError(f"{path} was not written by aae_jax; name the folder of a run or of a saved model.")
    version = config.get("format_version")
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION or isinstance(version, bool):
        raise InputError(
            f"{path} has format version {version}, but this library reads 1 to {FORMAT_VERSION}; "
            "load it with the aae_jax that wrote it."
        )
    missing = {"network", "image_shape", "num_classes", "data"} - set(config)
    if version > 1:
        missing |= {"class_names", "preprocessing"} - set(config)
    missing |= ({"prior", "decoded_label"} if version > 2 else {"prior_std"}) - set(config)
    if missing:
        raise InputError(f"{path} lacks {', '.join(sorted(missing))}; save the model again.")
    try:
        return _describe(config)
    except InputError as error:
        raise InputError(f"{path} describes no network: {error}") from error
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path} holds a value of the wrong type ({error}); save the model again.") from error


def _read_json(path: Path, folder: Path) -> Any:
    try:
        return json.loads(read_text(path, MAX_CONFIG_BYTES))
    except FileNotFoundError as error:
        raise InputError(_absence(folder)) from error
    except OSError as error:
        if not path.parent.is_dir():
            raise InputError(_absence(folder)) from error
        if error.errno == errno.EFBIG:
            raise InputError(f"{path} is not a model's configuration: it has {error.strerror}.") from error
        raise InputError(f"{path} cannot be read ({error.strerror}); save the model again.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); save the model again.") from error


def _absence(folder: Path) -> str:
    """Return the message for a folder without a model."""
    if folder.is_file():
        return f"{folder} is a file; name the folder of a run or of a saved model."
    if not folder.exists():
        return f"{folder} does not exist; name the folder of a run or of a saved model."
    if (folder / "sweep.json").is_file():
        return f"{folder} is the folder of a sweep, which saves no models; train its best setting in a run."
    if (folder / "config.yaml").is_file():
        return f"The run in {folder} has saved no model yet; finish it with --resume {folder}."
    return f"{folder} holds no saved model ({CONFIG_FILE} is missing); name a run's folder."


def _describe(config: Mapping[str, Any]) -> Description:
    shape = tuple(_whole(size, "image_shape") for size in config["image_shape"])
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"image_shape is {list(shape)}")
    num_classes = _whole(config["num_classes"], "num_classes", least=0)
    decoded_label = _whole(config.get("decoded_label", num_classes), "decoded_label", least=0)
    names = config.get("class_names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("class_names is not a list of strings")
    if names and len(names) != (num_classes or decoded_label):
        raise ValueError(f"class_names has {len(names)} names for {num_classes or decoded_label} classes")
    if decoded_label != num_classes and num_classes:
        raise ValueError(f"decoded_label is {decoded_label} with {num_classes} classes")
    off = {"heads": False, "mode_decoder": False, "clusters": False}
    if config.get("experiment") == "clustering":
        off["clusters"] = True  # the first files of version 3 had the experiment alone
    extra = {name: config.get(name, value) for name, value in off.items()}
    if not all(isinstance(value, bool) and value <= bool(num_classes) for value in extra.values()):
        raise ValueError(f"heads, mode_decoder and clusters are {extra} with {num_classes} classes")
    experiment = config.get("experiment")
    if experiment is not None and not isinstance(experiment, str):
        raise ValueError(f"experiment is {quoted(experiment)}")
    temperature = config.get("temperature")  # missing in older files
    if temperature is not None:
        temperature = float(temperature)
        if not (math.isfinite(temperature) and temperature > 0):
            raise ValueError(f"temperature is {temperature}")
    network = from_mapping(NetworkConfig, config["network"], where="network")
    validate_network(network)
    prior = _describe_prior(config, network)
    prior_samples = _whole(config.get("prior_samples", 0), "prior_samples", least=0)
    if bool(prior_samples) != (prior is not None and prior.kind == "samples"):
        raise ValueError(f"prior_samples is {prior_samples} with a prior that is {prior and prior.kind}")
    seed = config.get("seed")
    return Description(
        network=network,
        image_shape=shape,
        num_classes=num_classes,
        prior=prior,
        prior_samples=prior_samples,
        decoded_label=decoded_label,
        **extra,
        experiment=experiment,
        data={str(key): str(value) for key, value in dict(config["data"]).items()},
        seed=seed if isinstance(seed, int) else None,
        class_names=tuple(names),
        **_describe_preprocessing(config),
        temperature=temperature,
        modules=_describe_modules(config.get("modules", {})),
        weights=_describe_weights(config.get("weights", "float32")),
    )


def _describe_weights(kind: Any) -> Literal["float32", "float16"]:
    """Return the type of the stored weights, which files before version 7, and later ones of float32, do not name."""
    if kind not in ("float32", "float16"):
        raise ValueError(f"weights is {quoted(kind)}")
    return "float16" if kind == "float16" else "float32"


def _describe_modules(names: Any) -> dict[str, str]:
    """Return the names of the classes of a user's own modules, by network."""
    if not isinstance(names, dict) or not all(
        key in Modules._fields and isinstance(name, str) for key, name in names.items()
    ):
        raise ValueError(f"modules is {quoted(names)}")
    return names


def _describe_preprocessing(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preprocessing of images; version 1 has only bytes, and before version 5 ranges are float32."""
    preprocessing = config.get("preprocessing", {"pixels": "bytes", "scaled_by_feature": False})
    pixels, scaled = preprocessing["pixels"], preprocessing["scaled_by_feature"]
    if pixels not in get_args(PixelKind) or not isinstance(scaled, bool) or (scaled and pixels != "unit"):
        raise ValueError(f"preprocessing is {preprocessing}")
    wide = scaled and config["format_version"] >= WITH_WIDE_SCALING
    return {"pixels": pixels, "scaled_by_feature": scaled, "wide_scaling": wide}


def _describe_prior(config: Mapping[str, Any], network: NetworkConfig) -> PriorConfig | None:
    """Return the prior; files before version 3 have only the standard deviation of a Gaussian."""
    described = config["prior"] if "prior" in config else {"std": float(config["prior_std"])}
    if described is None:
        return None
    prior = from_mapping(PriorConfig, described, where="prior")
    validate_prior(prior, network)
    if prior.file is not None:
        raise ValueError(f"prior.file is {quoted(prior.file)}")
    return prior


def _whole(value: Any, what: str, *, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 10**9:
        raise ValueError(f"{what} holds {quoted(value)}")
    return value


def check_samples(prior: PriorConfig | None, samples: Any, latent_dim: int) -> None:
    """Refuse a prior given by samples without samples, and samples with any other prior.

    Raises:
        InputError: Prior and samples do not match, or the samples are not `[count, latent_dim]`.
    """
    kind, shape = prior and prior.kind, None if samples is None else tuple(samples.shape)
    fits = shape is not None and len(shape) == 2 and shape[1] == latent_dim
    if not (fits if kind == "samples" else shape is None):
        raise InputError(
            f"A model whose prior is of kind {kind} has prior_samples of shape {shape}; give [count, {latent_dim}] "
            "with a prior of kind samples, and none with any other."
        )


def prior_to_json(prior: PriorConfig | None) -> dict[str, Any] | None:
    """Return a prior in the form of `config.json`, without the path of its samples."""
    if prior is None:
        return None
    return {name: value for name, value in dataclasses.asdict(prior).items() if name != "file"}


def named(tree: Any) -> list[tuple[str, Any]]:
    """Return the leaves of a tree with the names of their tensors."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [(name_of(path), leaf) for path, leaf in leaves]


def name_of(path: tuple[Any, ...]) -> str:
    """Return the name of the tensor at a path of keys."""
    return "/".join(str(part.key) for part in path)


def check_size(described: Description, folder: Path) -> None:
    """Refuse a description whose weight matrices alone are larger than the weights file.

    Raises:
        InputError: The file is missing or too small.
    """
    path = folder / WEIGHTS_FILE
    try:
        require_regular(path)
        stored = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path} cannot be read as safetensors ({error.strerror}); save the model again.") from error
    network = described.network
    label_length = 0 if described.heads else described.decoded_label
    given, taken = (network.latent_dim + label for label in (described.num_classes, label_length))
    weights = described.prior_samples * network.latent_dim
    if not described.modules:
        weights += min_weights(network, described.image_shape, given, taken)
    needed = np.dtype(described.weights).itemsize * weights
    if needed > stored:
        raise InputError(
            f"{path} does not fit its {CONFIG_FILE}: the described weights take {needed} bytes, but the file "
            f"has {stored}."
        )


def read_tensors(path: Path, expected: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Read the tensors of a file, which must have exactly the `expected` names, shapes and types, and be finite.

    Raises:
        InputError: The file cannot be read, or its tensors do not match.
    """
    try:
        require_regular(path)
        with safe_open(path, framework="numpy") as stored:
            names = set(stored.keys())
            if names != set(expected):
                odd = sorted(names ^ set(expected))[0]
                raise InputError(
                    f"{path} does not fit its {CONFIG_FILE}: tensor {quoted(odd)} is missing or unknown."
                )
            for name in sorted(names):
                part = stored.get_slice(name)
                _check_tensor(path, name, list(part.get_shape()), part.get_dtype(), expected[name])
            tensors = {name: stored.get_tensor(name) for name in sorted(names)}
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error}); save the model again.") from error
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise InputError(f"{path} holds non-finite numbers in tensor {quoted(name)}; use another model.")
    return tensors


def _check_tensor(path: Path, name: str, shape: list[int], kind: str, expected: Any) -> None:
    wanted = f"F{8 * np.dtype(expected.dtype).itemsize}"
    if shape != list(expected.shape) or kind != wanted:
        raise InputError(
            f"{path} does not fit its {CONFIG_FILE}: tensor {quoted(name)} is {kind} of shape {shape}, "
            f"not {wanted} of shape {list(expected.shape)}."
        )


def expected_scaling(image_shape: tuple[int, ...], wide: bool) -> dict[str, Any]:
    """Return the expected tensors of a scaling for `read_tensors`."""
    row = np.broadcast_to(np.zeros((), np.float64 if wide else np.float32), image_shape)
    return {"low": row, "span": row}
