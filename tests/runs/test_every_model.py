"""What holds for the command of every model: its run, from the first update to its figures, also after a stop."""

import contextlib
import copy
import csv
import json
import signal

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from aae_jax import InputError, cli, data, load
from aae_jax.data import Quiet
from aae_jax.models.autoencoder import experiment as autoencoder
from aae_jax.models.clustering import experiment as clustering
from aae_jax.models.dim_reduction import experiment as dim_reduction
from aae_jax.models.label_regularized import experiment as label_regularized
from aae_jax.models.likelihood import experiment as likelihood
from aae_jax.models.semi_supervised import experiment as semi_supervised
from aae_jax.models.shared.plan import main_plan
from aae_jax.models.supervised import experiment as supervised
from aae_jax.models.unsupervised import experiment as unsupervised
from aae_jax.run.arguments import parse
from aae_jax.run.measures import build_seed_measure
from aae_jax.run.run import main as run_model
from aae_jax.run.run_dir import RunFolder
from aae_jax.run.setup import build_setup, images_of
from aae_jax.run.sweep import command as sweep
from aae_jax.run.watch import model_of
from aae_jax.train.fit import compile_epoch
from aae_jax.train.state import evaluation_variables, used_networks
from reproduce.models import MODELS
from tests.runs.conftest import interrupt_after
from tests.runs.running import drawing, rows, summary

MODULES = {
    module.SPEC.name: module
    for module in (
        semi_supervised,
        unsupervised,
        autoencoder,
        supervised,
        label_regularized,
        clustering,
        dim_reduction,
        likelihood,
    )
}
LABELLED = {"semi_supervised": 1000, "label_regularized": 1000, "dim_reduction": 1000, "supervised": 1212}
CLASSES = {"semi_supervised": 10, "clustering": 12, "dim_reduction": 10}
MEASURED = [name for name in MODULES if name != "semi_supervised"]
PICTURES = {"first_layer_features", "latent_interpolation", "learning_curves", "reconstructions"}
CLUSTERED = PICTURES | {"style_class_grid", "cluster_heads", "health", "code_histograms", "validation_error"}
FIGURES = {
    "semi_supervised": PICTURES
    | {"health", "style_class_grid", "confusion_matrix", "reliability_diagram", "validation_error"},
    "unsupervised": PICTURES
    | {"code_scatter", "health", "manifold", "samples", "samples_beside_nearest", "code_histograms"},
    "autoencoder": PICTURES | {"code_scatter", "manifold"},
    "supervised": PICTURES | {"code_scatter", "health", "style_class_grid", "style_transfer", "code_histograms"},
    "label_regularized": PICTURES | {"code_scatter", "health", "manifold", "part_manifolds", "samples", "walks"},
    "clustering": CLUSTERED | {"learned_modes"},
    "dim_reduction": CLUSTERED | {"embedding", "manifold"},
    "likelihood": PICTURES | {"code_scatter", "health", "samples", "samples_beside_nearest", "code_histograms"},
}


def run(name, out_dir, *extra):
    """Train two seeds of a model; with the same settings, hence from the same compiled programs, in every test."""
    small = ("--preset", "smoke", "--dataset", "digits", "--epochs", "3", "--checkpoint-seconds", "0")
    return run_model(name, [*small, "--num-seeds", "2", "--out-dir", str(out_dir), *extra])


QUICK = ("unsupervised",)
"""Those that .ci/run trains here; test_run has semi_supervised, .ci/full trains all."""


def marked(names):
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in names]


