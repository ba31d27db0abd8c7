"""The command `reproduce`: rows of a table are trained within a budget, resumed, and recorded whole."""

import functools
import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from aae_jax import data
from aae_jax.config.text import from_mapping
from aae_jax.data import split_indices
from aae_jax.errors import InputError
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.models.semi_supervised.experiment import SPEC
from reproduce import command, recording
from reproduce.command import epochs_within
from reproduce.models import ModelRow
from reproduce.tables import TABLES, Row
from tests.runs.conftest import interrupt_after
from tests.runs.running import rows, summary

FLAGS = ("--checkpoint-seconds", "0", "--network.precision", "float32", "--weights.propagation", "3")
TOY = (
    Row("toy-100", "best", 100, True, "smoke", 3, FLAGS),
    Row("toy-all", "faithful", "all", False, "smoke", 2),
)


@pytest.fixture(autouse=True)
def toy_table(monkeypatch):
    monkeypatch.setitem(TABLES, "toy", TOY)


def reproduced(*argv, seeds=2):
    try:
        return command.main(["--table", "toy", "--dataset", "digits", "--num-seeds", str(seeds), *map(str, argv)])
    except SystemExit as stopped:
        return stopped.code


def recorded(name, folder="runs/toy/results"):
    return json.loads((Path(folder) / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, figures_on_demand):
    """The folder `runs` of a command that trained and recorded the row toy-100."""
    folder = tmp_path_factory.mktemp("reproduced")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TABLES, "toy", TOY)
        patch.chdir(folder)
        assert reproduced("--rows", "toy-100") == 0
    return folder / "runs"


@pytest.fixture
def done(trained):
    """Work beside a copy of that folder."""
    shutil.copytree(trained, "runs")


@pytest.mark.usefixtures("done")
def test_a_row_is_trained_and_recorded():
    found, run = recorded("toy-100"), summary(Path("runs/toy/toy-100/run"))
    assert found["test_error"] == run["test"]["error"]
    assert found["validation_error"] == run["validation"]["error"]
    assert found["baseline"]["test_error"] == run["baseline"]["test"]["error"]
    assert found["updates"] == found["full_updates"] == run["updates"]
    spread = [row["generator/propagation"] for row in rows(Path("runs/toy/toy-100/run"))]
    assert np.less(spread[-1], spread[0]).all()
    assert len(found["curve"]["update"]) == len(found["curve"]["validation_error"]) == 3
    assert found["curve"]["validation_error"][-1] == pytest.approx(found["validation_error"]["per_seed"])
    config = from_mapping(SemiSupervisedConfig, found["config"])
    assert (config.labels, config.epochs, config.num_seeds) == (100, 3, 2)
    labels = data.load_digits().train_labels
    for seed, subset in found["subsets"].items():
        expected = split_indices(labels, num_classes=10, num_labels=100, label_seed=int(seed)).labelled
        np.testing.assert_array_equal(subset, expected)
        assert set(np.bincount(labels[subset])) == {10}
    assert found["subsets"]["0"] != found["subsets"]["1"]


@pytest.mark.slow
def test_all_rows_are_trained_and_recorded():
    assert reproduced() == 0
    assert recorded("toy-100")["subsets"] != "all"
    assert recorded("toy-all")["subsets"] == "all"


