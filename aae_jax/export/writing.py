"""Writing of exported models: one file for each part, and `signature.json`, last."""

import json
import os
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

from aae_jax.errors import InputError, did_you_mean
from aae_jax.export.onnx_model import OPSET, require_onnx, to_onnx
from aae_jax.export.parts import Part, model_parts
from aae_jax.export.stablehlo import PLATFORMS, require_stablehlo, to_stablehlo
from aae_jax.files import read_text, write_whole
from aae_jax.saved.format import prior_to_json
from aae_jax.saved.model import Model

__all__ = ["SIGNATURE_FILE", "Format", "export_model"]

Format = Literal["onnx", "stablehlo"]
SIGNATURE_FILE = "signature.json"
FILES = tuple(f"{part}.{kind}" for part in ("encoder", "classifier", "decoder") for kind in get_args(Format))


def export_model(
    model: Model,
    folder: str | os.PathLike[str],
    format: str = "onnx",
    *,
    parts: Sequence[str] | None = None,
    calibrated: bool = False,
) -> list[Path]:
    """Write a model's encoder, classifier and decoder as programs that run without this library; return the files.

    `signature.json` lists the inputs and outputs of each, the names of the classes, and the prior of the styles.

    Args:
        model: A trained model; in ONNX, one of a user's own modules too, if their operations have a translation.
        folder: Where to write; it is made. The files of an earlier export, in either format, are removed.
        format: "onnx" (extra onnx), or "stablehlo" (extra export).
        parts: Names of the parts to write; None: all that the model has.
        calibrated: Whether the classifier's probabilities are calibrated (`Model.predict_proba`).

    Raises:
        InputError: An extra is not installed, the model has no such part or no temperature, or an operation of its
            modules has no translation.
        OSError: The folder cannot be written.
    """
    if format not in get_args(Format):
        raise InputError(f"There is no format {format!r}; {did_you_mean(str(format), get_args(Format))}")
    if parts is not None and not parts:
        raise InputError("parts is empty; give at least one, or leave it out.")
    if isinstance(parts, str):
        parts = (parts,)
    available = model_parts(model, calibrated=calibrated)
    chosen = [part for part in available if parts is None or part.name in parts]
    missing = [name for name in parts or () if name not in {part.name for part in available}]
    if missing:
        listed = ", ".join(part.name for part in available)
        raise InputError(f"The model has no part {missing[0]!r}; it has {listed}.")
    if calibrated and not any(part.name == "classifier" for part in chosen):
        raise InputError("calibrated is of the classifier, which is not exported; leave it out.")
    (require_onnx if format == "onnx" else require_stablehlo)()
    contents = {f"{part.name}.{format}": _convert(model, part, format) for part in chosen}
    target = Path(folder)
    earlier = _earlier(target)
    target.mkdir(parents=True, exist_ok=True)
    for name in (SIGNATURE_FILE, *earlier):
        (target / name).unlink(missing_ok=True)
    for name, content in contents.items():
        write_whole(target / name, content)
    signature = _signature(model, format, chosen, calibrated)
    write_whole(target / SIGNATURE_FILE, (json.dumps(signature, indent=2) + "\n").encode())
    return [*(target / name for name in contents), target / SIGNATURE_FILE]


def _earlier(folder: Path) -> list[str]:
    """Return the files of an earlier export into a folder.

    Raises:
        InputError: The folder has a signature that no export wrote.
    """
    path = folder / SIGNATURE_FILE
    if not os.path.lexists(path):
        return []
    try:
        parts = json.loads(read_text(path))["parts"]
        files = [str(part["file"]) for part in parts.values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} was not written by an export of aae_jax; give another folder.") from error
    return [name for name in files if name in FILES]


def _convert(model: Model, part: Part, format: str) -> bytes:
    """Return the file of a part.

    Raises:
        InputError: A module of a user's own cannot be traced for a batch of any length.
    """
    try:
        return to_onnx(part) if format == "onnx" else to_stablehlo(part)
    except InputError:
        raise
    except Exception as error:  # of whatever kind a module provokes
        if not model.modules.named():
            raise
        raise InputError(
            f"The {part.name}, a module of a user's own, cannot be translated ({type(error).__name__}: {error}); if "
            "it takes len(images), let it take images.shape[0]; else export StableHLO."
        ) from error


def _signature(model: Model, format: str, parts: Sequence[Part], calibrated: bool) -> dict[str, Any]:
    written = {"opset": OPSET} if format == "onnx" else {"platforms": PLATFORMS, "jax": metadata.version("jax")}
    return {
        "format": format,
        **written,
        "parts": {part.name: _describe(part, format) for part in parts},
        "class_names": model.class_names,
        "clusters": model.clusters,
        "calibrated": calibrated,
        "prior": prior_to_json(model.prior),
        "experiment": model.experiment,
        "data": dict(model.data),
    }


def _describe(part: Part, format: str) -> dict[str, Any]:
    return {
        "file": f"{part.name}.{format}",
        "inputs": [
            {"name": name, "type": str(row.dtype), "shape": ["batch", *row.shape]}
            for name, row in part.inputs.items()
        ],
        "outputs": [{"name": part.output, "type": "float32", "shape": ["batch", *part.row]}],
    }
