"""`--labels given`: data of which only some images have a label, against a run that hides the same labels itself."""

import contextlib
import io
import json
import signal

import numpy as np
import pytest
from safetensors.numpy import load_file

from aae_jax.cli import main as command
from aae_jax.commands.evaluate import validation_of
from aae_jax.data import load_dataset, split_indices
from tests.runs.conftest import interrupt_after
from tests.runs.running import status

COUNT = 40
SMALL = ("--preset", "smoke", "--epochs", "2", "--checkpoint-seconds", "0", "--network.hidden", "16")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return the folder of the digits with all labels, with some, and without any, and of the list of these."""
    folder, digits = tmp_path_factory.mktemp("data"), load_dataset("digits")
    chosen = split_indices(digits.train_labels, num_classes=10, num_labels=COUNT, label_seed=0).labelled
    some = np.full_like(digits.train_labels, -1)
    some[chosen] = digits.train_labels[chosen]
    for name, labels in {"all": digits.train_labels, "some": some, "none": np.full_like(some, -1)}.items():
        np.savez(
            folder / f"{name}.npz",
            x_train=digits.train_images,
            y_train=labels,
            x_test=digits.test_images,
            y_test=digits.test_labels,
        )
    (folder / "list.txt").write_text("\n".join(map(str, chosen)))
    return folder


def run(files, out, data, *extra, model="semi_supervised"):
    return status(*SMALL, "--dataset", f"npz:{files / data}.npz", "--out-dir", out, *extra, model=model)


@pytest.fixture(scope="module")
def given(files, tmp_path_factory):
    """Return the folder of a run with the labels given, and what it printed."""
    folder, said = tmp_path_factory.mktemp("given") / "run", io.StringIO()
    with contextlib.redirect_stdout(said):
        assert run(files, folder, "some", "--labels", "given") == 0
    return folder, said.getvalue()


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def assert_same_weights(one, other):
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        np.testing.assert_array_equal(tensor, second[name], err_msg=name)


@pytest.mark.parametrize(
    ("model", "extra"),
    [
        pytest.param("semi_supervised", ("--weights.propagation", "1"), marks=pytest.mark.slow),
        pytest.param("dim_reduction", (), marks=pytest.mark.slow),
        ("label_regularized", ()),
    ],
)
def test_given_labels_train_as_hidden_ones_bit_for_bit(files, tmp_path, model, extra):
    assert run(files, tmp_path / "hidden", "all", "--labels", str(COUNT), *extra, model=model) == 0
    assert run(files, tmp_path / "given", "some", "--labels", "given", *extra, model=model) == 0
    assert_same_weights(tmp_path / "hidden", tmp_path / "given")
    hidden, given = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("hidden", "given"))
    assert given["splits"]["labelled"] == COUNT
    shared = hidden["test"].keys() & given["test"].keys() - {"discriminator_z_accuracy"}
    assert shared
    assert {name: given["test"][name] for name in shared} == {name: hidden["test"][name] for name in shared}


def test_errors_that_cannot_be_measured_are_absent(given):
    folder, said = given
    assert "no validation image has a label: no validation error, and probabilities are not calibrated" in said
    assert "validation reconstruction error" in said
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert not any("validation_error" in row for row in rows)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["calibration"]["temperature"] == [None]
    assert summary["test"]["error"]["mean"] < 0.9
    assert "error" not in summary["validation"]
    assert list(summary["best_by_validation"]["validation"]) == ["reconstruction_error"]
    assert json.loads((folder / "model" / "config.json").read_text())["temperature"] is None
    for name in ("evaluate", "doctor"):
        assert command([name, str(folder)]) == 0, name


def test_a_run_without_testing_reports_what_needs_no_label(files, tmp_path, capsys):
    assert run(files, tmp_path / "run", "some", "--labels", "given", "--no-test", "--judge-updates", "20") == 0
    out = capsys.readouterr().out
    assert "could not be measured" not in out
    assert "judged to be of their class" not in out


def test_the_split_of_given_labels_is_written_as_files(files, tmp_path):
    flags = ("--dataset", f"npz:{files / 'some.npz'}", "--labels", "given", "--dir-path", str(tmp_path))
    assert command(["init-datasets", *flags]) == 0
    stored = {name: np.load(tmp_path / f"{name}.npz") for name in ("train_labeled", "train_unlabeled", "validation")}
    assert len(stored["train_labeled"]["y"]) == COUNT
    assert (stored["train_labeled"]["y"] >= 0).all()
    assert (stored["train_unlabeled"]["y"] == -1).all()
    assert (stored["validation"]["y"] == -1).all()


@pytest.mark.slow
def test_a_run_is_resumed_with_the_labels_given(files, given, tmp_path):
    whole, half = given[0], tmp_path / "half"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 0, signal.SIGTERM)
        assert run(files, half, "some", "--labels", "given") == 128 + signal.SIGTERM
    assert status("--resume", half) == 0
    assert_same_weights(whole, half)


@pytest.mark.slow
def test_unequal_classes_are_judged_by_the_given_labels(tmp_path, capsys):
    digits = load_dataset("digits")
    train, test = (np.where(labels == 0, 0, 1) for labels in (digits.train_labels, digits.test_labels))
    train[500:] = -1
    np.savez(
        tmp_path / "data.npz", x_train=digits.train_images, y_train=train, x_test=digits.test_images, y_test=test
    )
    flags = ("--labels", "given", "--class-prior", "auto", "--dataset", f"npz:{tmp_path / 'data.npz'}")
    assert status(*SMALL, *flags, "--out-dir", tmp_path / "run") == 0
    said = capsys.readouterr()
    assert "of 500 labelled images are '1'" in said.out + said.err
    assert "always the most frequent class" in said.out
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["classes"]["unequal"] is True
    assert summary["classes"]["assumed"][0] == pytest.approx(0.1, abs=0.03)
    assert "balanced_error" in summary["test"]
    assert "balanced_error" not in summary["validation"]


@pytest.mark.slow
def test_clusters_found_without_labels_are_validated_on_what_was_held_out(files, tmp_path):
    options = ("--num-clusters", "3", "--labels", "given")
    assert run(files, tmp_path / "run", "some", *options, model="dim_reduction") == 0
    dataset = load_dataset(f"npz:{files / 'some.npz'}")
    splits = split_indices(dataset.train_labels, num_classes=10, num_labels=None, label_seed=0)
    np.testing.assert_array_equal(validation_of(dataset, str(tmp_path / "run")), splits.validation)


def test_commands_ask_for_the_data_that_lack_labels(files, given, tmp_path, capsys):
    folder, _ = given
    dataset = load_dataset(f"npz:{files / 'some.npz'}")
    held_out = validation_of(dataset, str(folder))
    assert (dataset.train_labels[held_out] == -1).all()
    flags = ("--dataset", f"npz:{files / 'all.npz'}", "--out-dir", str(tmp_path / "figures"))
    assert command(["visualize", str(folder), *flags]) == 2
    assert "give the --dataset that it was trained on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "model", "message"),
    [
        ("none", "semi_supervised", "has no labels, and this model learns from labels"),
        ("all", "semi_supervised", "every training image has a label, so that none is left to validate on"),
        (
            "some",
            "supervised",
            "but supervised needs such labels; give --labels all",
        ),
    ],
)
def test_labels_that_are_not_given_are_refused(files, tmp_path, capsys, data, model, message):
    assert run(files, tmp_path / "run", data, "--labels", "given", model=model) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