@pytest.mark.parametrize("tested", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_record_says_what_is_taken_for_what_and_how_sure(tested, trained):
    """By each seed's saved model: its error, and its calibration error, are those of the run."""
    if tested:
        shutil.copytree(trained, "runs")
    else:
        assert reproduced("--rows", "toy-100", "--no-test") == 0
    found, answers = recorded("toy-100"), recorded("toy-100")["answers"]
    measured = "test" if tested else "validation"
    images, errors = found["splits"][measured], found[f"{measured}_error"]["per_seed"]
    assert answers["measured_on"] == measured
    for seed in (0, 1):
        confusion = np.asarray(answers["confusion"][seed])
        assert confusion.shape == (10, 10)
        assert confusion.sum() == images
        assert 1 - np.trace(confusion) / images == pytest.approx(errors[seed])
        for name, said in (("as_trained", "expected_error"), ("calibrated", "calibrated_error")):
            bins = answers[name][seed]
            assert sum(b["images"] for b in bins) == images
            gap = sum(b["images"] * abs(b["accuracy"] - b["confidence"]) for b in bins) / images
            assert gap == pytest.approx(found["calibration"][said]["per_seed"][seed], abs=1e-5)
    assert answers["confusion"][0] != answers["confusion"][1]


@pytest.mark.slow
def test_the_same_command_goes_on_with_what_was_stopped(tmp_path, capsys):
    where = ("--rows", "toy-100", "--out-dir", tmp_path / "runs", "--results-dir", "results/toy")
    kept = Path("results/toy/toy-100.json")
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 1, signal.SIGTERM)
        assert reproduced(*where) == 128 + signal.SIGTERM
    assert not kept.exists()
    assert reproduced(*where) == 0
    resumed = recorded("toy-100", kept.parent)
    assert len(resumed["resumed"]) == 1
    assert reproduced("--rows", "toy-100") == 0
    whole = recorded("toy-100")
    assert whole["resumed"] == []
    assert whole["curve"] == resumed["curve"]
    assert whole["test_error"] == resumed["test_error"]
    capsys.readouterr()
    kept.unlink()
    assert reproduced(*where) == 0
    assert "is finished" in capsys.readouterr().out
    assert recorded("toy-100", kept.parent) == resumed


def test_a_plan_keeps_the_length_that_a_budget_decided(monkeypatch):
    passes = iter((20.0, 1.0))
    monkeypatch.setattr(command, "time_pass", lambda *_: next(passes))
    flags = command.Flags(table="toy", dataset="digits", num_seeds=2, budget_minutes=0.7)
    planned, folder = functools.partial(command._planned_epochs, TOY[0]), Path("runs/toy/toy-100")
    assert planned(flags, folder, command.Console()) == 2
    (folder / "run").mkdir()
    (folder / "run" / "config.yaml").write_text("", encoding="utf-8")
    assert planned(flags, folder, command.Console()) == 2, "the length is that of the plan"
    with pytest.raises(InputError, match=r"was started with 0\.7 minutes and 2 seeds, not no budget and 2 seeds"):
        planned(replace(flags, budget_minutes=None), folder, command.Console())


@pytest.mark.slow
def test_a_budget_decides_the_length_once(monkeypatch, capsys):
    monkeypatch.setattr(command, "time_pass", lambda *_: 20.0)
    assert reproduced("--rows", "toy-100", "--budget-minutes", "0.7") == 0
    assert recorded("toy-100")["config"]["epochs"] == 2
    assert recorded("toy-100")["budget_minutes"] == 0.7
    monkeypatch.setattr(command, "time_pass", lambda *_: 1.0)
    assert reproduced("--rows", "toy-100", "--budget-minutes", "0.7") == 0
    assert recorded("toy-100")["config"]["epochs"] == 2, "the length is that of the plan"
    capsys.readouterr()
    assert reproduced("--rows", "toy-100") == 2
    said = capsys.readouterr().err
    assert "was started with 0.7 minutes and 2 seeds, not no budget and 2 seeds" in said


