"""Evaluation of clusters found without labels: named by validation images, evaluated on test images."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.evaluation import ClusterReport, report_clusters
from aae_jax.evaluation.seeds import per_seed, percent, spoken
from aae_jax.models.shared.results import Labelled, by_seed, chosen_and_judged
from aae_jax.models.spec import RunSetup, Trained
from aae_jax.saved.model import Model
from aae_jax.types import Array

__all__ = [
    "CLUSTER_ERRORS",
    "cluster_lines",
    "clusters_of",
    "describe_clusters",
    "measure_clusters",
    "say_clusters",
    "within_majority",
]

CLUSTER_ERRORS = {
    "majority_error": "by majority vote",
    "most_certain_error": "by the paper's rule, the most certain image's class",
    "hungarian_error": "by the best one-to-one map",
}


def within_majority(logits: Array, labels: Array, num_classes: int) -> Array:
    """Return the share of images not in their cluster's most frequent class, which the same images determine."""
    clusters = jax.nn.one_hot(jnp.argmax(logits, axis=1), logits.shape[1], dtype=jnp.float32)
    counts = clusters.T @ jax.nn.one_hot(labels, num_classes, dtype=jnp.float32)
    return 1.0 - jnp.sum(jnp.max(counts, axis=1)) / labels.shape[0]


def measure_clusters(setup: RunSetup, trained: Trained) -> dict[str, Any]:
    """Return the cluster metrics by seed, and a description of each cluster of the first model.

    Clusters are named by the validation images and evaluated on the test images; if these must not be used, on the
    two halves of the validation images.
    """
    dataset, tested = setup.dataset, setup.config.test
    named, judged = chosen_and_judged(setup)
    reports = []

    def measure(model: Model, index: int) -> dict[str, float]:
        found = clusters_of(model, named, judged, dataset.num_classes)
        reports.append(found)
        return {name: float(value) for name, value in found._asdict().items() if np.ndim(value) == 0}

    found = by_seed(trained, measure)
    kind = "test" if tested else "validation"
    return {"clusters": {"measured_on": kind, **found, **describe_clusters(reports[0], dataset.class_names)}}


def clusters_of(model: Model, named: Labelled, judged: Labelled, num_classes: int) -> ClusterReport:
    """Return the metrics of a model's clusters.

    Args:
        model: Model with a label code.
        named: Images, as stored, and classes that name the clusters.
        judged: Images and classes on which these names are evaluated.
        num_classes: Number of classes.
    """
    logits = [np.asarray(model.encode_stored(jnp.asarray(images)).logits) for images, _ in (named, judged)]
    return report_clusters((logits[0], named[1]), (logits[1], judged[1]), num_classes)


def describe_clusters(found: ClusterReport, class_names: Sequence[str]) -> dict[str, list[Any]]:
    """Return each cluster's majority class (None for a cluster without images) and the share of its images in it."""
    names = [None if label < 0 else class_names[label] for label in found.majority]
    shares = [None if np.isnan(share) else round(float(share), 4) for share in found.agreement]
    return {"best_matching_label": names, "agreement": shares}


def cluster_lines(described: Mapping[str, Any]) -> list[str]:
    """Return a line for each cluster described by `describe_clusters`."""

    def line(name: str | None, share: float | None) -> str:
        if name is None:
            return "no image was there to name it"
        return f"best matching label {name}" if share is None else f"{100 * share:.1f} %, best matching label {name}"

    pairs = zip(described["best_matching_label"], described["agreement"], strict=True)
    return [f"Label {i}: {line(name, share)}" for i, (name, share) in enumerate(pairs)]


def say_clusters(summary: Mapping[str, Any]) -> list[str]:
    """Return a line for each cluster of the first seed, and lines with the errors over all seeds."""
    found = summary["clusters"]
    lines = cluster_lines(found)

    def of(name: str) -> np.ndarray:
        return per_seed(found[name])

    lines += [f"{found['measured_on']} error {percent(of(name))} {how}" for name, how in CLUSTER_ERRORS.items()]
    information, index = (spoken(of(n), 3) for n in ("normalised_mutual_information", "adjusted_rand_index"))
    used, clusters = np.nanmean(of("used")), len(found["agreement"])
    return [*lines, f"  NMI {information}, ARI {index}, {used:g} of {clusters} clusters used"]
