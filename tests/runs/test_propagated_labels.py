"""Runs and sweeps with propagated labels: each seed has its own, and a stop or a sweep changes nothing."""

import dataclasses
import signal

import numpy as np
import pytest

from aae_jax import data
from aae_jax.config import ViewConfig
from aae_jax.data import Quiet, split_indices
from aae_jax.graph import neighbours, propagation
from aae_jax.models.clustering.config import ClusteringConfig, ClusteringWeights
from aae_jax.models.semi_supervised import experiment as semi_supervised
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig, WeightsConfig
from aae_jax.models.semi_supervised.experiment import SPEC
from aae_jax.models.shared import graph_labels as propagated
from aae_jax.models.shared.graph_labels import forget_graphs, pool_neighbours, propagated_labels
from aae_jax.run import setup as problem
from aae_jax.run.arguments import parse
from aae_jax.run.console import Console, DataReporter
from aae_jax.run.sweep import command as sweep
from aae_jax.run.sweep.members import Member, prepare_chunk
from reproduce import command
from tests.runs.conftest import interrupt_after
from tests.runs.running import SMALL, evidence, rows, status, train

PROPAGATION = ("--weights.propagation", "3", "--weights.propagation-fade", "0.5")


@pytest.fixture(scope="module")
def propagated_run(tmp_path_factory, figures_on_demand):
    folder = tmp_path_factory.mktemp("propagated") / "run"
    assert train(folder, *PROPAGATION) == 0
    return folder


@pytest.mark.slow  # test_reproduce.py trains with propagated labels too
def test_the_term_is_in_the_metrics(propagated_run, finished):
    found = [row["generator/propagation"][0] for row in rows(propagated_run)]
    assert found[-1] < found[0]
    assert "generator/propagation" not in rows(finished)[0]


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_bits(propagated_run, tmp_path, monkeypatch):
    """With the labels it began with: computed on other threads they would differ in their last bits."""
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 1, signal.SIGTERM)
        assert train(tmp_path / "run", *PROPAGATION) == 128 + signal.SIGTERM
    changed = dataclasses.replace(SPEC, find_targets=lambda *args: 0.99 * propagated_labels(*args))
    monkeypatch.setattr(semi_supervised, "SPEC", changed)
    assert status("--resume", tmp_path / "run") == 0
    assert evidence(tmp_path / "run") == evidence(propagated_run)


def test_each_seed_and_number_of_labels_spreads_its_own():
    digits = data.load_digits()
    with_it = SemiSupervisedConfig(labels=100, weights=WeightsConfig(propagation=1.0))
    more = SemiSupervisedConfig(labels=200, weights=WeightsConfig(propagation=1.0))
    assert propagated_labels(digits, [(SemiSupervisedConfig(labels=100), 0)], 0, Quiet()) is None
    found = propagated_labels(digits, [(with_it, 0), (with_it, 1), (more, 0), (with_it, 0)], 0, Quiet())
    splits = split_indices(digits.train_labels, num_classes=10, num_labels=100, label_seed=0)
    assert found.shape == (4, len(splits.unlabelled), 10)
    np.testing.assert_array_equal(found[0], found[3])
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    labelled = np.searchsorted(splits.unlabelled, splits.labelled)
    own = found[0][labelled].argmax(axis=1)
    assert np.mean(own == digits.train_labels[splits.labelled]) > 0.98


def test_without_labels_there_are_the_clusters_of_the_graph():
    digits = data.load_digits()
    config = ClusteringConfig(num_clusters=12, weights=ClusteringWeights(propagation=1.0))
    found = propagated_labels(digits, [(config, 0), (config, 0), (config, 1)], 0, Quiet())
    assert found.shape == (3, len(digits.train_images) - 135, 12)
    assert ((found > 0).sum(axis=1) > 0).all()
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def graphs_computed(monkeypatch):
    """Return a list to which each graph that is computed from now on adds its shift; none is remembered."""
    forget_graphs()
    asked, computed = [], propagation.graph_of
    monkeypatch.setattr(propagation, "graph_of", lambda *args: asked.append(args[1]) or computed(*args))
    return asked


