"""Data of which some images, or all, have no label: what every model makes of them, and every command."""

import functools
import json
import signal

import numpy as np
import pytest

from aae_jax import InputError, cli, load_dataset
from aae_jax.data import Quiet
from aae_jax.models.autoencoder import experiment as autoencoder
from aae_jax.models.clustering import experiment as clustering
from aae_jax.models.dim_reduction import experiment as dim_reduction
from aae_jax.models.label_regularized import experiment as label_regularized
from aae_jax.models.likelihood import experiment as likelihood
from aae_jax.models.semi_supervised import experiment as semi_supervised
from aae_jax.models.supervised import experiment as supervised
from aae_jax.models.unsupervised import experiment as unsupervised
from aae_jax.run.run import main as run_model
from aae_jax.run.run_dir import RunFolder
from aae_jax.run.sweep import command as sweep
from aae_jax.saved import storage as bundle
from reproduce.models import MODELS
from reproduce.recording import figures_of
from tests.runs.conftest import interrupt_after
from tests.runs.running import drawing, rows, summary

SMOKE = ("--preset", "smoke", "--epochs", "2", "--checkpoint-seconds", "0", "--network.precision", "float32")
LABEL_FREE = {
    "unsupervised": (unsupervised, ()),
    "autoencoder": (autoencoder, ()),
    "likelihood": (likelihood, ("--samples", "100")),
    "clustering": (clustering, ("--num-clusters", "4")),
    "clustering, graph": (clustering, ("--num-clusters", "4", "--weights.propagation", "3", "--neighbours", "3")),
    "dim_reduction": (dim_reduction, ("--num-clusters", "4")),
}
QUICK = ("unsupervised",)
"""What .ci/run trains here; .ci/full trains all."""
LEARN_FROM_LABELS = {
    "semi_supervised": (semi_supervised, ()),
    "supervised": (supervised, ()),
    "label_regularized": (label_regularized, ()),
    "dim_reduction, labels": (dim_reduction, ()),
    "sweep": (sweep, ("--vary", "labels=10,20")),
}
OF_LABELS = ("cluster_error", "component_error", "error", "clusters", "label_leakage")


def images_of_four_classes(count=400, seed=0):
    generator, labels = np.random.default_rng(seed), np.arange(count) % 4
    bright = (np.arange(30) % 4 == labels[:, None]).reshape(count, 6, 5)
    return (150 * bright + generator.integers(0, 60, (count, 6, 5))).astype(np.uint8), labels


def some_labels(labels, share=3):
    """Return labels of which only one in `share` is left, the same number of each class."""
    return np.where(np.arange(len(labels)) // 4 % share == 0, labels, -1)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A file of images alone."""
    path = tmp_path_factory.mktemp("bare") / "bare.npz"
    np.savez(path, x=images_of_four_classes()[0])
    return path


@pytest.fixture(scope="module")
def partly(tmp_path_factory):
    """A file of training and test images of which a third have a label."""
    path = tmp_path_factory.mktemp("partly") / "partly.npz"
    x, y = images_of_four_classes()
    y = some_labels(y)
    np.savez(path, x_train=x[:280], y_train=y[:280], x_test=x[280:], y_test=y[280:])
    return path


def command_of(module):
    """Return the command of a model, or of sweeps, as a function of its flags."""
    return module.main if module is sweep else functools.partial(run_model, module.SPEC.name)


def run(module, path, out_dir, *extra):
    return command_of(module)([*SMOKE, "--dataset", f"npz:{path}", "--out-dir", str(out_dir), *extra])


def marked(names):
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in names]


@pytest.fixture(scope="module", params=marked(LABEL_FREE))
def trained(request, bare, tmp_path_factory, figures_on_demand):
    """The name of a model that needs no labels, and the folder of its run on images alone."""
    module, flags = LABEL_FREE[request.param]
    folder = tmp_path_factory.mktemp("trained") / "run"
    with drawing():
        assert run(module, bare, folder, *flags) == 0
    return request.param, folder


