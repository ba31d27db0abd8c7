"""Several seeds in one program: each fails on its own, and the run stops when none is left."""

import json
import shutil

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax import data
from aae_jax.data import Quiet
from aae_jax.errors import InputError
from aae_jax.evaluation.seeds import over_seeds
from aae_jax.models.autoencoder import experiment as autoencoder
from aae_jax.models.semi_supervised import experiment as semi_supervised
from aae_jax.models.shared.plan import main_plan
from aae_jax.run import setup as problem
from aae_jax.run import trainer, training
from aae_jax.run.arguments import parse
from aae_jax.run.callbacks import first_failure
from aae_jax.run.console import Console
from aae_jax.run.run_dir import RunFolder
from aae_jax.saved import storage as bundle
from reproduce import recording
from reproduce.tables import Row
from tests.runs.running import PLAIN, SMALL, copied, drawing, plain_status, rows, status, train_plain
from tests.runs.running import summary as read_summary

SEEDS, POISONED = (5, 6, 7), 1


def spoil(state, network):
    """Return the state with one seed's weights of a network not a number."""
    spoiled = jax.tree.map(lambda leaf: leaf.at[POISONED].set(jnp.nan), state.params[network])
    return state._replace(params={**state.params, network: spoiled})


def failed_run(model, network, tmp_path_factory):
    """Return the folder of three seeds, of which the middle one fails, and the states of the same run unharmed."""
    folder, original, kept = tmp_path_factory.mktemp("seeds") / "run", main_plan, {}

    def task(posed):
        good = original(posed)
        kept["unharmed"] = trainer.fit(
            good.build_state(),
            posed.data,
            train_epoch=good.train_epoch,
            hyper=good.hyper,
            key=good.keys,
            epochs=good.epochs,
        )[0]
        return good._replace(build_state=lambda: spoil(good.build_state(), network))

    nothing = over_seeds([0.5] * len(SEEDS), [True] * len(SEEDS))
    baseline = {
        "updates": 0,
        "test": {"error": nothing},
        "validation": {"error": nothing},
    }  # test_run.py has a real one
    with pytest.MonkeyPatch.context() as patch, drawing():
        patch.setattr(semi_supervised, "_train_baseline", lambda *_: baseline)
        patch.setattr(training, "main_plan", task)
        small = PLAIN if model == "autoencoder" else SMALL
        assert status(*small, "--num-seeds", len(SEEDS), "--seed", SEEDS[0], "--out-dir", folder, model=model) == 0
    return folder, kept["unharmed"]


@pytest.fixture(scope="module")
def one_failed(tmp_path_factory, figures_on_demand):
    """A run of the semi-supervised model whose second seed's discriminator of z is not a number."""
    return failed_run("semi_supervised", "discriminator_z", tmp_path_factory)


@pytest.fixture(scope="module")
def plain_failed(tmp_path_factory, figures_on_demand):
    """The same of an autoencoder and its encoder."""
    return failed_run("autoencoder", "encoder", tmp_path_factory)


EITHER = pytest.mark.parametrize("failed", ["plain_failed", pytest.param("one_failed", marks=pytest.mark.slow)])


@pytest.mark.slow
def test_the_failed_seed_has_its_subset_and_the_phase_that_failed(one_failed):
    found = read_summary(one_failed[0])
    assert found["label_seeds"] == list(SEEDS)
    assert found["failed_seeds"] == {"6": {"update": 1, "phase": "discriminator_z"}}


def test_the_failed_seed_is_marked_with_phase_and_update(plain_failed):
    found = read_summary(plain_failed[0])
    assert found["seeds"] == list(SEEDS)
    assert found["failed_seeds"] == {"6": {"update": 1, "phase": "reconstruction"}}