def test_a_budgets_timing_and_its_run_spread_labels_once(monkeypatch):
    """As `reproduce --budget-minutes` does: a pass is timed, then the run begins."""
    asked = graphs_computed(monkeypatch)
    spread, computed = [], propagation.targets_of
    monkeypatch.setattr(propagation, "targets_of", lambda *args: spread.append(args[1]) or computed(*args))
    argv = ["--preset", "smoke", "--dataset", "digits", "--labels", "50", "--weights.propagation", "1"]
    problems = [
        build_setup(SPEC, parse(SPEC, [*argv, "--num-seeds", count]).config, Quiet())
        for build_setup, count in ((command.build_setup, "2"), (problem.build_setup, "3"))
    ]
    assert asked == [0]
    assert len(spread) == 3, "two subsets, and the one that the second run has more"
    np.testing.assert_array_equal(problems[0].data.targets, problems[1].data.targets[:2])
    other = ["--split-seed", "1"]
    problem.build_setup(SPEC, parse(SPEC, [*argv, *other]).config, Quiet())
    assert len(asked) == 2, "another pool has another graph"


def test_neighbours_of_a_pool_are_found_once(monkeypatch):
    forget_graphs()
    counted, computed = [], neighbours.neighbours_of
    monkeypatch.setattr(neighbours, "neighbours_of", lambda *args: counted.append(args[1:]) or computed(*args))
    images = np.random.default_rng(0).random((30, 4, 4)).astype(np.float32)
    first, second = (pool_neighbours(images, 3, 0, Quiet()) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    pool_neighbours(images, 4, 0, Quiet())
    pool_neighbours(images, 3, 2, Quiet())
    pool_neighbours(images + np.float32(0.25), 3, 0, Quiet())
    assert counted == [(3, 0), (4, 0), (3, 1), (3, 0)]


def test_what_is_remembered_is_bounded(monkeypatch):
    forget_graphs()
    monkeypatch.setattr(propagated, "MAX_KEPT", 2)
    for k in range(1, 5):
        pool_neighbours(np.eye(9, dtype=np.float32), k, 0, Quiet())
    assert len(propagated._kept) == 2


def test_neighbours_may_be_moved_by_half_of_the_views_shift(monkeypatch):
    asked = graphs_computed(monkeypatch)
    still, moved = (
        SemiSupervisedConfig(
            dataset="digits", labels=100, weights=WeightsConfig(propagation=1.0), views=ViewConfig(max_shift=shift)
        )
        for shift in (1, 2)
    )
    targets = [problem.build_setup(SPEC, config, Quiet()).data.targets for config in (still, moved)]
    assert asked == [0, 1]
    assert not np.array_equal(*targets)
    in_a_sweep, _ = prepare_chunk(SPEC, moved, data.load_digits(), [{}], [Member(0, 0)], [0], None, Quiet())
    assert asked == [0, 1], "a graph is computed once"
    np.testing.assert_array_equal(in_a_sweep.data.targets, targets[1])


@pytest.mark.slow
def test_a_member_of_a_sweep_trains_as_alone(propagated_run, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "write_results", lambda *_: [])
    space = ("--vary", "weights.propagation=1,3", "labels=100,150", "--num-seeds", "1")
    fade = ("--weights.propagation-fade", "0.5")
    argv = [*SMALL, *space, *fade, "--out-dir", tmp_path / "sweep"]
    assert sweep.main([str(a) for a in argv]) == 0
    together = rows(tmp_path / "sweep" / "chunks" / "000")
    for single, many in zip(rows(propagated_run), together, strict=True):
        assert many["validation_error"][2] == single["validation_error"][0]  # weight 3, 100 labels
        assert many["generator/propagation"][2] == pytest.approx(single["generator/propagation"][0], rel=1e-4)
        assert many["generator/propagation"][2] != pytest.approx(many["generator/propagation"][3], rel=1e-3)


def test_bad_weights_are_refused(capsys, tmp_path):
    assert train(tmp_path / "run", "--weights.propagation", "-1") == 2
    assert "weights.propagation is -1" in capsys.readouterr().err
    assert train(tmp_path / "run", "--weights.propagation-fade", "2") == 2
    assert "weights.propagation_fade is 2" in capsys.readouterr().err


def test_a_run_says_that_it_links_images_and_one_without_does_not(capsys):
    forget_graphs()
    for weight, said in (("1", True), ("0", False)):
        argv = ["--preset", "smoke", "--dataset", "digits", "--labels", "50", "--weights.propagation", weight]
        problem.build_setup(SPEC, parse(SPEC, argv).config, DataReporter(Console()))
        assert ("linking 1,212 images to their nearest neighbours" in capsys.readouterr().out) == said
