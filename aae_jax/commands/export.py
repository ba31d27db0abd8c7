"""`aae-jax export`: a trained model as programs that run without this library."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aae_jax.commands.result import ModelPath, load_model, parse
from aae_jax.errors import InputError
from aae_jax.export import Format, export_model
from aae_jax.streams import say

__all__ = ["run_export"]


@dataclass(frozen=True, kw_only=True)
class _Export:
    model: ModelPath
    """Folder of a run, or of a saved model."""
    format: Format = "onnx"
    """onnx: for onnxruntime and others (extra onnx). stablehlo: for JAX on CPUs, CUDA GPUs, TPUs (extra export)."""
    parts: tuple[Literal["encoder", "classifier", "decoder"], ...] | None = None
    """What to export. Default: all that the model has."""
    calibrated: bool = False
    """Export calibrated probabilities: logits are divided by the temperature that the run fitted."""
    out: str = "exported"
    """Folder for the files; those of an earlier export are replaced."""


def run_export(argv: Sequence[str]) -> int:
    """Export encoder, classifier and decoder of a model, for batches of any length.

    The encoder maps images to codes, the classifier to probabilities of classes, and the decoder maps styles, and
    labels where it takes them, to images. signature.json lists inputs and outputs.
    """
    flags = parse(_Export, argv, "export", run_export.__doc__)
    model = load_model(flags.model)
    try:
        files = export_model(model, flags.out, flags.format, parts=flags.parts, calibrated=flags.calibrated)
    except OSError as error:
        raise InputError(
            f"{flags.out} cannot be written ({error.strerror or error}); give --out another name."
        ) from error
    for path in files:
        say(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0
