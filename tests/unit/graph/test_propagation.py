"""Labels spread over a graph: neighbours are the nearest, spread labels follow clusters, and what targets weigh."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from aae_jax import data, losses
from aae_jax.config import resolve
from aae_jax.errors import InputError
from aae_jax.graph import neighbours
from aae_jax.graph.clusters import cluster_targets_of, graph_clusters, graph_directions
from aae_jax.graph.neighbours import (
    Neighbours,
    graph_shift,
    nearest_neighbours,
    neighbours_of,
    principal_axes,
    principal_components,
)
from aae_jax.graph.propagation import (
    ALPHA,
    BANDWIDTH,
    certainty,
    graph_of,
    propagate_labels,
    propagated_targets,
    similarity_graph,
    targets_of,
)
from aae_jax.models import preset
from aae_jax.models.semi_supervised.phases import build_phases
from aae_jax.networks import build_mlp_networks
from aae_jax.train import optimizers
from aae_jax.train.epoch import TrainData, build_train_epoch
from aae_jax.train.hyper import traced
from aae_jax.train.phases import Phase, constant_schedule
from aae_jax.train.state import AAEState
from aae_jax.types import Batch
from tests.conftest import quick_init, uniform

pytestmark = pytest.mark.usefixtures("quick_compile")


def check_nearest_others(count, features, k, seed):
    points = np.random.default_rng(seed).normal(size=(count, features)).astype(np.float32)
    found = nearest_neighbours(jnp.asarray(points), k)
    chex.assert_shape(found, (count, k))
    distances, _ = cKDTree(points).query(points, k + 1)
    np.testing.assert_allclose(found.distances, distances[:, 1:] ** 2, rtol=1e-3, atol=1e-9)
    indices = np.asarray(found.indices)
    np.testing.assert_allclose(
        np.sum((points[:, None] - points[indices]) ** 2, axis=2), found.distances, rtol=1e-4, atol=1e-9
    )
    assert not (indices == np.arange(count)[:, None]).any()
    assert all(len(set(row)) == k for row in indices.tolist())


@pytest.mark.parametrize(("count", "features", "k"), [(12, 1, 11), (300, 6, 5)])
def test_neighbours_are_the_nearest_others(count, features, k):
    check_nearest_others(count, features, k, seed=0)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(count=st.integers(12, 300), features=st.integers(1, 6), k=st.integers(1, 11), seed=st.integers(0, 99))
def test_neighbours_are_the_nearest_others_whatever_the_shape(count, features, k, seed):
    check_nearest_others(count, features, k, seed)


def test_neighbours_are_the_same_in_blocks(monkeypatch):
    points = jnp.asarray(np.random.default_rng(1).normal(size=(157, 5)).astype(np.float32))
    whole = nearest_neighbours(points, 4)
    monkeypatch.setattr(neighbours, "ENTRIES", 157 * 10)
    nearest_neighbours.clear_cache()
    parts = nearest_neighbours(points, 4)
    nearest_neighbours.clear_cache()
    np.testing.assert_array_equal(whole.indices, parts.indices)
    np.testing.assert_allclose(whole.distances, parts.distances, rtol=1e-4, atol=1e-5)


def check_nearest_places(count, features, k, seed):
    draw = np.random.default_rng(seed)
    points = draw.normal(size=(count, features)).astype(np.float32)
    places = np.stack([points, *(points + draw.normal(size=points.shape).astype(np.float32) for _ in range(3))])
    found = nearest_neighbours(jnp.asarray(points), k, jnp.asarray(places))
    every = np.min(np.sum((places[:, :, None] - points) ** 2, axis=3), axis=0)
    np.fill_diagonal(every, np.inf)
    np.testing.assert_allclose(found.distances, np.sort(every, axis=1)[:, :k], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(
        np.take_along_axis(every, np.asarray(found.indices), 1), found.distances, rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize(("count", "features", "k"), [(12, 1, 8), (200, 6, 3)])
def test_neighbours_are_nearest_to_one_of_a_points_places(count, features, k):
    check_nearest_places(count, features, k, seed=0)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(count=st.integers(12, 200), features=st.integers(1, 6), k=st.integers(1, 8), seed=st.integers(0, 99))
def test_neighbours_are_nearest_to_one_of_a_points_places_whatever_the_shape(count, features, k, seed):
    check_nearest_places(count, features, k, seed)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_an_image_is_a_neighbour_of_itself_moved(channels):
    """Pairs of an image and the same one pixel away: theirs are the strongest edges, if images may be moved."""
    draw = np.random.default_rng(2)
    images = np.zeros((40, 12, 10, *channels), np.float32)
    images[:20, 3:-3, 3:-3] = draw.uniform(size=(20, 6, 4, *channels))
    for i, (down, right) in enumerate(draw.integers(-1, 2, (20, 2))):
        images[20 + i] = np.roll(images[i], (down, right), axis=(0, 1))
    partner = (np.arange(40) + 20) % 40
    graph = graph_of(images, max_shift=1).toarray()
    np.testing.assert_array_equal(graph.argmax(axis=1), partner)
    np.testing.assert_allclose(graph[np.arange(40), partner], 2.0, rtol=1e-3)
    assert np.mean(graph_of(images).toarray().argmax(axis=1) == partner) < 0.8


@pytest.mark.parametrize("count", [3, 8])
def test_a_few_images_are_compared_in_every_position(count):
    """Fewer than positions: all their positions span the axes, so distances are those of pixels."""
    images = np.random.default_rng(3).uniform(size=(count, 5, 5)).astype(np.float32)
    graph = graph_of(images, max_shift=1).toarray()
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    moved = [padded[:, i : i + 5, j : j + 5].reshape(count, -1) for i in range(3) for j in range(3)]
    every = np.min([((m[:, None] - images.reshape(count, -1)) ** 2).sum(axis=2) for m in moved], axis=0)
    apart = ~np.eye(count, dtype=bool)
    weights = np.exp(-every / (BANDWIDTH * np.median(every[apart]))) * apart
    np.testing.assert_allclose(graph, weights + weights.T, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize(("of_views", "of_the_graph"), [(0, 0), (1, 0), (2, 1), (3, 1), (5, 2), (16, 2)])
def test_neighbours_are_moved_by_half_of_what_views_are_up_to_two_pixels(of_views, of_the_graph):
    assert graph_shift(of_views) == of_the_graph


def test_plain_vectors_are_not_moved():
    with pytest.raises(InputError, match="plain vectors cannot be shifted"):
        graph_of(np.ones((20, 4), np.float32), max_shift=1)


@pytest.mark.parametrize("k", [0, 3])
def test_more_neighbours_than_there_are_others_are_refused(k):
    with pytest.raises(InputError, match="give a number from 1 to 2"):
        nearest_neighbours(jnp.ones((3, 2)), k)


def test_points_that_lie_together_are_neighbours_at_no_distance():
    found = nearest_neighbours(jnp.ones((30, 3)), 5)
    assert not np.any(np.asarray(found.indices) == np.arange(30)[:, None])
    np.testing.assert_array_equal(found.distances, 0.0)
    spread = propagate_labels(similarity_graph(found), np.array([0]), np.array([1]), 2)
    assert np.isfinite(spread).all()


def test_equal_points_do_not_part_the_others():
    """More than half of the pool are blank: the others are spread to as without them."""
    points, label = two_rings(200)
    blank = np.full((300, 2), 50.0, np.float32)
    alone = propagate_labels(graph_of(points), np.array([0, 1]), label[[0, 1]], 2)
    spread = propagate_labels(graph_of(np.concatenate([points, blank])), np.array([0, 1]), label[[0, 1]], 2)
    assert np.mean(spread[:200].argmax(axis=1) == alone.argmax(axis=1)) > 0.95
    targets = propagated_targets(spread)
    assert targets[200:].sum() < 1e-3 * targets.sum()
    assert targets.sum(axis=1).max() <= 10.0 + 1e-4


def test_a_point_apart_from_all_is_given_no_class(recwarn):
    points = np.concatenate([two_rings(60)[0], [[1e4, 0.0]]]).astype(np.float32)
    spread = propagate_labels(graph_of(points), np.array([0, 1]), np.array([0, 1]), 2)
    assert np.isfinite(spread).all()
    np.testing.assert_allclose(spread[-1], 0.5, atol=1e-3)
    assert [warning for warning in recwarn if warning.category is RuntimeWarning] == []


@pytest.mark.parametrize("shape", [(200, 9), (40, 60)])
def test_principal_components_are_those_of_the_covariance(shape):
    """By the distances between points, which signs and order of components do not change."""
    rows = np.random.default_rng(3).normal(size=shape) * np.geomspace(10, 0.1, shape[1])
    centred = rows - rows.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :4] * values[:4]
    given = jnp.asarray(rows, jnp.float32)
    found = np.asarray(principal_components(given, principal_axes(given, 4)), dtype=np.float64)
    chex.assert_shape(found, (shape[0], 4))
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=2e-3 * float(values[0] ** 2) / shape[0])


def test_the_graph_is_symmetric_and_counts_both_directions():
    neighbours = Neighbours(jnp.array([[1], [0], [1]]), jnp.array([[1.0], [1.0], [4.0]]))
    graph = similarity_graph(neighbours).toarray()
    np.testing.assert_allclose(graph, graph.T)
    near, far = np.exp(-1.0 / BANDWIDTH), np.exp(-4.0 / BANDWIDTH)
    np.testing.assert_allclose(graph, [[0, 2 * near, 0], [2 * near, 0, far], [0, far, 0]])


def two_rings(count=400):
    """Two circles, one within the other: classes that no distance to the labelled points tells apart."""
    draw = np.random.default_rng(0)
    angle = draw.uniform(0, 2 * np.pi, count)
    label = np.arange(count) % 2
    radius = 1 + label + 0.05 * draw.normal(size=count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32), label


def test_labels_follow_the_rings():
    points, label = two_rings()
    spread = propagate_labels(graph_of(points), np.array([0, 1]), label[[0, 1]], 2)
    chex.assert_shape(spread, (400, 2))
    np.testing.assert_allclose(spread.sum(axis=1), 1.0, rtol=1e-5)
    assert np.mean(spread.argmax(axis=1) == label) == 1.0
    nearest = np.argmin(((points[:, None] - points[None, :2]) ** 2).sum(axis=2), axis=1)
    assert np.mean(nearest == label) < 0.9, "distances alone do not tell"


def test_spread_labels_solve_the_fixed_point():
    """Zhou et al. 2004, equation (3): (1 − α)(I − αS)⁻¹ Y; then classes are equally frequent and rows sum to 1."""
    points, label = two_rings(60)
    graph = graph_of(points)
    spread = propagate_labels(graph, np.arange(6), label[:6], 2)
    weights = graph.toarray()
    root = np.sqrt(weights.sum(axis=1))
    given = np.zeros((60, 2))
    given[np.arange(6), label[:6]] = 1
    alpha = ALPHA
    exact = (1 - alpha) * np.linalg.solve(np.eye(60) - alpha * weights / np.outer(root, root), given)
    exact /= exact.sum(axis=0)
    exact /= exact.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(spread, exact, atol=0.005)  # after 400 steps of 0.99


def test_what_no_label_reaches_weighs_nothing():
    points = np.concatenate([two_rings(60)[0], two_rings(60)[0] + 1000])
    spread = propagate_labels(graph_of(points), np.array([0, 1]), np.array([0, 1]), 2)
    assert np.isfinite(spread).all()
    targets = propagated_targets(spread)
    assert targets[60:].sum() < 1e-3 * targets[:60].sum()


def test_targets_weigh_rows_by_their_certainty():
    rows = np.array([[1, 0, 0], [0.4, 0.6, 0], [1 / 3, 1 / 3, 1 / 3]], dtype=np.float32)
    weights = certainty(rows)
    assert weights[0] == pytest.approx(1.0)
    assert weights[1] == pytest.approx(1 + (0.4 * np.log(0.4) + 0.6 * np.log(0.6)) / np.log(3), abs=1e-5)
    assert weights[2] == pytest.approx(0.0, abs=1e-6)
    targets = propagated_targets(rows)
    assert targets.argmax(axis=1).tolist()[:2] == [0, 1]
    np.testing.assert_allclose(targets.sum(axis=1), weights / weights.mean(), rtol=1e-5)


def test_digits_are_spread_better_than_they_are_classified_by_the_nearest_labelled_one():
    digits = data.load_digits()
    splits = data.split_indices(digits.train_labels, num_classes=10, num_labels=100, label_seed=0)
    images, labels = digits.train_images[splits.unlabelled], digits.train_labels[splits.unlabelled]
    places = np.searchsorted(splits.unlabelled, splits.labelled)
    targets = targets_of(graph_of(images), places, labels[places], 10)
    rows = images.reshape(len(images), -1).astype(float)
    nearest = ((rows[:, None] - rows[None, places]) ** 2).sum(axis=2).argmin(axis=1)
    error, by_nearest = np.mean(targets.argmax(axis=1) != labels), np.mean(labels[places][nearest] != labels)
    assert error < 0.06
    assert error < 0.75 * by_nearest
    surest = np.argsort(-targets.sum(axis=1))[: len(images) // 2]
    assert np.mean(targets[surest].argmax(axis=1) != labels[surest]) < 0.4 * error


def generator_loss(weight, count=8):
    """Return the generator phase's loss and metrics of an untrained model for some images, by weight and targets."""
    base = preset("smoke")
    weights = dataclasses.replace(base.weights, consistency=0.0, propagation=weight)
    config = resolve(dataclasses.replace(base, weights=weights), (8, 8))
    networks = quick_init(build_mlp_networks(config.network, (8, 8), 10, conditional=config.conditional))
    params, stats = networks.init(jax.random.key(0))
    images, hyper = uniform(1, count, 8, 8), traced(config, 10)
    loss = jax.jit(build_phases(networks, config, num_classes=10)["generator"].loss)

    def found(weight, targets):
        batch = Batch(images, images, jnp.zeros(count, jnp.int32), targets)
        return loss(
            params, stats, batch, hyper.replace({"weights.propagation": jnp.float32(weight)}), jax.random.key(2)
        )

    return found