def test_a_pass_is_timed_by_some_of_its_updates(monkeypatch):
    """An epoch that takes half a second an update, and a minute more when it is called first."""
    now, calls = [0.0], []

    def compiled(train_epoch, state, data, hyper, keys):
        def epoch(state, data, hyper, keys, number):
            calls.append(len(data.pool) // 50)
            now[0] += 0.5 * calls[-1] + (60 if len(calls) == 1 else 0)
            return state, {}

        return epoch, 99.0

    monkeypatch.setattr(command, "compile_epoch", compiled)
    monkeypatch.setattr(command.time, "perf_counter", lambda: now[0])
    argv = ["--preset", "smoke", "--dataset", "digits", "--labels", "100", "--num-seeds", "2"]
    seconds = command.time_pass(SPEC, argv, command.Console())
    steps = (len(data.load_digits().train_labels) - 135) // 50
    assert calls == [command.TIMED_UPDATES] * 2
    assert calls[0] < steps
    assert seconds == pytest.approx(0.5 * steps)


def test_only_rows_of_mnists_test_images_go_where_pages_are_made_from(monkeypatch):
    kept = []
    monkeypatch.setattr(command, "_train", lambda *_: 0)
    monkeypatch.setattr(command, "record", lambda row, folder, results, console: kept.append(results) or results)
    for argv in ([], ["--dataset", "mnist"], ["--dataset", "mnist", "--no-test"], ["--results-dir", "elsewhere"]):
        assert reproduced("--rows", "toy-100", *argv) == 0
    inside = Path("runs/toy/results")
    assert kept == [inside, Path("results/toy"), inside, Path("elsewhere")]


def test_a_row_whose_seeds_all_fail_does_not_stop_the_others(monkeypatch):
    trained, status = [], {"toy-100": 1, "toy-all": 0}
    monkeypatch.setattr(command, "_train", lambda row, *_: trained.append(row.name) or status[row.name])
    monkeypatch.setattr(command, "record", lambda row, *_: Path(row.name))
    assert reproduced() == 1
    assert trained == ["toy-100", "toy-all"]
    trained.clear()
    status["toy-100"] = 130
    assert reproduced() == 130
    assert trained == ["toy-100"]


@pytest.mark.slow
def test_a_row_may_have_its_own_data_which_may_be_missing(monkeypatch, tmp_path):
    own = (Row("none", "best", 100, False, "smoke", 1, dataset=f"npz:{tmp_path}/none.npz"), replace(TOY[0], epochs=1))
    monkeypatch.setitem(TABLES, "toy", (*own, replace(own[1], name="digits", dataset="digits")))
    argv = ["--table", "toy", "--dataset", "digits", "--num-seeds", "1"]
    assert command.main(argv) == 2, "the missing one is said at the end"
    assert [path.stem for path in sorted(Path("runs/toy/results").iterdir())] == ["digits", "toy-100"]
    assert recorded("digits")["test_error"] == recorded("toy-100")["test_error"]


def test_a_plan_without_its_run_is_made_anew(monkeypatch):
    """Nothing was begun: the data could not be had, or the run was removed."""
    assert reproduced("--rows", "toy-100", "--dataset", "digit") == 2
    monkeypatch.setattr(command, "time_pass", lambda *_: 60.0)
    flags = command.Flags(table="toy", dataset="digits", num_seeds=3, budget_minutes=2.0)
    assert command._planned_epochs(TOY[0], flags, Path("runs/toy/toy-100"), command.Console()) == 2


@pytest.mark.usefixtures("done")
def test_data_that_changed_since_are_not_recorded(monkeypatch, capsys):
    loaded = recording.load_data

    def other(*args):
        found = loaded(*args)
        object.__setattr__(found, "sha256", "0" * 64)
        return found

    monkeypatch.setattr(recording, "load_data", other)
    assert reproduced("--rows", "toy-100") == 2
    assert "row toy-100 is not recorded: The data have changed since" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("budget", "a_pass", "most", "expected"), [(60, 20, 5, 3), (60, 7, 5, 5), (1, 20, 5, 1), (60, 0.1, 200, 200)]
)
def test_passes_within_a_budget(budget, a_pass, most, expected):
    assert epochs_within(budget, a_pass, most) == expected


