"""Class frequencies of a run: estimates for the pool if classes are unequal, notices and reports."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from aae_jax.data import Dataset, Reporter, are_unequal, count_classes, estimate_frequencies
from aae_jax.models.clustering.config import ClusteringConfig
from aae_jax.models.shared.label_code_config import validate_class_prior
from aae_jax.text import quoted
from aae_jax.types import Array, ClassShares, Metrics

__all__ = [
    "announce_frequencies",
    "assumed_frequencies",
    "balanced_error",
    "build_class_measures",
    "class_shares",
    "describe_classes",
    "majority_error",
    "reference_labels",
    "say_classes",
]


def assumed_frequencies(config: Any, dataset: Dataset, validation_labels: ArrayLike) -> NDArray[np.float64] | None:
    """Return the class frequencies that a model assumes for its pool, `[classes]`; None for equal frequencies.

    Args:
        config: Configuration; only those with a `class_prior` assume frequencies.
        dataset: Data with the classes.
        validation_labels: Labels of the held-out images, a random sample of the labelled images. If training uses all
            labels or those given, the labels of the data are counted instead.

    Raises:
        InputError: The number of given frequencies differs from the number of classes.
    """
    prior = getattr(config, "class_prior", "uniform")
    if prior == "uniform" or not dataset.num_classes or getattr(config, "num_clusters", None) is not None:
        return None
    if not isinstance(prior, str):
        validate_class_prior(prior, dataset.num_classes)
        given: NDArray[np.float64] = np.asarray(prior, np.float64)
        return np.asarray(given / given.sum())
    known = dataset.train_labels if isinstance(config.drawn_labels, str) else validation_labels
    counts = count_classes(known, dataset.num_classes)
    return estimate_frequencies(counts) if prior == "validation" or are_unequal(counts) else None


def reference_labels(config: Any, dataset: Dataset, validation_labels: ArrayLike) -> NDArray[np.int32]:
    """Return the labels by which classes count as equally frequent or not: of validation images, or those given."""
    given = getattr(config, "drawn_labels", None) == "given"
    return np.asarray(dataset.train_labels if given else validation_labels)


def class_shares(
    frequencies: Sequence[NDArray[np.float64] | None], labels: NDArray[np.int32], num_labelled: NDArray[Any] | None
) -> ClassShares | None:
    """Return the value of `TrainData.class_shares`, with a leading axis of seeds or members.

    Args:
        frequencies: Frequencies assumed for the pool, by member; if all are None, so is the result.
        labels: `[members, labelled]`, classes of the labelled images.
        num_labelled: `[members]`, number of labels to count; None: all.
    """
    if all(own is None for own in frequencies):
        return None
    classes = next(len(own) for own in frequencies if own is not None)
    counted = [len(row) for row in labels] if num_labelled is None else [int(number) for number in num_labelled]
    labelled = [_shares(count_classes(row[:n], classes)) for row, n in zip(labels, counted, strict=True)]
    # For a member that assumes equal classes, equal shares change only how its labels are drawn.
    pool = [np.full(classes, 1 / classes) if own is None else own for own in frequencies]
    labelled = [own if f is not None else even for own, f, even in zip(labelled, frequencies, pool, strict=True)]
    return ClassShares(jnp.asarray(np.stack(pool), jnp.float32), jnp.asarray(np.stack(labelled), jnp.float32))


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return shares above 0: exact, or smoothed if a class has no label."""
    return estimate_frequencies(counts) if (counts == 0).any() else counts / counts.sum()