@pytest.fixture(scope="module", params=marked(MODULES))
def whole(request, tmp_path_factory, figures_on_demand):
    """The name of an experiment, and the folder of a run of two seeds that nothing disturbed."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    with drawing():
        assert run(request.param, folder) == 0
    return request.param, folder


def test_a_run_leaves_what_every_run_leaves(whole):
    name, folder = whole
    left = {path.name for path in folder.iterdir()}
    assert left >= {"config.yaml", "metrics.jsonl", "metrics.csv", "summary.json", "figures", "model", "model-s1"}
    drawn = {path.stem for path in (folder / "figures").glob("*.png")}
    assert drawn >= FIGURES[name]
    assert drawn <= {figure for row in MODELS for figure in row.figures}, "the gallery shows every figure"
    found = summary(folder)
    assert (found["experiment"], found["updates"], found["seeds"]) == (name, 72, [0, 1])
    assert ("labels" in found) == (name in LABELLED)
    table = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert len(table) == 3
    assert all(np.isfinite(float(value)) for row in table for value in row.values())


def test_adversaries_are_watched_at_every_validation(whole):
    name, folder = whole
    measured = set(rows(folder)[-1])
    of_codes = {f"validation_{m}" for m in ("code_mmd", "code_mean_gap/z1", "code_std_ratio/z2")}
    judged = {"validation_discriminator_z_accuracy"}
    of_labels = {
        f"validation_{m}" for m in ("label_entropy", "label_balance", "labels_used", "discriminator_y_accuracy")
    }
    expected = {
        "semi_supervised": of_codes | judged | of_labels,
        "unsupervised": of_codes | judged,
        "autoencoder": set(),
        "supervised": of_codes | judged,
        "label_regularized": of_codes | judged,
        "clustering": of_codes | judged | of_labels,
        "dim_reduction": of_codes | judged | of_labels,
        "likelihood": of_codes | judged,
    }
    assert measured >= expected[name]
    assert not (of_codes | judged | of_labels) - expected[name] & measured


def test_a_saved_model_does_what_its_run_did(whole):
    name, folder = whole
    model = load(folder)
    images, labels = data.load_digits().test_images[:5], data.load_digits().test_labels[:5]
    if name == "supervised":
        with pytest.raises(InputError, match="give labels"):
            model.reconstruct(images)
    made = model.reconstruct(images, labels if name == "supervised" else None)
    chex.assert_shape(made, (5, 8, 8))
    chex.assert_tree_all_finite((made, model.encode(images)[:2]))
    assert model.num_classes == CLASSES.get(name, 0)
    assert model.experiment == name
    if name != "autoencoder":
        chex.assert_shape(model.draw_styles(jax.random.key(0), 7), (7, model.network.latent_dim))
        assert rows(folder)[-1]["validation_code_std_ratio/z1"][0] > 0


def test_a_stopped_run_goes_on_to_the_same_bits(whole, tmp_path, monkeypatch, capsys):
    name, folder = whole
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 0, signal.SIGTERM)
        assert run(name, tmp_path / "half") == 128 + signal.SIGTERM
    assert f"python experiments/{name}.py --resume" in capsys.readouterr().out
    assert run_model(name, ["--resume", str(tmp_path / "half")]) == 0
    assert rows(tmp_path / "half") == rows(folder)
    for model in ("model", "model-s1"):
        again, before = (each / model / "model.safetensors" for each in (tmp_path / "half", folder))
        assert again.read_bytes() == before.read_bytes()


@pytest.mark.parametrize("name", marked(MODULES))
def test_weights_and_measures_have_the_shapes_and_types_they_should(name):
    experiment = MODULES[name].SPEC
    request = parse(experiment, ["--preset", "smoke", "--dataset", "digits", "--num-seeds", "2", "--epochs", "3"])
    problem = build_setup(experiment, request.config, Quiet())
    task = main_plan(problem)
    before, given = task.build_state(), task.build_state()
    epoch, _ = compile_epoch(task.train_epoch, given, problem.data, task.hyper, task.keys)  # compiled for the runs
    after, metrics = epoch(given, problem.data, task.hyper, task.keys, jnp.asarray(0))
    chex.assert_trees_all_equal_shapes_and_dtypes(before, after)
    chex.assert_tree_all_finite(after)
    chex.assert_shape(list(metrics.values()), (2, problem.steps_per_epoch))
    assert set(problem.data._fields) >= {"pool", "labels"}
    assert problem.data.labels.shape == (2, LABELLED.get(name, 0))
    for network in {network for phase in task.phases.values() for network in phase.trained}:
        moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), before.params[network], after.params[network])
        assert max(jax.tree.leaves(moved)) > 0
    images, labels = problem.validation_images, problem.validation_labels
    found = build_seed_measure(problem)(*evaluation_variables(after), images, labels)
    assert {value.shape[0] for value in found.values()} == {2}
    assert experiment.score in found
    chex.assert_tree_all_finite(found)


PRESETS = [(name, preset) for name in MEASURED for preset in MODULES[name].SPEC.presets if preset != "smoke"]
SMALL = ("--network.hidden", "16", "--network.discriminator-hidden", "8", "--network.precision", "float32")


def test_a_run_is_trained_on_a_random_subset():
    argv = ["--preset", "smoke", "--dataset", "digits", "--labels", "50", "--pool-size", "300", "--num-seeds", "2"]
    problem = build_setup(semi_supervised.SPEC, parse(semi_supervised.SPEC, argv).config, Quiet())
    assert problem.data.pool.shape == (300, 8, 8)
    pool = {image.tobytes() for image in np.asarray(problem.data.pool)}
    assert {image.tobytes() for image in np.asarray(problem.data.labelled_images).reshape(100, 8, 8)} <= pool
    assert problem.steps_per_epoch == 300 // problem.config.batch_size


def test_as_many_images_are_held_out_as_asked_for():
    argv = ["--preset", "smoke", "--dataset", "digits", "--labels", "all", "--validation-size", "40"]
    problem = build_setup(semi_supervised.SPEC, parse(semi_supervised.SPEC, argv).config, Quiet())
    assert len(problem.validation_images) == len(problem.validation_labels) == 40
    assert problem.data.pool.shape == (1347 - 40, 8, 8)
    assert problem.data.labels.shape == (1, 1347 - 40)


def few_labels(name):
    """Return flags without which a preset wants more labels than there are digits."""
    return ("--labels", "100") if name in ("label_regularized", "dim_reduction") else ()


@pytest.mark.parametrize(
    ("name", "preset"),
    [pytest.param(*each, marks=() if each[1] in ("default", "graph") else pytest.mark.slow) for each in PRESETS],
)
def test_every_preset_can_be_traced(name, preset):
    experiment = MODULES[name].SPEC
    argv = ["--preset", preset, "--dataset", "digits", "--epochs", "1", *SMALL, *few_labels(name)]
    problem = build_setup(experiment, parse(experiment, argv).config, Quiet())
    task = main_plan(problem)
    before = jax.eval_shape(task.build_state)
    after, metrics = jax.eval_shape(
        task.train_epoch, before, problem.data, task.hyper, task.keys, jax.ShapeDtypeStruct((), jnp.int32)
    )
    chex.assert_trees_all_equal_shapes_and_dtypes(before, after)
    assert {metric.split("/")[0] for metric in metrics} == set(task.phases)
    assert {phase.rate or name for name, phase in task.phases.items()} <= set(task.hyper.optimizers)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_every_preset_trains(name, preset, tmp_path):
    argv = ["--preset", preset, "--dataset", "digits", "--epochs", "1", *SMALL, *few_labels(name)]
    assert run_model(name, [*argv, "--out-dir", str(tmp_path / "run")]) == 0
    assert np.isfinite(summary(tmp_path / "run")["test"]["reconstruction_error"]["mean"])


@pytest.mark.parametrize(
    ("name", "preset", "expected"),
    [
        pytest.param("unsupervised", "mixture", "part_manifolds", marks=pytest.mark.slow),
        ("unsupervised", "swiss_roll", "walks"),
        ("unsupervised", "uniform", "manifold_percentiles"),
        ("supervised", "default", "style_transfer"),
        ("dim_reduction", "ten_dimensions", "circle_projection"),
    ],
)
def test_the_figures_of_a_preset_are_drawn(name, preset, expected):
    experiment = MODULES[name].SPEC
    argv = ["--preset", preset, "--dataset", "digits", "--epochs", "1", *SMALL, *few_labels(name)]
    problem = build_setup(experiment, parse(experiment, argv).config, Quiet())
    params, stats = evaluation_variables(main_plan(problem).build_state())
    model = model_of(problem, used_networks(params), stats, 0)
    losses = {"update": 1, "discriminator_z/loss": [1.4], "reconstruction/loss": [3.0], "validation_error": [0.5]}
    health = {"validation_code_mmd": [0.1], "validation_code_std_ratio/z1": [0.5]}
    row = losses | health | {f"validation_discriminator_{code}_accuracy": [0.5] for code in "zy"}
    drawn = experiment.draw(
        [row, {**row, "update": 2}], model, images_of(problem, test=False), jax.random.key(0), None
    )
    assert expected in drawn
    assert all(isinstance(draw_one(), Figure) for draw_one in drawn.values())


@pytest.mark.parametrize("name", marked(MEASURED))
def test_without_the_test_set_nothing_of_it_is_measured(name, tmp_path, monkeypatch, capsys):
    """The test images are nothing that could be looked at: whoever does, fails."""
    digits = data.load_digits()
    poisoned = copy.copy(digits)
    object.__setattr__(poisoned, "test_images", None)
    monkeypatch.setattr("aae_jax.run.setup.load_dataset", lambda *_, **__: poisoned)
    with drawing() if name == "supervised" else contextlib.nullcontext():
        assert run(name, tmp_path / "run", "--no-test") == 0
    assert summary(tmp_path / "run")["test"] is None
    assert "the test images were not evaluated" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "argv", "words"),
    [
        ("unsupervised", ("--labels", "100"), "--labels"),
        ("unsupervised", ("--preset", "few_labels"), "There is no preset 'few_labels'"),
        (
            "unsupervised",
            ("--prior.kind", "swiss_roll", "--network.latent-dim", "3"),
            "the swiss roll has 2 dimensions",
        ),
        ("autoencoder", ("--model", "vae"), "a VAE has a Gaussian one"),
        ("autoencoder", ("--preset", "vae", "--prior.kind", "uniform"), "no density everywhere"),
        ("label_regularized", ("--prior.kind", "gaussian"), "has no part for each class"),
        (
            "label_regularized",
            ("--dataset", "digits", "--labels", "100", "--prior.parts", "12"),
            "prior.parts is 12, but the labels have 10 classes",
        ),
        ("label_regularized", ("--dataset", "digits"), "10000"),
        ("supervised", ("--network.latent-dim", "0"), "network.latent_dim"),
        ("clustering", ("--labels", "100"), "--labels"),
        ("clustering", ("--num-clusters", "1"), "num_clusters is 1"),
        ("clustering", ("--weights.mode-separation", "1", "--network.output", "tanh"), "whose pixels are"),
        (
            "clustering",
            ("--preset", "smoke", "--dataset", "digits", "--num-clusters", "1300", "--weights.propagation", "3"),
            "num_clusters is 1300 for 1212 points",
        ),
    ],
)
def test_what_a_model_cannot_be_trained_with_is_said(name, argv, words, capsys):
    assert run_model(name, list(argv)) == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_members_of_a_sweep_are_measured_beside_their_own_priors(tmp_path):
    argv = ["--preset", "smoke", "--dataset", "digits", "--epochs", "1", "--vary", "prior.std=1,1.000001,50"]
    assert sweep.main([*argv, "--optimizers.generator.learning-rate", "0", "--out-dir", str(tmp_path / "run")]) == 0
    (folder,) = (tmp_path / "run" / "chunks").iterdir()
    narrow, same, wide = rows(folder)[-1]["validation_code_std_ratio/z1"]
    assert same == pytest.approx(narrow, rel=0.05)
    assert wide == pytest.approx(narrow / 50, rel=0.05)


def test_a_table_of_a_run_begun_by_an_earlier_version_has_every_column(tmp_path):
    folder = RunFolder(tmp_path)
    folder.append_metrics({"epoch": 0, "update": 1, "validation_error": [0.5], "loss": [1.0]})
    folder.append_metrics(
        {"epoch": 1, "update": 2, "validation_error": [0.4], "validation_code_mmd": [0.1], "loss": [0.9]}
    )
    folder.write_csv((0,))
    table = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    assert [(row["validation_code_mmd"], row["loss"]) for row in table] == [("", "1.0"), ("0.1", "0.9")]


def test_presets_are_listed_by_experiment(capsys):
    with pytest.raises(SystemExit):
        run_model("unsupervised", ["--preset", "list"])
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert listed == set(unsupervised.SPEC.presets)


def test_a_yaml_file_of_another_project_is_for_its_own_model(tmp_path):
    (tmp_path / "theirs.yml").write_text("semi_supervised:\n  learning_rates: {auto_encoder_lr: 0.1}\n")
    with pytest.raises(InputError, match="give it to semi_supervised"):
        parse(unsupervised.SPEC, ["--config-path", str(tmp_path / "theirs.yml")])


def test_a_run_of_one_model_is_not_resumed_by_another(whole, capsys):
    name, folder = whole
    other = "unsupervised" if name == "autoencoder" else "autoencoder"
    (folder / "summary.json").rename(folder / "kept.json")
    try:
        assert run_model(other, ["--resume", str(folder)]) == 2
        assert "There is no configuration key" in capsys.readouterr().err
    finally:
        (folder / "kept.json").rename(folder / "summary.json")


def test_the_command_line_trains_and_uses_a_model_without_labels(tmp_path, capsys, monkeypatch):
    folder = str(tmp_path / "run")
    small = ["--preset", "smoke", "--dataset", "digits", "--epochs", "3", "--num-seeds", "2"]
    assert cli.main(["train", "unsupervised", *small, "--out-dir", folder]) == 0
    capsys.readouterr()
    assert cli.main(["evaluate", folder, "--out", str(tmp_path / "found.json")]) == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert f"{found['reconstruction_error']:.5f} per pixel of 450 images" in said
    assert found["reconstruction_error"] == pytest.approx(
        summary(tmp_path / "run")["test"]["reconstruction_error"]["per_seed"][0]
    )
    trained = summary(tmp_path / "run")["test"]
    ratios = [trained[f"code_std_ratio/z{i + 1}"]["per_seed"][0] for i in range(2)]
    np.testing.assert_allclose(found["code_std_ratio"], ratios, rtol=0.1)  # other samples of the same prior
    codes = np.asarray(load(folder).encode(data.load_digits().test_images).mean)
    np.testing.assert_allclose(found["code_std_ratio"], codes.std(axis=0) / 5.0, rtol=0.1)
    assert cli.main(["generate", folder, "--count", "12", "--out", str(tmp_path / "made.npz")]) == 0
    with np.load(tmp_path / "made.npz") as made:
        model = load(folder)
        np.testing.assert_array_equal(made["styles"], model.draw_styles(jax.random.key(0), 12))
        np.testing.assert_allclose(made["images"], model.decode(made["styles"]), atol=1e-6)
    assert cli.main(["generate", folder, "--count", "12", "--out", str(tmp_path / "made.png")]) == 0
    assert cli.main(["generate", folder, "--label", "3"]) == 2
    assert "the model has no labels" in capsys.readouterr().err
    np.save(tmp_path / "some.npy", data.load_digits().test_images[:3])
    assert cli.main(["reconstruct", folder, str(tmp_path / "some.npy"), "--out", str(tmp_path / "rebuilt.npz")]) == 0
    assert cli.main(["predict", folder, str(tmp_path / "some.npy")]) == 2
    assert "has no classes" in capsys.readouterr().err
