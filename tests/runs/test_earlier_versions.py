"""Models, runs, sweeps and configurations that earlier versions left: see fixtures/earlier/README.md."""

import csv
import functools
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
import yaml

import aae_jax
from aae_jax import cli
from aae_jax.config.text import to_mapping, with_current_names
from aae_jax.models import find_model
from aae_jax.run.arguments import parse
from aae_jax.run.run import main as run_model
from aae_jax.run.sweep import command as sweep
from aae_jax.saved.versions import FORMAT_VERSION
from tests.fixtures.earlier.recording import (
    COUNT,
    images_for,
    model_facts,
    model_values,
    models_of,
    write_data,
)

pytestmark = pytest.mark.usefixtures("quick_compile")

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "earlier"
EXPECTED = {path.relative_to(FOLDER).as_posix().split(".")[0]: path for path in sorted(FOLDER.glob("*/*.json"))}
RUNS = {path.parent.relative_to(FOLDER).as_posix(): path.parent for path in sorted(FOLDER.glob("*/*/metrics.jsonl"))}
SWEEPS = {path.parent.relative_to(FOLDER).as_posix(): path.parent for path in sorted(FOLDER.glob("*/*/sweep.json"))}
FINISHED = [name for name, path in {**RUNS, **SWEEPS}.items() if (path / "summary.json").exists()]
STOPPED = [name for name, path in {**RUNS, **SWEEPS}.items() if not (path / "summary.json").exists()]
CONFIGURATIONS = {
    path.relative_to(FOLDER).as_posix(): path for path in sorted(FOLDER.rglob("*.yaml")) if "chunks" not in path.parts
}
OFF = json.loads((FOLDER / "off.json").read_text())
"""By experiment: each setting at the value that leaves it out, for files from before there was that setting."""
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


def slow_but(quick, names):
    """Return names as parameters, those that are not among the quick ones marked as slow."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """Work in a folder with the fixtures' data, with a home and a cache of its own."""
    for name in ("HOME", "AAE_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("AAE_DATA_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    write_data(here)


def recorded(name):
    return json.loads(EXPECTED[name].read_text())


def experiment_of(name):
    """Return the experiment of a run, by its configuration's own mention or by the folder's name."""
    origin = RUNS.get(name, SWEEPS.get(name)) / "origin.json"
    summary = origin.with_name("summary.json")
    if summary.exists():
        return json.loads(summary.read_text())["experiment"]
    if origin.exists():
        return json.loads(origin.read_text())["command"].split()[1].split("/")[1].removesuffix(".py")
    return name.split("/")[1].removesuffix("-stopped")


def main_of(experiment):
    return sweep.main if experiment == "sweep" else functools.partial(run_model, experiment)


def copied(name):
    """Return a copy of a run's folder, in the working directory."""
    return shutil.copytree(FOLDER / name, Path(name.replace("/", "-")))


def flat(values, where=""):
    """Return a mapping's leaves by dotted name."""
    found = {}
    for key, value in values.items():
        found |= flat(value, f"{where}{key}.") if isinstance(value, dict) else {where + key: value}
    return found


def contained(older, newer, where=""):
    """Compare all that an older description has with a newer one, which may have more."""
    for key, value in older.items():
        if isinstance(value, dict):
            contained(value, newer[key], f"{where}{key}.")
        else:
            assert newer[key] == value, where + key


def test_every_format_and_experiment_is_there():
    """Who raises the version adds models of the one before; who adds an experiment, a run of it."""
    configs = [json.loads(path.read_text()) for path in FOLDER.glob("*/*/model*/config.json")]
    assert {config["format_version"] for config in configs} == set(range(1, FORMAT_VERSION + 1))
    kinds = {config["prior"]["kind"] for config in configs if config.get("prior")}
    assert kinds >= {"gaussian", "mixture", "umbrella", "swiss_roll", "uniform", "samples"}
    assert any(config.get("prior", "Gaussian") is None for config in configs)
    for field in ("heads", "mode_decoder", "clusters", "temperature"):
        assert any(config.get(field) for config in configs), field
    assert {experiment_of(name) for name in FINISHED} == {*OFF, "sweep"}
    assert {*QUICK_MODELS, *QUICK_EVALUATIONS} <= set(MODELS)


def test_files_name_no_place_and_stay_small():
    files = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) < 1_700_000
    assert not [path for path in files if b"/tmp/" in path.read_bytes()]  # where they were made


