"""Common digest of the two files of a saved model, so that files of two saves are never combined."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from aae_jax.files import require_regular

__all__ = ["EMBEDDED", "digest_of", "with_weights"]

EMBEDDED = "aae_jax"
"""Key of the configuration in the metadata of the weights file."""


def digest_of(config: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> str:
    """Return the digest of a saved model: the hexadecimal SHA-256 of its configuration and tensors."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape};".encode())
        digest.update(tensors[name].data)
    return digest.hexdigest()


def with_weights(config: Any, weights: Path, most: int) -> Any:
    """Return the configuration that belongs to a weights file.

    This is `config`, the content of `config.json`, which may have been edited by hand; or the one embedded in the
    weights if their digests differ: saving over an older model was interrupted between the two files.

    Args:
        config: Content of `config.json`.
        weights: Path of the weights file.
        most: Maximum number of characters of an embedded configuration.
    """
    try:
        require_regular(weights)
        with safe_open(weights, framework="numpy") as stored:
            text = (stored.metadata() or {}).get(EMBEDDED)
        embedded = None if text is None or len(text) > most else json.loads(text)
    except (OSError, SafetensorError, ValueError, RecursionError):  # reported where the tensors are read
        return config
    if not isinstance(embedded, dict) or not isinstance(config, dict) or config.get("format") != "aae_jax":
        return config
    return config if config.get("digest") == embedded.get("digest") else embedded
