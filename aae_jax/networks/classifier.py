"""Classifier with access to its features: the judge of generated images."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float

from aae_jax.networks.conv import Convolutions
from aae_jax.networks.mlp import Trunk, head
from aae_jax.types import Array, Params, PRNGKey, Stats

__all__ = ["Classified", "Classifier", "build_classifier"]


class Classified(NamedTuple):
    """Output of a classifier for a batch of images.

    Attributes:
        features: `[batch, width]`, the last hidden layer.
        logits: `[batch, classes]`.
    """

    features: Float[Array, "batch width"]
    logits: Float[Array, "batch classes"]


class Classifier(NamedTuple):
    """Pure functions of a classifier.

    Attributes:
        init: `key -> (params, stats)`.
        classify: `(params, stats, images, key) -> (Classified, stats)`. With a key it is in training mode: batch
            moments and dropout; with None it uses running moments.
    """

    init: Callable[[PRNGKey], tuple[Params, Stats]]
    classify: Callable[[Params, Stats, Array, PRNGKey | None], tuple[Classified, Stats]]


class _Classifier(nn.Module):
    trunk: Trunk
    num_classes: int
    convolutions: Convolutions | None = None

    @nn.compact
    def __call__(self, images: Array, *, train: bool) -> tuple[Array, Array]:
        maps = images if self.convolutions is None else self.convolutions(images, train=train)
        features = self.trunk(maps.reshape(maps.shape[0], -1), train=train)
        return features, head(self.num_classes, self.trunk)(features)


def build_classifier(
    image_shape: tuple[int, ...],
    num_classes: int,
    *,
    hidden: Sequence[int],
    channels: Sequence[int] = (),
    dropout: float = 0.0,
) -> Classifier:
    """Return a perceptron with batch norm that classifies images of `image_shape`.

    Args:
        image_shape: Shape of one image.
        num_classes: Number of classes.
        hidden: Widths of the dense layers; the last is that of the features.
        channels: Feature maps of convolutions before them, each of which halves the sides; none: a perceptron alone.
        dropout: Probability of dropping a unit of a dense layer in training.
    """
    convolutions = Convolutions(tuple(channels), 3, False, True, 0.0, "he", "float32") if channels else None
    module = _Classifier(Trunk(tuple(hidden), True, dropout, "he", "float32"), num_classes, convolutions)

    def init(key: PRNGKey) -> tuple[Params, Stats]:
        variables = module.init(key, jnp.zeros((1, *image_shape), jnp.float32), train=False)
        return variables["params"], variables["batch_stats"]

    def classify(params: Params, stats: Stats, images: Array, key: PRNGKey | None) -> tuple[Classified, Stats]:
        (features, logits), changed = module.apply(
            {"params": params, "batch_stats": stats},
            images,
            train=key is not None,
            rngs={} if key is None else {"dropout": key},
            mutable=[] if key is None else ["batch_stats"],
        )
        return Classified(features, logits), changed.get("batch_stats", stats)

    return Classifier(init, classify)