QUICK_MODELS = (
    "1-3c7722a/semi_supervised",
    "2-4994e3e/rows",
    "3-0761f34/autoencoder",
    "3-521306f/clustering",
    "4-ca2bb60/samples",
    "4-ca2bb60/dim_reduction",
    "5-88c0ec7/rows",
)
MODELS = [name for name in FINISHED if name in RUNS]


@pytest.mark.parametrize("name", slow_but(QUICK_MODELS, MODELS))
def test_a_model_gives_what_it_gave(name, tmp_path):
    expected, folders = recorded(name), models_of(FOLDER / name)
    assert [folder.name for folder in folders] == sorted(set(expected) - {"evaluation"})
    for folder in folders:
        model, then = aae_jax.load(folder), expected[folder.name]
        facts = json.loads(json.dumps(model_facts(model)))
        unknown = {"seed"} if then["facts"].get("seed") is None else set()  # was written before it was read
        contained({name: fact for name, fact in then["facts"].items() if name not in unknown}, facts)
        now = model_values(model)
        assert set(now) >= set(then["values"])
        for what, values in then["values"].items():
            np.testing.assert_allclose(now[what], values, **TOLERANCE, err_msg=what)
        aae_jax.save_model(model, tmp_path / folder.name)
        again = aae_jax.load(tmp_path / folder.name)
        assert model_facts(again) == model_facts(model)
        jax.tree.map(np.testing.assert_array_equal, (again.params, again.stats), (model.params, model.stats))


@pytest.mark.parametrize("name", ["1-06d3b3a/semi_supervised", "3-521306f/clustering"])
def test_the_commands_on_models_take_a_folder_of_an_earlier_run(name):
    run, model = str(FOLDER / name), aae_jax.load(FOLDER / name)
    np.save("images.npy", images_for(model))
    assert cli.main(["predict", run, "images.npy", "--out", "answers.csv"]) == 0
    with open("answers.csv") as file:
        answers = [row[2:] for row in csv.reader(file)][1:]
    then = recorded(name)["model"]["values"]
    np.testing.assert_allclose(np.asarray(answers, float), then["probabilities"], atol=1e-5)
    assert cli.main(["reconstruct", run, "images.npy", "--out", "made.npz"]) == 0
    with np.load("made.npz") as arrays:
        np.testing.assert_allclose(arrays["reconstructions"], then["reconstructed"], **TOLERANCE)
    assert cli.main(["generate", run, "--count", str(COUNT), "--label", model.class_names[0], "--out", "a.npz"]) == 0
    with np.load("a.npz") as arrays:
        np.testing.assert_array_equal(arrays["styles"], model.draw_styles(jax.random.key(0), COUNT))
        assert arrays["images"].shape == (COUNT, *model.image_shape)


QUICK_EVALUATIONS = ("1-3c7722a/semi_supervised", "3-0761f34/unsupervised", "3-521306f/clustering", "4-ca2bb60/rows")


@pytest.mark.parametrize("name", slow_but(QUICK_EVALUATIONS, MODELS))
def test_a_run_is_evaluated_as_it_was(name):
    then = recorded(name)["evaluation"]
    if not then:
        summary = json.loads((FOLDER / name / "summary.json").read_text())
        then = {"error": summary["test_error"]["per_seed"][0], "images": summary["splits"]["test"]}
    assert cli.main(["evaluate", str(FOLDER / name), "--out", "now.json"]) == 0
    now = json.loads(Path("now.json").read_text())
    for what, number in then.items():
        np.testing.assert_allclose(now[what], number, **TOLERANCE, err_msg=what)


@pytest.mark.parametrize("name", RUNS)
def test_doctor_reads_every_run(name, capsys):
    assert cli.main(["doctor", str(FOLDER / name)]) == 0
    rows = (FOLDER / name / "metrics.jsonl").read_text().splitlines()
    said = capsys.readouterr().out
    assert f"quarter of {len(rows)} evaluations, up to update {json.loads(rows[-1])['update']}" in said


