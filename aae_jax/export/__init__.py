"""Trained models as programs without this library: StableHLO and ONNX."""

from aae_jax.export.parts import Part, model_parts
from aae_jax.export.writing import Format, export_model

__all__ = ["Format", "Part", "export_model", "model_parts"]