def test_the_others_are_summed_up_without_it(plain_failed):
    folder = plain_failed[0]
    error = read_summary(folder)["test"]["reconstruction_error"]
    first, failed, last = error["per_seed"]
    assert failed is None
    assert first != last
    assert error["mean"] == pytest.approx(np.mean([first, last]))
    assert error["std"] == pytest.approx(np.std([first, last], ddof=1))
    assert {path.name for path in folder.glob("model*")} == {"model", "model-s7"}


@pytest.mark.slow
def test_errors_of_the_others_are_those_of_their_models(one_failed):
    folder, dataset = one_failed[0], data.load_dataset("digits")
    error = read_summary(folder)["test"]["error"]
    assert error["per_seed"][POISONED] is None
    survivors = [error["per_seed"][0], error["per_seed"][2]]
    for kept, name in zip(survivors, ("model", "model-s7"), strict=True):
        predicted = np.asarray(bundle.load(folder / name).predict(dataset.test_images))
        assert kept == np.mean(predicted != dataset.test_labels)
    assert error["mean"] == pytest.approx(np.mean(survivors))
    assert error["std"] == pytest.approx(np.std(survivors, ddof=1))
    assert not (folder / "model-s6").exists()


@EITHER
def test_the_others_are_not_touched_by_it(failed, request):
    folder, unharmed = request.getfixturevalue(failed)
    for index, name in ((0, "model"), (2, "model-s7")):
        model = bundle.load(folder / name)
        for network in ("encoder", "decoder"):
            expected = jax.tree.map(lambda leaf, i=index: leaf[i], unharmed.averaged_params[network])
            assert jax.tree.leaves(expected)
            chex.assert_trees_all_equal(dict(model.params)[network], expected)


@pytest.mark.parametrize(
    ("failed", "names", "figures"),
    [
        ("plain_failed", ("reconstruction/loss", "validation_reconstruction_error"), 6),
        pytest.param("one_failed", ("discriminator_z/loss", "validation_error"), 12, marks=pytest.mark.slow),
    ],
)
def test_its_losses_are_null_and_the_figures_are_drawn(failed, names, figures, request):
    folder = request.getfixturevalue(failed)[0]
    last = rows(folder)[-1]
    for name in names:
        assert [value is None for value in last[name]] == [False, True, False]
    assert len(list((folder / "figures").glob("*.png"))) == figures


@pytest.mark.slow
def test_each_survivor_has_its_own_temperature(one_failed):
    folder, sure = one_failed[0], read_summary(one_failed[0])["calibration"]
    assert sure["temperature"][POISONED] is sure["expected_error"]["per_seed"][POISONED] is None
    for index, name in ((0, "model"), (2, "model-s7")):
        assert bundle.load(folder / name).temperature == sure["temperature"][index]
    assert sure["temperature"][0] != sure["temperature"][2]


def test_when_all_fail_at_once_the_run_stops_and_says_what_to_try(tmp_path, capsys):
    assert train_plain(tmp_path / "run", "--optimizers.reconstruction.learning-rate", "1e30") == 1
    said = capsys.readouterr().out
    assert "Seed 0 failed: phase" in said
    assert "Try a lower --optimizers" in said
    assert "last good state" not in said  # there is none
    assert not (tmp_path / "run" / "summary.json").exists()
    assert not (tmp_path / "run" / "model").exists()


