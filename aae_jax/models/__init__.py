"""The models, one file per section of the paper."""

from aae_jax.models import semi_supervised

__all__ = ["semi_supervised"]