def test_a_model_that_needs_no_labels_trains_without(trained):
    name, folder = trained
    found = summary(folder)
    assert found["splits"] == {"labelled": 0, "pool": 270, "validation": 30, "test": 100, "unlabelled": 300}
    assert np.isfinite(found["test"]["reconstruction_error"]["mean"])
    assert np.isfinite(found["best_by_validation"]["validation"]["reconstruction_error"]["mean"])
    assert ("likelihood" in found) == (name == "likelihood")
    assert not {*OF_LABELS} & {*found, *found["test"], *found["validation"]}
    assert not {f"validation_{measure}" for measure in OF_LABELS} & {*rows(folder)[-1]}
    drawn = {path.stem for path in (folder / "figures").glob("*.png")}
    assert {"learning_curves", "reconstructions"} <= drawn
    assert "validation_error" not in drawn
    assert ("embedding" in drawn) == (name == "dim_reduction")
    assert ("cluster_heads" in drawn) == (name not in ("unsupervised", "autoencoder", "likelihood"))


def test_the_gallery_asks_for_no_error_of_data_without_labels():
    (row,) = [row for row in MODELS if row.name == "clustering-30"]
    without = {"validation": {"reconstruction_error": {}, "code_mmd": {}}}
    assert set(row.figures) - set(figures_of(row, without)) == {"validation_error"}
    assert figures_of(row, {"validation": {"cluster_error": {}}}) == list(row.figures)
    (row,) = [row for row in MODELS if "confusion_matrix" in row.figures]
    assert figures_of(row, {"validation_error": {}}) == list(row.figures)


def test_its_model_can_be_used(trained, bare, capsys, tmp_path):
    name, folder = trained
    model = bundle.load(folder)
    x, _ = images_of_four_classes()
    assert np.isfinite(model.reconstruct(x[:5])).all()
    assert model.num_classes == (0 if name in ("unsupervised", "autoencoder", "likelihood") else 4)
    capsys.readouterr()
    assert cli.main(["evaluate", str(folder), "--out", str(tmp_path / "found.json")]) == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    expected = summary(folder)["test"]["reconstruction_error"]["per_seed"][0]
    assert found["reconstruction_error"] == pytest.approx(expected, rel=1e-4)
    assert f"{found['reconstruction_error']:.5f} per pixel of 100 images" in said
    assert cli.main(["visualize", str(folder), "--out-dir", str(tmp_path / "drawn"), "--images", "20"]) == 0
    assert (tmp_path / "drawn" / "latent_features_tsne.png").is_file()
    assert cli.main(["doctor", str(folder)]) == 0
    np.savez(tmp_path / "labelled.npz", x=x, y=images_of_four_classes()[1])
    out, labelled = tmp_path / "clusters.json", f"npz:{tmp_path / 'labelled.npz'}"
    assert cli.main(["evaluate", str(folder), "--dataset", labelled, "--out", str(out)]) == 0
    assert ("majority_error" in json.loads(out.read_text())) == (model.num_classes > 0)


@pytest.mark.slow
def test_its_run_goes_on_to_the_same_bits(trained, bare, tmp_path, capsys):
    name, folder = trained
    module, flags = LABEL_FREE[name]
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 0, signal.SIGTERM)
        stopped = run(module, bare, tmp_path / "half", *flags)
    assert stopped == 128 + signal.SIGTERM
    assert command_of(module)(["--resume", str(tmp_path / "half")]) == 0
    assert rows(tmp_path / "half") == rows(folder)
    again, before = (each / "model" / "model.safetensors" for each in (tmp_path / "half", folder))
    assert again.read_bytes() == before.read_bytes()


@pytest.mark.parametrize("name", LEARN_FROM_LABELS)
def test_a_model_that_learns_from_labels_refuses_data_without(name, bare, tmp_path, capsys):
    module, flags = LEARN_FROM_LABELS[name]
    assert run(module, bare, tmp_path / "run", *flags) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: npz:bare.npz has no labels, and this model learns from labels; give data with")
    label_free = "unsupervised, autoencoder, likelihood, clustering, or dim_reduction with --num-clusters."
    assert said.strip().endswith(label_free)
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def semi(partly, tmp_path_factory, figures_on_demand):
    folder = tmp_path_factory.mktemp("semi") / "run"
    flags = ("--labels", "all", "--weights.propagation", "3", "--weights.propagation-fade", "0")
    assert run(semi_supervised, partly, folder, "--epochs", "60", *flags) == 0
    return folder


@pytest.mark.slow
def test_labels_of_some_are_enough_for_the_others(semi, partly):
    found = summary(semi)
    data = load_dataset(f"npz:{partly}", reporter=Quiet())
    has_label = int((data.train_labels >= 0).sum())
    held_out = round(has_label / 10)
    assert found["splits"] == {
        "labelled": has_label - held_out,
        "pool": len(data.train_labels) - held_out,
        "validation": held_out,
        "test": 40,
        "unlabelled": len(data.train_labels) - has_label,
    }
    assert found["test"]["error"]["mean"] < 0.1
    assert bundle.load(semi).class_names == ("0", "1", "2", "3")
    x, y = images_of_four_classes(seed=3)
    assert np.mean(np.asarray(bundle.load(semi).predict(x)) == y) > 0.9