def test_when_all_fail_later_the_last_good_checkpoint_is_kept(stopped, tmp_path, monkeypatch, capsys):
    folder, original = copied(stopped, tmp_path / "run"), main_plan

    def task(posed):
        good = original(posed)
        rates = jax.tree.map(lambda rate: jnp.full_like(rate, 1e30), good.hyper.optimizers)
        return good._replace(hyper=good.hyper.replace({"optimizers": rates}))

    monkeypatch.setattr(training, "main_plan", task)
    assert plain_status("--resume", folder) == 1
    assert f"the last good state is kept in {folder / 'checkpoints' / 'last'}" in capsys.readouterr().out
    posed = problem.build_setup(autoencoder.SPEC, parse(autoencoder.SPEC, PLAIN).config, Quiet())
    run = trainer.Trainer(posed, original(posed), RunFolder(folder), Console())
    state, epoch = run._restore()
    assert epoch == 2
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ((), None),
        ((("b/loss", 2),), (2, "b")),
        ((("b/loss", 1), ("a/loss", 1)), (1, "b")),
        ((("b/loss", 2), ("a/loss", 1)), (1, "a")),
        ((("a/norm", 0),), None),
    ],
)
def test_first_failure_is_the_first_phase_of_the_first_update(bad, expected):
    metrics = {name: np.zeros((2, 4)) for name in ("b/loss", "a/loss", "a/norm")}
    for name, update in bad:
        metrics[name][1, update:] = np.nan
    metrics = {name: jnp.asarray(values) for name, values in metrics.items()}
    assert first_failure(metrics, 1, ["b", "a"]) == expected
    assert first_failure(metrics, 0, ["b", "a"]) is None


@pytest.mark.parametrize(
    ("errors", "alive", "mean", "std"),
    [
        ([0.1], [True], 0.1, None),
        ([0.1, 0.3], [True, True], 0.2, np.sqrt(0.02)),
        ([0.1, 0.9, 0.3], [True, False, True], 0.2, np.sqrt(0.02)),
        ([0.1, 0.9], [False, False], None, None),
    ],
)
def test_mean_and_spread_over_seeds(errors, alive, mean, std):
    found = over_seeds(errors, alive)
    assert found["per_seed"] == [e if a else None for e, a in zip(errors, alive, strict=True)]
    assert found["mean"] == (None if mean is None else pytest.approx(mean))
    assert found["std"] == (None if std is None else pytest.approx(std))


def recordable(run, folder):
    """Return the row's folder with a finished run's files in it, and what it was planned with."""
    shutil.copytree(run, folder / "run")
    (folder / "plan.json").write_text('{"budget_minutes": null}', encoding="utf-8")
    return folder / "run"


def record_of(folder):
    row = Row("row", "best", 100, False, "smoke", 2)
    path = recording.record(row, folder, folder / "results", Console())
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_record_has_no_answers_of_the_failed_seed(one_failed, tmp_path):
    recordable(one_failed[0], tmp_path)
    found = record_of(tmp_path)
    for name in ("confusion", "as_trained", "calibrated"):
        assert [one is None for one in found["answers"][name]] == [False, True, False]
    images = found["splits"]["test"]
    for seed in (0, 2):
        wrong = images - np.trace(found["answers"]["confusion"][seed])
        assert wrong / images == pytest.approx(found["test_error"]["per_seed"][seed])


@pytest.mark.slow
def test_where_the_first_seed_failed_the_first_model_is_the_seconds(one_failed, tmp_path):
    """The same run as if seed 6, which failed, had been its first."""
    run = recordable(one_failed[0], tmp_path)
    text = (run / "config.yaml").read_text(encoding="utf-8")
    (run / "config.yaml").write_text(text.replace("seed: 5\nnum_seeds: 3", "seed: 6\nnum_seeds: 2"), encoding="utf-8")
    shutil.rmtree(run / "model")
    (run / "model-s7").rename(run / "model")
    summary = read_summary(run)
    summary["seeds"] = summary["seeds"][1:]
    summary["test"]["error"]["per_seed"] = summary["test"]["error"]["per_seed"][1:]
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    found = record_of(tmp_path)
    assert found["config"]["seed"] == 6
    assert [one is None for one in found["answers"]["confusion"]] == [True, False]


@pytest.mark.slow
def test_models_of_another_run_are_not_recorded(one_failed, tmp_path):
    run = recordable(one_failed[0], tmp_path)
    summary = read_summary(run)
    summary["test"]["error"]["per_seed"][2] += 0.05
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    with pytest.raises(InputError, match=r"The model in .* has an error of .* its run of"):
        record_of(tmp_path)