def test_the_generator_is_pulled_to_the_targets_by_the_weight():
    targets = jnp.asarray(0.5 * np.eye(8, 10, dtype=np.float32))
    without, _ = generator_loss(0.0)(0.0, targets)
    found = generator_loss(1.0)
    for weight in (1.0, 3.0):
        value, (_, metrics) = found(weight, targets)
        assert float(value) == pytest.approx(float(without) + weight * float(metrics["propagation"]), rel=1e-5)
    _, (_, certain) = found(1.0, 2 * targets)
    assert float(certain["propagation"]) == pytest.approx(2 * float(metrics["propagation"]), rel=1e-5)


def test_the_loss_is_the_weighted_cross_entropy():
    logits = jnp.log(jnp.array([[0.7, 0.3], [0.2, 0.8]]))
    targets = jnp.array([[1.0, 0.0], [0.0, 0.5]])
    expected = -(np.log(0.7) + 0.5 * np.log(0.8)) / 2
    assert float(losses.propagation_loss(logits, targets)) == pytest.approx(expected, rel=1e-6)


def test_a_weight_without_targets_is_refused():
    with pytest.raises(InputError, match="the data have no propagated labels"):
        generator_loss(1.0)(1.0, None)


def test_a_batch_has_its_own_images_targets():
    """A pool whose images say their number: so do the targets of each batch."""
    numbers = jnp.arange(20, dtype=jnp.float32)
    given = TrainData(
        jnp.broadcast_to(numbers[:, None, None] / 20, (20, 2, 2)),
        jnp.zeros((4, 2, 2)),
        jnp.zeros(4, jnp.int32),
        targets=jnp.stack([numbers, numbers + 1], axis=1),
    )

    def loss(params, stats, batch, hyper, key):
        wrong = jnp.sum(jnp.abs(20 * batch.images[:, 0, 0] - batch.targets[:, 0]))
        return jnp.sum(params["net"]) * 0.0, (stats, {"wrong": wrong, "mass": jnp.sum(batch.targets[:, 1])})

    phases = {"phase": Phase(("net",), loss, optimizers.adam())}
    epoch = build_train_epoch(
        phases, batch_size=5, labelled_batch_size=4, output="sigmoid", schedule=constant_schedule
    )
    weights = {"net": jnp.ones(3)}
    moments = {"phase": phases["phase"].optimizer.init({"net": weights["net"]})}
    state = AAEState(weights, {}, {}, {}, moments, jnp.asarray(0))
    hyper = traced({"optimizers": {"phase": {"learning_rate": 0.1}}}, 4)
    _, metrics = jax.jit(epoch)(state, given, hyper, jax.random.key(0), jnp.asarray(0))
    np.testing.assert_allclose(metrics["phase/wrong"], 0.0, atol=1e-4)
    assert float(metrics["phase/mass"].sum()) == pytest.approx(float(jnp.sum(numbers + 1)))


