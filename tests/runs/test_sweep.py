"""The command `sweep`: members as alone, chunks, resume, failures, and sentences for what cannot be swept."""

import csv
import json
import os

import numpy as np
import pytest

from aae_jax import cli, data
from aae_jax.models import MODELS, find_model
from aae_jax.models.semi_supervised.experiment import SPEC
from aae_jax.run import setup as problem
from aae_jax.run import trainer
from aae_jax.run.arguments import parse
from aae_jax.run.console import Console
from aae_jax.run.sweep import command as sweep
from aae_jax.run.sweep import members
from aae_jax.run.sweep.settings import Range
from tests.runs.running import EPOCHS, PLAIN, SMALL, contents, copied, plain_status, rows, status, summary

PLAIN_SPACE = ("--vary", "weights.reconstruction=1,0.5", "views.noise_std=0,0.3", "--num-seeds", "2", "--seed", "3")
SPACE = ("--vary", "views.noise_std=0.1,0.5", "labels=100,150", "--num-seeds", "2", "--seed", "3")


def swept(*argv):
    try:
        return sweep.main([str(argument) for argument in argv])
    except SystemExit as stopped:
        return stopped.code


@pytest.fixture(scope="module")
def finished_sweep(tmp_path_factory, figures_on_demand):
    folder = tmp_path_factory.mktemp("sweep") / "out"
    assert swept(*SMALL, *SPACE, "--out-dir", folder) == 0
    return folder


@pytest.fixture(scope="module")
def plain_sweep(tmp_path_factory, figures_on_demand):
    """A sweep of an autoencoder."""
    folder = tmp_path_factory.mktemp("plain_sweep") / "out"
    assert swept("autoencoder", *PLAIN, *PLAIN_SPACE, "--out-dir", folder) == 0
    return folder


def table(folder):
    return list(csv.DictReader((folder / "table.csv").read_text().splitlines()))


@pytest.mark.parametrize(
    ("made", "first", "second", "score"),
    [
        (
            "plain_sweep",
            ("weights.reconstruction", "1.0", "0.5"),
            ("views.noise_std", "0.0", "0.3"),
            "reconstruction_",
        ),
        pytest.param(
            "finished_sweep", ("views.noise_std", "0.1", "0.5"), ("labels", "100", "150"), "", marks=pytest.mark.slow
        ),
    ],
)
def test_the_table_has_every_setting_the_best_first(made, first, second, score, request):
    folder, score = request.getfixturevalue(made), f"validation_{score}error"
    found = table(folder)
    assert {(row[first[0]], row[second[0]]) for row in found} == {(a, b) for a in first[1:] for b in second[1:]}
    errors = [float(row[score]) for row in found]
    assert errors == sorted(errors)
    assert len(set(errors)) > 1
    written = summary(folder)["members"]
    assert [(m["setting"], m["seed"]) for m in written] == [(s, seed) for s in range(4) for seed in (3, 4)]
    if "labels" in second:
        assert [m["labels"] for m in written] == [100, 100, 150, 150, 100, 100, 150, 150]
    for row in found:
        own = [m[score] for m in written if m["setting"] == int(row["setting"])]
        assert float(row[score]) == pytest.approx(np.mean(own))
        assert float(row["std"]) == pytest.approx(np.std(own, ddof=1))
    assert (folder / "figures" / "sweep.png").stat().st_size > 5000


@pytest.mark.slow
def test_a_member_trains_as_a_run_of_its_settings_does(finished_sweep, tmp_path):
    argv = ("--labels", 150, "--views.noise_std", 0.5, "--seed", 4, "--no-test", "--out-dir", tmp_path / "alone")
    assert status(*SMALL, *argv) == 0
    alone = rows(tmp_path / "alone")
    together = rows(finished_sweep / "chunks" / "000")
    member = 7  # the last of settings (0.1, 100), (0.1, 150), (0.5, 100), (0.5, 150) with seeds 3 and 4
    for single, many in zip(alone, together, strict=True):
        assert many["validation_error"][member] == single["validation_error"][0]
        for name in ("reconstruction/loss", "generator/loss", "classification/loss"):
            assert many[name][member] == pytest.approx(single[name][0], rel=1e-4)


@pytest.mark.parametrize("model", ["autoencoder", pytest.param("semi_supervised", marks=pytest.mark.slow)])
def test_the_test_images_are_not_looked_at(model, monkeypatch, tmp_path):
    small = PLAIN if model == "autoencoder" else SMALL
    loaded = problem.load_dataset

    def sealed(*args, **options):
        found = loaded(*args, **options)
        object.__setattr__(found, "test_images", None)
        return found

    monkeypatch.setattr(problem, "load_dataset", sealed)
    monkeypatch.setattr(sweep, "write_results", lambda *_: [])
    monkeypatch.setattr(Console, "header", lambda *_: None)
    assert swept(model, *small, "--vary", "views.noise_std=0.1", "--out-dir", tmp_path / "out") == 0