def test_the_first_models_of_clusters_are_known_as_such():
    """They lack the field, by which alone later ones are known."""
    folder = FOLDER / "3-521306f"
    assert "clusters" not in json.loads((folder / "clustering" / "model" / "config.json").read_text())
    assert aae_jax.load(folder / "clustering").clusters
    assert not aae_jax.load(folder / "dim_reduction").clusters


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["1-3c7722a/semi_supervised", "3-0761f34/unsupervised", "3-521306f/clustering", "4-ca2bb60/dim_reduction"]
)
def test_visualize_draws_an_earlier_run(name):
    assert cli.main(["visualize", str(FOLDER / name), "--out-dir", "drawn", "--images", "20"]) == 0
    assert {"latent_features_tsne.png", "z_distribution.png"} <= {path.name for path in Path("drawn").iterdir()}


@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_run_is_known_as_finished(name, capsys):
    assert main_of(experiment_of(name))(["--resume", str(FOLDER / name)]) == 0
    assert "is finished" in capsys.readouterr().out


NO_LONGER_TAKEN = {
    "1-d97e3b1/configurations/semi_supervised.yaml": "weights.adversarial_norm is None; give a number.",
}
"""By configuration: what is said of the setting that it has, and that has gone."""


@pytest.mark.parametrize("name", sorted(CONFIGURATIONS.keys() - NO_LONGER_TAKEN.keys()))
def test_a_configuration_means_what_it_meant(name):
    path = CONFIGURATIONS[name]
    experiment = path.stem if path.parent.name == "configurations" else experiment_of(name.rpartition("/")[0])
    experiment = experiment.replace("sweep", "semi_supervised")
    written = yaml.safe_load(path.read_text())
    renamed = getattr(find_model(experiment).spec.config_class, "RENAMED", {})
    expected = flat(with_current_names(OFF[experiment], renamed)) | flat(with_current_names(written, renamed))
    if (path.parent / "prior.npy").exists():
        expected["prior.file"] = str(path.parent / "prior.npy")
    shell = find_model(experiment).spec
    found = flat(to_mapping(parse(shell, ["--config-path", str(path)]).config))
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("name", NO_LONGER_TAKEN)
def test_a_setting_that_has_gone_is_named(name, capsys):
    shell = find_model("semi_supervised").spec
    with pytest.raises(aae_jax.InputError) as refusal:
        parse(shell, ["--config-path", str(CONFIGURATIONS[name])])
    assert str(refusal.value) == NO_LONGER_TAKEN[name]


REFUSED = {
    "1-3c7722a/semi_supervised-stopped": "so there is nothing to resume; start a new run.",
    "1-06d3b3a/semi_supervised-stopped": "so there is nothing to resume; start a new run.",
}
"""By stopped run: the end of the sentence by which it is refused. Of version 1, checkpoints were Orbax's (ADR 6)."""


@pytest.mark.parametrize("name", REFUSED)
def test_a_run_that_cannot_go_on_is_refused_and_left_as_it_is(name, capsys):
    folder = copied(name)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main_of(experiment_of(name))(["--resume", str(folder)]) == 2
    assert capsys.readouterr().err.rstrip().endswith(REFUSED[name])
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == before


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted((RUNS.keys() & set(STOPPED)) - REFUSED.keys()))
def test_a_stopped_run_goes_on(name):
    folder = copied(name)
    before = (folder / "metrics.jsonl").read_text().splitlines()
    assert main_of(experiment_of(name))(["--resume", str(folder)]) == 0
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert rows[: len(before)] == [json.loads(line) for line in before]
    then = recorded(name)["rows"]
    assert [row["update"] for row in rows] == [row["update"] for row in then]
    assert json.loads((folder / "summary.json").read_text())["updates"] == then[-1]["update"]
    for row, old in zip(rows, then, strict=True):
        np.testing.assert_allclose(row["reconstruction/loss"], old["reconstruction/loss"], rtol=1e-2)
    assert aae_jax.load(folder).image_shape


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SWEEPS.keys() & set(STOPPED)))
def test_a_stopped_sweep_goes_on(name):
    folder = copied(name)
    done = (folder / "chunks" / "000" / "result.json").read_bytes()
    assert main_of("sweep")(["--resume", str(folder)]) == 0
    assert (folder / "chunks" / "000" / "result.json").read_bytes() == done
    with open(folder / "table.csv") as file:
        table = list(csv.DictReader(file))
    assert sorted(row["weights.consistency"] for row in table) == ["0.5", "1.0"]
    assert all(0 <= float(row["validation_error"]) <= 1 for row in table)
