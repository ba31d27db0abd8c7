"""Transfer of a representation: classifiers of features, measured on the images they were fitted to and on others."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from aae_jax.errors import InputError
from aae_jax.evaluation.classification import confusion_counts
from aae_jax.evaluation.classifiers import (
    fit_classifier,
    gradient_boosting,
    logistic_regression,
    nearest_neighbours,
)
from aae_jax.evaluation.judge import JudgeTraining, train_judge
from aae_jax.evaluation.probes import mean_area
from aae_jax.types import PRNGKey

__all__ = [
    "CLASSIFIERS",
    "Labelled",
    "Outcome",
    "Quality",
    "classify_features",
    "fit_specialist",
    "measure",
    "outcome",
    "principal_features",
]

CLASSIFIERS = ("LightGBM", "linear", "k-NN")
BATCH = 100


class Labelled(NamedTuple):
    """Features or images, and their classes.

    Attributes:
        features: `[count, *features]`.
        labels: Classes from 0, `[count]`.
    """

    features: Any
    labels: Int[np.ndarray, " count"]


class Quality(NamedTuple):
    """Quality of class probabilities on some images."""

    accuracy: float
    """Share of images whose most probable class is theirs."""
    auroc: float
    """Area under the ROC curve, one class against the rest, mean over the classes."""


class Outcome(NamedTuple):
    """Quality of a classifier on training and test images, and its test images by true and predicted class."""

    train: Quality
    test: Quality
    confusion: Int[np.ndarray, "classes classes"]


def measure(
    probabilities: Float[np.ndarray, "count classes"], labels: Int[np.ndarray, " count"]
) -> tuple[Quality, Int[np.ndarray, "classes classes"]]:
    """Return the quality of probabilities, and the counts of true (rows) and predicted classes.

    Raises:
        InputError: Probabilities are not finite.
    """
    if not np.isfinite(probabilities).all():
        raise InputError("The classifier's probabilities are not finite; scale the features, or train it for longer.")
    num_classes, predicted = probabilities.shape[1], np.argmax(probabilities, axis=1)
    area = mean_area(probabilities, np.arange(num_classes), labels)
    return Quality(float(np.mean(predicted == labels)), area), confusion_counts(labels, predicted, num_classes)


def classify_features(kind: str, train: Labelled, test: Labelled, num_classes: int, *, seed: int = 0) -> Outcome:
    """Fit a classifier to features of training images, and measure it on them and on test images.

    The linear classifier standardises the features by the training images; nearest neighbours do not, since that
    would inflate small principal components. Those of a training image include itself, so that its own class has at
    least one vote of five.

    Args:
        kind: One of `CLASSIFIERS`.
        train: Features and classes of training images, of which there are at least two.
        test: Features and classes of test images.
        num_classes: Number of classes; those without training images get probability 0.
        seed: Random seed of LightGBM.

    Raises:
        InputError: LightGBM is not installed.
    """
    if kind == "linear":
        fitted = fit_classifier(logistic_regression(), *train)
    elif kind == "k-NN":
        fitted = nearest_neighbours(len(train.labels)).fit(*train)
    else:
        fitted = gradient_boosting(train.features.shape[1], seed).fit(*train)

    def predict(features: np.ndarray) -> np.ndarray:
        probabilities = np.zeros((len(features), num_classes))
        probabilities[:, fitted.classes_] = fitted.predict_proba(features)
        return probabilities

    return outcome(predict, train, test)


def outcome(predict: Callable[[Any], np.ndarray], train: Labelled, test: Labelled) -> Outcome:
    """Measure a function of features that returns probabilities `[count, classes]`."""
    quality, confusion = measure(predict(test.features), test.labels)
    return Outcome(measure(predict(train.features), train.labels)[0], quality, confusion)


def principal_features(
    train: Float[np.ndarray, "count pixels"], test: Float[np.ndarray, "others pixels"], size: int, *, seed: int = 0
) -> tuple[Float[np.ndarray, "count size"], Float[np.ndarray, "others size"]]:
    """Return the principal components of training images, and test images in the same coordinates.

    Args:
        train: Pixels of training images, to which the components are fitted.
        test: Pixels of test images.
        size: Number of components, at most; there are no more than training images or pixels.
        seed: Random seed of the decomposition.
    """
    from sklearn.decomposition import PCA  # type: ignore[import-untyped, unused-ignore]  # slow to import

    axes = PCA(n_components=min(size, *train.shape), random_state=seed).fit(train)
    return axes.transform(train), axes.transform(test)


def fit_specialist(
    train: Labelled,
    num_classes: int,
    epochs: int,
    key: PRNGKey,
    *,
    flip: float,
    build_progress: Callable[[int], Callable[[int], None]] = lambda updates: lambda finished: None,
) -> Callable[[np.ndarray], np.ndarray]:
    """Train a small convolutional classifier on images, and return its function of images.

    Three convolutions that halve the sides (32, 64 and 128 maps) and a dense layer of 256 units with dropout; Adam
    with a cosine rate, a hundred images per update, shifted by up to an eighth of the smaller side.

    Args:
        train: Stored images, bytes or in [0, 1], `[count, height, width(, colours)]`, and their classes.
        num_classes: Number of classes.
        epochs: Passes over the images.
        key: PRNG key of weights, batches, views and dropout.
        flip: Probability of mirroring an image horizontally.
        build_progress: Called with the number of updates; its result now and then with that of finished ones.

    Returns:
        `images -> probabilities [count, classes]`.
    """
    images = np.asarray(train.features)
    training = JudgeTraining(
        hidden=(256,),
        channels=(32, 64, 128),
        dropout=0.5,
        batch_size=BATCH,
        updates=epochs * -(-len(images) // BATCH),
        max_shift=min(images.shape[1:3]) // 8,
        flip=flip,
    )
    judge = train_judge(
        *(images, np.asarray(train.labels), num_classes, training, key),
        on_progress=build_progress(training.updates),
    )
    return lambda images: np.asarray(jax.nn.softmax(judge(images).logits), np.float64)
