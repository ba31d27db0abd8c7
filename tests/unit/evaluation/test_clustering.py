"""Clusters are named by some images, by three rules, and judged by others."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from aae_jax.errors import InputError
from aae_jax.evaluation.clustering import (
    NO_CLASS,
    hungarian_map,
    majority_map,
    mapped_error,
    most_certain_map,
    report_clusters,
)


def drawn(seed, clusters=7, classes=4, count=300, share=0.7):
    """Return clusters that follow the classes in part."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, classes, count)
    found = np.where(draw.uniform(size=count) < share, labels, draw.integers(0, clusters, count))
    return found, labels


def one_hot(clusters, count):
    """Return logits of certain clusters."""
    return 50.0 * np.eye(count)[clusters]


def test_measures_without_names_are_of_the_judged_images():
    (named, classes), (found, labels) = drawn(0), drawn(1, share=0.3)
    report = report_clusters((one_hot(named, 7), classes), (one_hot(found, 7), labels), 4)
    assert report.normalised_mutual_information == pytest.approx(normalized_mutual_info_score(labels, found))
    assert report.adjusted_rand_index == pytest.approx(adjusted_rand_score(labels, found))
    assert report.used == 7


COUNTS = np.array([[5, 1, 0], [0, 2, 3], [4, 0, 0], [0, 0, 0]])


def test_the_majority_may_name_two_clusters_alike():
    assert majority_map(COUNTS).tolist() == [0, 2, 0, NO_CLASS]


def test_the_hungarian_map_is_one_to_one():
    mapping = hungarian_map(COUNTS)
    assert sorted(c for c in mapping.tolist() if c != NO_CLASS) == [0, 1, 2]
    assert mapping.tolist()[:2] == [0, 2]
    more_classes = hungarian_map(COUNTS.T)
    assert sorted(more_classes.tolist()) == sorted(set(more_classes.tolist()))


def test_the_most_certain_image_names_its_cluster():
    logits = np.log(np.array([[0.9, 0.1], [0.95, 0.05], [0.2, 0.8], [0.4, 0.6]]))
    assert most_certain_map(logits, np.array([3, 1, 2, 0])).tolist() == [1, 2]


def test_of_images_whose_probability_rounds_to_one_the_surest_names_the_cluster():
    logits = np.array([[100.0, 0.0], [900.0, 0.0], [0.0, 50.0]], np.float32)
    assert most_certain_map(logits, np.array([0, 1, 0])).tolist() == [1, 0]


def test_an_image_of_a_cluster_without_a_name_is_wrong():
    assert mapped_error(np.array([0, 3, 3]), np.array([0, 0, 1]), np.array([0, 2, 0, NO_CLASS])) == pytest.approx(
        2 / 3
    )


def test_names_come_from_the_first_images_and_errors_from_the_second():
    """Cluster 1 is of class 1 where it is named, of class 0 where it is judged; cluster 2 is empty where named."""
    named = one_hot(np.array([0, 0, 1, 1]), 3), np.array([0, 0, 1, 1])
    judged = one_hot(np.array([0, 0, 1, 2]), 3), np.array([0, 0, 0, 0])
    report = report_clusters(named, judged, 2)
    assert (report.majority_error, report.most_certain_error, report.hungarian_error) == (0.5, 0.25, 0.5)
    assert report.majority.tolist() == [0, 1, NO_CLASS]
    assert report.used == 3
    np.testing.assert_array_equal(report.agreement, [1.0, 0.0, 0.0])
    empty = report_clusters(named, (judged[0][:3], judged[1][:3]), 2)
    assert np.isnan(empty.agreement[2])
    assert empty.used == 2


def test_more_clusters_lower_the_majoritys_error_and_not_the_hungarians():
    """Every image its own cluster: the majority on the same images is never wrong, which says nothing."""
    labels = np.random.default_rng(0).integers(0, 3, 30)
    alone = one_hot(np.arange(30), 30), labels
    report = report_clusters(alone, alone, 3)
    assert report.majority_error == 0.0
    assert report.hungarian_error == pytest.approx(27 / 30)


@pytest.mark.parametrize("broken", [0, 1])
def test_what_cannot_be_judged_is_refused(broken):
    good = one_hot(np.array([0, 1]), 2), np.array([0, 1])
    none = np.zeros((0, 2)), np.zeros(0, np.int64)
    bad = np.array([[np.nan, 1.0]]), np.array([0])
    unknown = one_hot(np.array([0]), 2), np.array([-1])
    for other, said in ((none, "there are none"), (bad, "not finite"), (unknown, "not from 0 to 1")):
        pair = [good, good]
        pair[broken] = other
        with pytest.raises(InputError, match=said):
            report_clusters(*pair, 2)
