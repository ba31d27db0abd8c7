"""The models, one file per section of the paper."""

from aae_jax.models import autoencoder, semi_supervised, unsupervised

__all__ = ["autoencoder", "semi_supervised", "unsupervised"]