def test_data_of_which_some_have_no_label_are_described(partly, capsys):
    assert cli.main(["data", "check", f"npz:{partly}"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "! 80 of the 120 test images of npz:partly.npz have no label and join the training images."
    assert said[-2:] == ["  3                 24      10", "  (no label)       264       0"]


@pytest.mark.slow
def test_commands_with_data_of_which_some_have_no_label(semi, tmp_path, capsys):
    capsys.readouterr()
    assert cli.main(["evaluate", str(semi)]) == 0
    assert "of 40 images" in capsys.readouterr().out
    assert cli.main(["visualize", str(semi), "--out-dir", str(tmp_path / "drawn"), "--images", "20"]) == 0
    capsys.readouterr()
    np.savez(tmp_path / "bare.npz", x=images_of_four_classes()[0])
    assert cli.main(["evaluate", str(semi), "--dataset", f"npz:{tmp_path / 'bare.npz'}"]) == 2
    assert "has no labels to compare predictions with" in capsys.readouterr().err


def test_the_header_says_how_many_images_have_no_label(partly, bare, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("aae_jax.run.training.Trainer", lambda *_: (_ for _ in ()).throw(InputError("enough")))
    assert run(semi_supervised, partly, tmp_path / "a", "--labels", "20") == 2
    assert "20 labelled among 350 pool images, 10 validation, 40 test; 264 of the 360 training images have no" in (
        capsys.readouterr().out
    )
    assert run(unsupervised, bare, tmp_path / "b") == 2
    assert "270 pool images, 30 validation, 100 test; no image has a label" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LABEL_FREE, *LEARN_FROM_LABELS])
def test_every_model_trains_where_some_have_no_label(name, partly, tmp_path):
    module, flags = (LABEL_FREE | LEARN_FROM_LABELS)[name]
    more = ("--prior.parts", "4") if name == "label_regularized" else ()
    labels = ("--labels", "20") if name in LEARN_FROM_LABELS and name != "sweep" else ()
    folder = tmp_path / "run"
    assert run(module, partly, folder, *flags, *more, *labels) == 0
    if name == "sweep":
        assert all(np.isfinite(row["validation_error"]) for row in summary(folder)["rows"])
    elif name != "semi_supervised":
        assert np.isfinite(summary(folder)["test"]["reconstruction_error"]["mean"])
    if module is clustering:
        assert np.isfinite(summary(folder)["clusters"]["majority_error"]["mean"])


def test_files_of_init_datasets_are_data_again(partly, bare, tmp_path, capsys):
    for path, labels in ((partly, "20"), (bare, "3000")):
        folder = tmp_path / path.stem
        flags = ["--dir-path", str(folder), "--dataset", f"npz:{path}", "--labels", labels]
        assert cli.main(["init-datasets", *flags]) == 0
        assert (folder / "train_labeled.npz").exists() == (path == partly)
        for written in folder.glob("*.npz"):
            data = load_dataset(f"npz:{written}", reporter=Quiet())
            assert data.num_classes == (4 if path == partly and "unlabeled" not in written.stem else 0)
    parts = [np.load(tmp_path / "partly" / f"train_{kind}.npz") for kind in ("labeled", "unlabeled")]
    x, y = (np.concatenate([part[key] for part in parts]) for key in "xy")
    np.savez(tmp_path / "together.npz", x=x, y=y)
    assert len(x) == 350
    together = load_dataset(f"npz:{tmp_path / 'together.npz'}", reporter=Quiet())
    assert (together.num_classes, together.num_unlabelled, len(together.test_labels)) == (4, 330, 4)


@pytest.mark.slow
def test_a_supervised_model_is_not_shown_images_without_labels(partly, bare, tmp_path, capsys):
    folder = tmp_path / "run"
    module, _ = LEARN_FROM_LABELS["supervised"]
    assert run(module, partly, folder, "--no-test") == 0
    for command in ("evaluate", "visualize"):
        assert cli.main([command, str(folder), "--dataset", f"npz:{bare}"]) == 2
        assert "has no labels, which the model's decoder takes" in capsys.readouterr().err
    assert RunFolder(folder).finished