@pytest.mark.slow
def test_chunks_give_what_one_program_gives(finished_sweep, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "chunk_size", lambda *_: 3)
    assert swept(*SMALL, *SPACE, "--out-dir", tmp_path / "out") == 0
    assert sorted(os.listdir(tmp_path / "out" / "chunks")) == ["000", "001", "002"]
    assert table(tmp_path / "out") == table(finished_sweep)


def test_the_memory_bound_decides_how_many_go_together(tmp_path):
    config = parse(SPEC, [*SMALL, *SPACE], kind=sweep.SweepFlags[SPEC.config_class]).config
    digits = data.load_dataset("digits")
    one = members.chunk_size(SPEC, config, digits, {}, None, 1)
    some = members.chunk_size(SPEC, config, digits, {}, None, 50 * 2**20)
    more = members.chunk_size(SPEC, config, digits, {}, None, 500 * 2**20)
    assert one == 1
    assert 1 < some < more
    assert more / some == pytest.approx(10, rel=0.1)
    assert members.chunk_size(SPEC, config, digits, {}, None, None) >= some


@pytest.mark.slow
def test_a_stopped_sweep_goes_on_where_it_was(finished_sweep, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sweep, "chunk_size", lambda *_: 4)
    calls = []
    after = trainer.Trainer._after_epoch

    def stop_in_the_second_chunk(self, epoch, state, metrics):
        calls.append(epoch)
        if len(calls) == EPOCHS + 2:
            self.interruption.signum = 15
        return after(self, epoch, state, metrics)

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "_after_epoch", stop_in_the_second_chunk)
        assert swept(*SMALL, *SPACE, "--out-dir", tmp_path / "out") == 128 + 15
    assert f"--resume {tmp_path / 'out'}" in capsys.readouterr().out
    first = contents(tmp_path / "out" / "chunks" / "000")
    assert not (tmp_path / "out" / "summary.json").exists()
    assert swept("--resume", tmp_path / "out") == 0
    assert contents(tmp_path / "out" / "chunks" / "000") == first, "what is finished is not trained again"
    assert table(tmp_path / "out") == table(finished_sweep)
    assert swept("--resume", tmp_path / "out") == 0
    assert "is finished" in capsys.readouterr().out


@pytest.mark.slow
def test_members_that_fail_are_marked_and_come_last(tmp_path, capsys):
    rate = "optimizers.generator.learning_rate=0.001,1e38"
    assert swept(*SMALL, "--vary", rate, "--out-dir", tmp_path / "out") == 0
    best, worst = table(tmp_path / "out")
    assert (best["failed"], worst["failed"]) == ("0", "1")
    assert worst["validation_error"] == ""
    said = capsys.readouterr().out
    assert "Member 1 failed" in said
    assert "failed           optimizers.generator.learning_rate 1e+38" in said


def test_a_sweep_of_which_nothing_is_left_says_so(tmp_path):
    rate = "optimizers.reconstruction.learning_rate=1e38"
    assert swept("autoencoder", *PLAIN, "--vary", rate, "--out-dir", tmp_path / "out") == 1
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["rows"][0]["failed"] == 1


def test_spaces_are_read():
    def parse_space(texts):
        return members.parse_space(texts, SPEC.config_class)

    found = parse_space(["weights.consistency=0,1.5", "labels=10,100", "views.noise-std=0.1..0.5"])
    assert found == {
        "weights.consistency": [0.0, 1.5],
        "labels": [10, 100],
        "views.noise_std": Range(0.1, 0.5),
    }
    assert parse_space(["averaging.decay=1e-3..0.9:log"])["averaging.decay"].log
    assert parse_space(["labels=10..100:log"])["labels"] == Range(10, 100, log=True, whole=True)


BAD = {
    "nothing varies": ((), "Nothing varies; give --vary"),
    "no values": (("--vary", "labels"), "--vary labels has no values"),
    "an unknown name": (("--vary", "labls=1,2"), "did you mean 'labels'?"),
    "a fixed number": (("--vary", "network.latent_dim=2,3"), "cannot be swept in one program"),
    "words": (("--vary", "prior.std=a,b"), "prior.std=a,b is not made of numbers"),
    "half a label": (("--vary", "labels=1.5"), "labels=1.5 is not made of whole numbers"),
    "an empty range": (("--vary", "prior.std=2..1", "--random", "3"), "is no range"),
    "a logarithm of zero": (("--vary", "prior.std=0..1:log", "--random", "3"), "is no range"),
    "a range in a grid": (("--vary", "prior.std=1..2"), "give --random N"),
    "a negative seed": (
        ("--vary", "prior.std=1..2", "--random", "1", "--random-seed", "-1"),
        "--random-seed",
    ),
    "an endless range": (("--vary", "prior.std=1..inf", "--random", "1"), "is no range"),
    "no memory": (("--vary", "labels=50", "--memory-gib", "nan"), "--memory-gib is nan"),
    "no random settings": (("--vary", "prior.std=1..2", "--random", "0"), "--random is 0"),
    "twice": (("--vary", "labels=50", "labels=100"), "has labels twice"),
    "out of bounds": (("--vary", "prior.std=-1"), "prior.std is -1.0"),
    "more labels than images": (("--vary", "labels=50,100000"), "100000"),
}