def test_neighbours_of_images_are_those_by_all_pixels():
    digits = data.load_digits().train_images[:300]
    found = neighbours_of(digits, 4)
    rows = digits.reshape(300, -1).astype(np.float64)
    distances, _ = cKDTree(rows).query(rows, 5)
    apart = np.linalg.norm(rows[:, None] - rows[np.asarray(found.indices)], axis=2)
    np.testing.assert_allclose(apart, distances[:, 1:], rtol=1e-3)
    assert neighbours_of(digits[:3], 10).indices.shape == (3, 2)


# Clusters


def rings(each: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points of three rings around each other, which no straight line parts, and which ring they are of."""
    which = np.repeat(np.arange(3), each)
    angles = np.tile(np.linspace(0, 2 * np.pi, each, endpoint=False), 3)
    radii = 1.0 + which
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1).astype(np.float32), which


def test_clusters_are_what_hangs_together():
    points, which = rings(200)
    graph = similarity_graph(nearest_neighbours(jnp.asarray(points), 10))
    directions = graph_directions(graph, 3)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0, rtol=1e-6)
    found = graph_clusters(directions)
    assert found.shape == (600,)
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (found, which), 1)
    assert sorted(counts.max(axis=1)) == sorted(counts.sum(axis=1)) == [200, 200, 200]
    np.testing.assert_array_equal(found, graph_clusters(graph_directions(graph, 3)))
    assert set(graph_clusters(graph_directions(graph, 7), seed=3)) == set(range(7))


@pytest.mark.parametrize("clusters", [0, 1, 61, 100])
def test_clusters_that_a_graph_cannot_have_are_refused(clusters):
    graph = similarity_graph(nearest_neighbours(jnp.asarray(rings(20)[0]), 5))
    with pytest.raises(InputError, match=f"num_clusters is {clusters} for 60 points; give a number from 2 to 60"):
        graph_directions(graph, clusters)
    assert len(set(graph_clusters(graph_directions(graph, 60)))) > 50


def test_targets_of_clusters_are_surer_the_more_neighbours_are_in_the_same():
    """A point with all neighbours in its cluster, one with half of them, one with none, one without neighbours."""
    weights = np.zeros((11, 11))
    weights[0, [1, 2, 3, 4]] = weights[5, [1, 2, 8, 9]] = weights[6, [7, 8, 9]] = 1.0
    graph = scipy.sparse.csr_matrix(weights + weights.T)
    clusters = np.asarray([0, 0, 0, 0, 0, 0, 0, 15, 15, 15, 3])
    targets = cluster_targets_of(graph, clusters, 16)
    assert targets.dtype == np.float32
    np.testing.assert_array_equal(targets.argmax(axis=1)[:10], clusters[:10])
    assert (np.count_nonzero(targets, axis=1) <= 1).all()
    assert targets.sum(axis=1).mean() == pytest.approx(1.0, rel=1e-4)
    inside, half, outside, alone = targets.sum(axis=1)[[0, 5, 6, 10]]
    assert inside > half > outside > alone == 0.0
    assert outside == pytest.approx(0.75 * inside, rel=1e-4)


def test_clusters_of_digits_are_mostly_of_one_class():
    digits = data.load_digits()
    found = graph_clusters(graph_directions(graph_of(digits.train_images), 20))
    counts = np.zeros((20, 10), int)
    np.add.at(counts, (found, digits.train_labels), 1)
    assert counts.max(axis=1).sum() / counts.sum() > 0.9


def test_clusters_of_a_large_graph_of_several_parts_are_its_parts():
    """One eigenvalue, as many eigenvectors as there are parts."""
    generator = np.random.default_rng(0)
    which = generator.integers(0, 6, size=2500)
    points = 30 * generator.normal(size=(6, 8))[which] + generator.normal(size=(2500, 8))
    graph = similarity_graph(nearest_neighbours(jnp.asarray(points, jnp.float32), 8))
    found = graph_clusters(graph_directions(graph, 6))
    counts = np.zeros((6, 6), int)
    np.add.at(counts, (found, which), 1)
    assert (counts.max(axis=1) == counts.sum(axis=1)).all()
    with pytest.raises(InputError, match="num_clusters is 500 for 2500 points; give a number from 2 to 490"):
        graph_directions(graph, 500)
