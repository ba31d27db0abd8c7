"""Features of the images of `experiments/transfer.py`, and its classifiers of them."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.data import Dataset
from aae_jax.data.resizing import fit_images
from aae_jax.evaluation import class_probabilities
from aae_jax.evaluation.transfer import (
    Labelled,
    Outcome,
    classify_features,
    fit_specialist,
    outcome,
    principal_features,
)
from aae_jax.models.shared.judging import progress_lines
from aae_jax.saved.digest import digest_of
from aae_jax.saved.format import named
from aae_jax.saved.model import Model
from aae_jax.streams import say

__all__ = ["Features", "Specialist", "encode", "images_of", "sha256_of"]

CHUNK = 1000
"""Number of images that are resized and encoded at once."""


class Specialist(NamedTuple):
    """Training of the convolutional classifier: passes over the images, probability of mirroring one, and seed."""

    epochs: int
    flip: float
    seed: int


class Features:
    """Features of the images of some classes, computed when a classifier needs them."""

    def __init__(self, model: Model, dataset: Dataset, classes: Sequence[int], specialist: Specialist) -> None:
        """Select the images; nothing is computed.

        Args:
            model: Model that encodes them.
            dataset: Labelled images.
            classes: Numbers of the classes between which to decide.
            specialist: Training of the convolutional classifier, whose seed is that of the others too.
        """
        self.model, self.specialist, self.num_classes = model, specialist, len(classes)
        self.train = images_of(dataset.train_images, dataset.train_labels, classes)
        self.test = images_of(dataset.test_images, dataset.test_labels, classes)
        self.made: dict[str, tuple[Labelled, Labelled]] = {"images": (self.train, self.test)}

    def of(self, kind: str) -> tuple[Labelled, Labelled]:
        """Return images, codes, components or pixels of training and of test images."""
        if kind not in self.made:
            makers = {"codes": self._codes, "components": self._components, "pixels": self._pixels}
            train, test = makers[kind]()
            self.made[kind] = Labelled(train, self.train.labels), Labelled(test, self.test.labels)
        return self.made[kind]

    def size_of(self, kind: str) -> int:
        """Return the number of features of an image."""
        return int(np.prod(self.of(kind)[0].features.shape[1:]))

    def _codes(self) -> tuple[np.ndarray, np.ndarray]:
        return encode(self.model, self.train.features), encode(self.model, self.test.features)

    def _pixels(self) -> tuple[np.ndarray, np.ndarray]:
        scale = np.float32(255 if self.train.features.dtype == np.uint8 else 1)
        train, test = (part.features.reshape(len(part.labels), -1) / scale for part in (self.train, self.test))
        return train, test

    def _components(self) -> tuple[np.ndarray, np.ndarray]:
        """Return as many principal components of the pixels as the codes have dimensions."""
        train, test = (part.features for part in self.of("pixels"))
        return principal_features(train, test, self.size_of("codes"), seed=self.specialist.seed)

    def classify(self, kind: str, classifier: str) -> Outcome:
        """Fit a classifier to features, or the specialist to images, and measure it."""
        if kind == "images":
            return self._train_specialist()
        return classify_features(classifier, *self.of(kind), self.num_classes, seed=self.specialist.seed)

    def _train_specialist(self) -> Outcome:
        epochs, flip, seed = self.specialist
        key = jax.random.key(seed)
        progress = functools.partial(progress_lines, say=say, training=" of the specialist")
        predict = fit_specialist(self.train, self.num_classes, epochs, key, flip=flip, build_progress=progress)
        return outcome(predict, self.train, self.test)


def images_of(images: np.ndarray, labels: np.ndarray, classes: Sequence[int]) -> Labelled:
    """Return the images of some classes, which are numbered in their order; images without a label are left out."""
    number = np.full(max(classes) + 1, -1)
    number[list(classes)] = np.arange(len(classes))
    chosen = np.flatnonzero(np.isin(labels, classes))
    return Labelled(images[chosen], number[labels[chosen]].astype(np.int32))


def encode(model: Model, images: np.ndarray) -> np.ndarray:
    """Return codes `[count, size]` of images of any size: styles, and probabilities of the classes of the model."""
    codes = []
    for first in range(0, len(images), CHUNK):
        encoded = model.encode_stored(jnp.asarray(fit_images(images[first : first + CHUNK], model.image_shape)))
        codes.append(np.concatenate([encoded.mean, class_probabilities(encoded.logits)], axis=1))
    return np.concatenate(codes)


def sha256_of(model: Model) -> str:
    """Return the SHA-256 of the weights."""
    leaves = named({"params": model.params, "stats": model.stats})
    return digest_of({}, {name: np.asarray(leaf) for name, leaf in leaves})