@pytest.mark.usefixtures("done")
def test_a_run_of_other_settings_is_not_gone_on_with(monkeypatch, capsys):
    monkeypatch.setitem(TABLES, "toy", (Row("toy-100", "best", 200, True, "smoke", 3),))
    assert reproduced("--rows", "toy-100") == 2
    assert "holds a run with other checkpoint_seconds, labels, weights.propagation" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--rows", "toy-10"], "did you mean 'toy-100'"),
        (
            ["--table", "few"],
            "choose one of ablation, earlier, few-labels, label-counts, models, other-data, paper-settings, subsets",
        ),
        (["--recipe", "worst"], "--recipe"),
        (["--budget-minutes", "0"], "--budget-minutes is 0"),
        (["--budget-minutes", "nan"], "--budget-minutes is nan"),
        (["--num-seeds", "0"], "--num-seeds is 0"),
        (["--dataset", "digit", "--rows", "toy-100"], "did you mean 'digits'"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(argv, words, capsys):
    assert reproduced(*argv) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not Path("runs/toy/results").exists()


def test_a_damaged_plan_is_said(capsys):
    folder = Path("runs/toy/toy-100")
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "config.yaml").write_text("", encoding="utf-8")
    (folder / "plan.json").write_text("{", encoding="utf-8")
    assert reproduced("--rows", "toy-100") == 2
    assert "plan.json cannot be read" in capsys.readouterr().err


MODEL = ModelRow(
    "toy-codes",
    "unsupervised",
    "smoke",
    2,
    "Codes of the digits",
    ("code_scatter",),
    seeds=2,
    visualized=("reconstruction_example",),
)


@pytest.fixture
def toy_models(monkeypatch):
    """Have a row of a model whose one figure is a small picture."""

    def draw(setup, rows, model, summary, folder, notice):
        folder.figures.mkdir()
        plt.imsave(folder.figures / "code_scatter.png", np.arange(12.0).reshape(3, 4))

    monkeypatch.setattr("aae_jax.run.report._save_figures", draw)
    monkeypatch.setitem(TABLES, "toy", (MODEL,))


@pytest.mark.slow
def test_a_row_of_any_model_is_recorded_with_its_figures(toy_models, capsys):
    argv = ["--table", "toy", "--dataset", "digits"]
    assert command.main(argv) == 0
    found, run = recorded("toy-codes"), summary(Path("runs/toy/toy-codes/run"))
    assert (found["seeds"], found["updates"]) == ([0, 1], found["full_updates"])
    assert found["test"] == run["test"]
    assert found["config"]["network"]["latent_dim"] == 2
    image = plt.imread("runs/toy/results/toy-codes/code_scatter.png")
    assert image.shape[:2] == (3, 4)
    published = {path.stem for path in Path("runs/toy/results/toy-codes").iterdir()}
    assert published == {"code_scatter", "reconstruction_example"}
    Path("runs/toy/toy-codes/run/figures/code_scatter.png").unlink()
    with pytest.raises(InputError, match="has no code_scatter"):
        recording.record(MODEL, Path("runs/toy/toy-codes"), Path("other"), command.Console())
    assert not Path("other").exists()
    assert command.main(argv) == 2
    assert "! row toy-codes is not recorded: " in capsys.readouterr().out


@pytest.mark.slow
def test_a_row_that_has_more_epochs_now_is_not_gone_on_with(toy_models, monkeypatch, capsys):
    argv = ["--table", "toy", "--dataset", "digits"]
    assert command.main(argv) == 0
    monkeypatch.setitem(TABLES, "toy", (replace(MODEL, epochs=3),))
    assert command.main(argv) == 2
    assert "was started with 2 epochs, but the row has 3 now" in capsys.readouterr().err


@pytest.mark.slow
def test_a_model_that_cannot_be_trained_with_the_data_leaves_the_others_to_be(toy_models, monkeypatch, capsys):
    too_many = ModelRow("many", "label_regularized", "default", 1, "Many labels", ())
    monkeypatch.setitem(TABLES, "toy", (too_many, MODEL))
    assert command.main(["--table", "toy", "--dataset", "digits"]) == 2
    assert "The number of labels is 10000" in capsys.readouterr().err
    assert Path("runs/toy/results/toy-codes.json").is_file()


def test_data_that_no_model_can_have_are_said_once(toy_models, monkeypatch, capsys):
    monkeypatch.setitem(TABLES, "toy", (MODEL, replace(MODEL, name="another")))
    assert command.main(["--table", "toy", "--dataset", "npz:nowhere.npz"]) == 2
    assert capsys.readouterr().err.count("error: ") == 1
    assert not Path("runs/toy").exists()