def announce_frequencies(
    config: Any,
    dataset: Dataset,
    validation_labels: ArrayLike,
    frequencies: NDArray[np.float64] | None,
    reporter: Reporter,
) -> None:
    """Report unequal class frequencies and their effect before training a model with a label code."""
    known = reference_labels(config, dataset, validation_labels)
    counts = count_classes(known, dataset.num_classes) if dataset.num_classes else np.zeros(0, np.int64)
    clusters = getattr(config, "num_clusters", None)
    if not are_unequal(counts) or (clusters is None and not hasattr(config, "class_prior")):
        return
    most, fewest = int(counts.argmax()), int(counts.argmin())
    share, wrong = 100 * counts / counts.sum(), 100 * majority_error(counts)
    kind = "labelled" if getattr(config, "drawn_labels", None) == "given" else "validation"
    often, rarely = (quoted(dataset.class_names[place], 40) for place in (most, fewest))
    seen = (
        f"Classes are not equally frequent: {share[most]:.0f} % of {counts.sum()} {kind} images are {often}, "
        f"{share[fewest]:.0f} % {rarely}; always answering {often} is wrong for {wrong:.1f} %"
    )
    if frequencies is not None:
        source = "given" if not isinstance(config.class_prior, str) else f"of the {kind} images"
        reporter.notice(f"{seen}. The frequencies {source} are assumed of the pool (class_prior).")
    elif isinstance(config, ClusteringConfig) or clusters is not None:
        reporter.notice(f"{seen}. Clusters are pulled to equal frequencies.")
    else:
        reporter.notice(f"{seen}. The adversary of y pulls answers to equal frequencies; give --class-prior auto.")


def majority_error(counts: NDArray[np.int64]) -> float:
    """Return the error of always predicting the most frequent class."""
    return float(1 - counts.max() / counts.sum())


def balanced_error(predicted: ArrayLike, labels: ArrayLike, num_classes: int) -> float:
    """Return the mean over the classes that occur of each class's error, of labelled images; NaN without any."""
    truth, wrong = np.asarray(labels), np.asarray(predicted) != np.asarray(labels)
    errors = [wrong[truth == label].mean() for label in range(num_classes) if (truth == label).any()]
    return float(np.mean(errors)) if errors else float("nan")


def build_class_measures(num_classes: int, reference: ArrayLike) -> Callable[[Array, Array], Metrics]:
    """Return `(logits [count, classes], labels [count]) -> metrics` for unequal classes.

    The metrics are the mean over the classes that occur of each class's error, and the error of always predicting the
    most frequent class. For equal classes there are none; `reference` are labels by which they are judged.
    """
    unequal = are_unequal(count_classes(reference, num_classes))

    def measure(logits: Array, labels: Array) -> Metrics:
        if not unequal:
            return {}
        members = jax.nn.one_hot(labels, num_classes, dtype=jnp.float32)
        wrong = (jnp.argmax(logits, axis=1) != labels) | ~jnp.isfinite(logits).all(axis=1)
        counts = jnp.sum(members, axis=0)
        errors = jnp.sum(wrong[:, None] * members, axis=0) / jnp.maximum(counts, 1.0)
        return {
            "balanced_error": jnp.sum(errors) / jnp.sum(counts > 0, dtype=jnp.float32),
            "majority_error": 1.0 - jnp.max(counts) / jnp.sum(counts),
        }

    return measure


def describe_classes(
    dataset: Dataset,
    validation_labels: ArrayLike,
    reference: ArrayLike,
    frequencies: NDArray[np.float64] | None,
    *,
    tested: bool,
) -> dict[str, Any]:
    """Return the summary of class frequencies: counts by class, assumed frequencies, error of the majority class.

    Args:
        dataset: Data of the run.
        validation_labels: Labels of its validation images.
        reference: Labels by which classes count as equally frequent or not.
        frequencies: Frequencies assumed for the pool, or None.
        tested: Whether the run may use the test images.
    """
    counts = {"validation": count_classes(validation_labels, dataset.num_classes)}
    if tested:
        counts["test"] = count_classes(dataset.test_labels, dataset.num_classes)
    return {
        "unequal": are_unequal(count_classes(reference, dataset.num_classes)),
        "counts": {kind: own.tolist() for kind, own in counts.items()},
        "assumed": None if frequencies is None else frequencies.tolist(),
        "majority_error": {kind: majority_error(own) for kind, own in counts.items() if own.sum()},
    }


def say_classes(described: Mapping[str, Any], kind: str, balanced: str) -> list[str]:
    """Return the line on unequal classes printed at the end of a run; no line if classes are equal."""
    if not described["unequal"]:
        return []
    majority = 100 * described["majority_error"][kind]
    return [f"  always the most frequent class: {majority:.2f} %; mean error of a class {balanced}"]
