"""What a finished run leaves, and that it can be had again."""

import json
import os
import signal
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

import aae_jax
from aae_jax import data, evaluation
from aae_jax.config import resolve
from aae_jax.config import text as config_text
from aae_jax.data import Quiet
from aae_jax.models import preset
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.models.semi_supervised.experiment import SPEC
from aae_jax.models.shared.plan import main_plan
from aae_jax.run import setup as problem
from aae_jax.run import trainer
from aae_jax.run.arguments import parse
from aae_jax.run.console import Console
from aae_jax.run.run_dir import RunFolder
from tests.runs.conftest import interrupt_after
from tests.runs.running import EPOCHS, LABELS, ROOT, contents, copied, evidence, rows, status, summary

FIGURES = (
    *("learning_curves", "validation_error", "train_and_validation_error", "reconstructions", "style_class_grid"),
    *("code_histograms", "confusion_matrix", "predicted_classes", "first_layer_features", "latent_interpolation"),
    "reliability_diagram",
)
POOL, VALIDATION, TEST, UPDATES = 1212, 135, 450, 24


def error_of(model, dataset):
    wrong = np.count_nonzero(np.asarray(model.predict(dataset.test_images)) != dataset.test_labels)
    return wrong / len(dataset.test_labels)


def test_the_folder_holds_all_that_was_promised(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {"config.yaml", "metrics.csv", "metrics.jsonl", "origin.json", "summary.json"} | {
        "checkpoints",
        "model",
        "figures",
    }
    assert {p.name for p in (finished / "checkpoints").iterdir()} == {"last", "best"}
    assert {p.name for p in (finished / "checkpoints" / "last").iterdir()} == {"1", "2"}
    assert not list(finished.rglob("*.unfinished"))


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_figures_are_drawn(finished, name, suffix):
    assert (finished / "figures" / f"{name}.{suffix}").stat().st_size > 1000


def test_summary_names_data_and_splits(finished):
    dataset = data.load_dataset("digits")
    found = summary(finished)
    assert found["data"] == {"name": "digits", "source": dataset.source, "sha256": dataset.sha256}
    assert found["splits"] == {"labelled": LABELS, "pool": POOL, "validation": VALIDATION, "test": TEST}
    assert (found["labels"], found["seeds"], found["label_seeds"]) == (LABELS, [0], [0])
    assert found["failed_seeds"] == {}
    assert found["updates"] == EPOCHS * UPDATES


def test_summary_names_times_and_versions(finished):
    found = summary(finished)
    assert all(found[name] > 0 for name in ("train_seconds", "compile_seconds", "updates_per_second"))
    assert found["updates_per_second"] == pytest.approx(found["updates"] / found["train_seconds"], rel=0.05)
    assert jax.devices()[0].platform in found["device"]
    assert 1 <= found["cpu_cores"] <= os.cpu_count()
    assert {"python", "jax", "jaxlib", "flax", "optax", "numpy"} <= set(found["versions"])
    assert found["versions"]["jax"] == jax.__version__


def test_the_temperature_is_fitted_on_validation_images_and_kept_with_the_model(finished):
    dataset, model, found = data.load_dataset("digits"), aae_jax.load(finished), summary(finished)["calibration"]
    splits = data.split_indices(dataset.train_labels, num_classes=10, num_labels=LABELS, label_seed=0)
    arrays = data.training_arrays(dataset, splits)
    logits = model.encode_stored(jnp.asarray(arrays.validation_images)).logits
    expected = evaluation.fit_temperature(logits, arrays.validation_labels)
    assert model.temperature == found["temperature"][0] == pytest.approx(expected, rel=1e-3)
    logits = model.encode_stored(jnp.asarray(dataset.test_images)).logits
    for name, temperature in (("expected_error", 1.0), ("calibrated_error", expected)):
        own = evaluation.reliability(logits, dataset.test_labels, temperature=temperature)
        assert found[name]["mean"] == pytest.approx(evaluation.calibration_error(own), abs=1e-3)
    assert found["measured_on"] == "test"


def test_summary_names_the_commit(finished):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    if head.returncode:
        pytest.skip("not a git checkout")
    assert head.stdout.startswith(summary(finished)["git_commit"].removesuffix("-dirty"))


@pytest.mark.parametrize("of", [(), ("baseline",)], ids=["run", "baseline"])
def test_errors_are_shares_of_the_test_set(finished, of):
    found = summary(finished)
    for name in of:
        found = found[name]
    error = found["test"]["error"]
    assert set(error) == {"per_seed", "mean", "std"}
    assert error["mean"] == error["per_seed"][0]
    assert error["std"] is None
    assert error["mean"] * TEST == pytest.approx(round(error["mean"] * TEST), abs=1e-9)
    assert 0 < error["mean"] < 1


@pytest.mark.parametrize("where", [".", "model"])
def test_the_reported_error_is_that_of_the_saved_model(finished, where):
    model = aae_jax.load(finished / where)
    dataset = data.load_dataset("digits")
    assert summary(finished)["test"]["error"]["per_seed"] == [error_of(model, dataset)]
    assert model.data == {"name": "digits", "sha256": dataset.sha256}


def test_the_saved_model_is_the_last_averaged_weights(finished, tmp_path):
    folder = RunFolder(copied(finished, tmp_path / "run"))
    config = config_text.from_mapping(SemiSupervisedConfig, config_text.read_yaml(folder.path / "config.yaml"))
    posed = problem.build_setup(SPEC, config, Quiet())
    outcome = trainer.Trainer(posed, main_plan(posed), folder, Console()).run(resume=True, command="test")
    assert int(outcome.state.step[0]) == EPOCHS * UPDATES
    model = aae_jax.load(finished)
    last = {name: outcome.state.averaged_params[name] for name in ("encoder", "decoder")}
    jax.tree.map(lambda ours, theirs: np.testing.assert_array_equal(ours, theirs[0]), dict(model.params), last)
    plain = jax.tree.leaves(outcome.state.params["encoder"])
    averaged = jax.tree.leaves(outcome.state.averaged_params["encoder"])
    assert not all(np.array_equal(a, b) for a, b in zip(plain, averaged, strict=True))


def test_the_model_is_json_and_safetensors(finished):
    assert {path.name for path in (finished / "model").iterdir()} == {"config.json", "model.safetensors", "README.md"}
    raw = (finished / "model" / "model.safetensors").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert all(entry["dtype"] == "F32" for name, entry in header.items() if name != "__metadata__")
    assert json.loads((finished / "model" / "config.json").read_text())["format"] == "aae_jax"


def test_metrics_have_a_row_per_evaluation(finished):
    found = rows(finished)
    assert [row["epoch"] for row in found] == list(range(EPOCHS))
    assert [row["update"] for row in found] == [UPDATES * (i + 1) for i in range(EPOCHS)]
    phases = ("reconstruction", "discriminator_z", "discriminator_y", "generator", "classification")
    for row in found:
        assert {f"{phase}/loss" for phase in phases} <= set(row)
        assert all(len(value) == 1 for name, value in row.items() if name not in ("epoch", "update"))
    assert [row["validation_error"] for row in found][-1] == summary(finished)["validation"]["error"]["per_seed"]


def test_files_are_strict_json(finished):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    lines = (finished / "metrics.jsonl").read_text().splitlines()
    read = [json.loads(text, parse_constant=refuse) for text in (*lines, (finished / "summary.json").read_text())]
    assert len(read) == EPOCHS + 1
    assert all(isinstance(mapping, dict) and mapping for mapping in read)


def test_the_configuration_is_resolved(finished):
    config = config_text.from_mapping(SemiSupervisedConfig, yaml.safe_load((finished / "config.yaml").read_text()))
    assert config.dataset == "digits"
    assert config.views.max_shift == 0
    assert config.evaluate_every == 1
    assert config.network.precision == "float32"
    asked = parse(SPEC, ["--preset", "smoke", "--dataset", "digits", "--labels", str(LABELS)]).config
    assert asked.network.precision == "auto"
    assert problem.build_setup(SPEC, asked, Quiet()).config.network.precision in ("float32", "bfloat16")
    assert config.optimizers == resolve(preset("smoke"), (8, 8)).optimizers


@pytest.mark.slow
def test_its_configuration_reruns_it_bit_for_bit_also_over_a_stop(finished, tmp_path):
    again = tmp_path / "again"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 1, signal.SIGTERM)
        assert status("--config-path", finished / "config.yaml", "--out-dir", again) == 128 + signal.SIGTERM
    assert status("--resume", again) == 0
    assert evidence(again) == evidence(finished)
    made, expected = contents(again / "model"), contents(finished / "model")
    assert b"## Results" in made.pop("README.md")  # the card, which names the command
    del expected["README.md"]
    assert made == expected
    assert (again / "config.yaml").read_bytes() == (finished / "config.yaml").read_bytes()
    assert rows(again) == rows(finished)
