"""The models, one file per section of the paper."""

from aae_jax.models import (
    autoencoder,
    clustering,
    dim_reduction,
    label_regularized,
    semi_supervised,
    supervised,
    unsupervised,
)

__all__ = [
    "autoencoder",
    "clustering",
    "dim_reduction",
    "label_regularized",
    "semi_supervised",
    "supervised",
    "unsupervised",
]