@pytest.mark.parametrize(("argv", "sentence"), BAD.values(), ids=BAD)
def test_what_cannot_be_swept_is_said_and_leaves_nothing(argv, sentence, tmp_path, capsys):
    assert swept(*SMALL, *argv, "--out-dir", tmp_path / "out") == 2
    said = capsys.readouterr().err.strip()
    assert sentence in said
    assert said.count("\n") == 0
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("named", [(), ("autoencoder",)])
def test_a_run_is_no_sweep_to_resume(plain, named, capsys):
    assert swept(*named, "--resume", plain) == 2
    assert "is not the folder of a sweep" in capsys.readouterr().err


def test_a_sweep_is_resumed_as_one_of_its_model(plain_sweep, tmp_path, capsys):
    assert swept("--resume", plain_sweep) == 0
    assert "is finished" in capsys.readouterr().out
    assert swept("clustering", "--resume", plain_sweep) == 2
    assert "is the folder of a sweep of autoencoder, not of clustering" in capsys.readouterr().err
    folder = copied(plain_sweep, tmp_path / "changed")
    plan = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps({**plan, "model": ["a\n" * 1000]}))
    assert swept("--resume", folder) == 2
    said = capsys.readouterr().err.strip()
    assert "names the unknown model" in said
    assert said.count("\n") == 0
    assert len(said) < 500


@pytest.mark.slow
@pytest.mark.parametrize("model", [entry.name for entry in MODELS])
def test_every_model_can_be_swept(model, tmp_path):
    few = ("--labels", "100") if model in ("supervised", "label_regularized", "dim_reduction") else ()
    flags = ("--preset", "smoke", "--dataset", "digits", "--epochs", "1", "--network.precision", "float32", *few)
    space = ("--vary", "views.noise_std=0.1,0.5", "averaging.decay=0,0.9")
    assert swept(model, *flags, *space, "--out-dir", tmp_path / "out") == 0
    name = f"validation_{find_model(model).spec.score}"
    scores = [float(row[name]) for row in table(tmp_path / "out")]
    assert len(scores) == 4
    assert scores == sorted(scores)
    assert len(set(scores)) > 1
    assert (tmp_path / "out" / "figures" / "sweep.png").stat().st_size > 5000


def test_the_command_is_known_to_aae_jax(capsys):
    assert cli.main(["train", "sweep", *SMALL]) == 2
    assert "Nothing varies" in capsys.readouterr().err


@pytest.mark.slow
def test_members_whose_labels_fill_other_batches_are_trained_apart(tmp_path):
    """Ten labels are a batch of ten: beside more of them they would be one of a hundred, each ten times."""
    assert swept(*SMALL, "--vary", "labels=20,100", "--seed", "3", "--out-dir", tmp_path / "out") == 0
    assert sorted(os.listdir(tmp_path / "out" / "chunks")) == ["000", "001"]
    few = ("--labels", 20, "--seed", 3, "--no-test", "--out-dir", tmp_path / "alone")
    assert status(*SMALL, *few) == 0
    together = rows(tmp_path / "out" / "chunks" / "000")
    for name in ("reconstruction/loss", "classification/loss", "validation_error"):
        alone = [row[name] for row in rows(tmp_path / "alone")]
        np.testing.assert_allclose([row[name] for row in together], alone, rtol=1e-4)


@pytest.mark.slow
def test_a_chunk_that_was_killed_before_its_first_checkpoint_begins_anew(finished_sweep, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "chunk_size", lambda *_: 8)
    with monkeypatch.context() as patch:
        patch.setattr("aae_jax.run.checkpoints.Checkpoints.save", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            swept(*SMALL, *SPACE, "--out-dir", tmp_path / "out")
    metrics = tmp_path / "out" / "chunks" / "000" / "metrics.jsonl"
    metrics.write_text(metrics.read_text()[:-20])
    assert swept("--resume", tmp_path / "out") == 0
    assert table(tmp_path / "out") == table(finished_sweep)


def test_a_sweep_does_not_go_on_with_other_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sweep, "_run_in", lambda *_: 143)
    assert swept(*SMALL, "--vary", "labels=50", "--out-dir", tmp_path / "out") == 143
    plan = json.loads((tmp_path / "out" / "sweep.json").read_text())
    (tmp_path / "out" / "sweep.json").write_text(json.dumps({**plan, "data_sha256": "0" * 64}))
    assert swept("--resume", tmp_path / "out") == 2
    assert "The data have changed since the sweep began" in capsys.readouterr().err


def test_a_sweep_is_no_run(plain_sweep, capsys):
    assert plain_status("--resume", plain_sweep) == 2
    assert "is the folder of a sweep" in capsys.readouterr().err
    assert cli.main(["evaluate", str(plain_sweep)]) == 2
    assert "is the folder of a sweep" in capsys.readouterr().err
