"""Names with hyphens or underscores: experiments, presets, data sets, rows and values are taken by either."""

import pytest

from aae_jax import cli, preset
from aae_jax.config.text import from_mapping
from aae_jax.data import load_dataset
from aae_jax.data.sources import KNOWN
from aae_jax.errors import InputError, known_name
from aae_jax.models import MODELS, find_model
from aae_jax.models.clustering import experiment as clustering
from aae_jax.models.semi_supervised import experiment as semi_supervised
from aae_jax.models.unsupervised import experiment as unsupervised
from aae_jax.models.unsupervised.config import UnsupervisedConfig
from aae_jax.run.arguments import parse
from aae_jax.run.flags import parse_flags
from aae_jax.run.sweep import command as sweep
from reproduce.command import Flags
from reproduce.tables import TABLES, choose_rows


def other_spellings(name):
    return {name.replace("-", "_"), name.replace("_", "-")}


@pytest.mark.parametrize("name", sorted({spelt for name in cli._experiments() for spelt in other_spellings(name)}))
def test_each_experiment_is_trained_by_either_spelling(name, capsys):
    assert cli.main(["train", name, "--epochs", "none"]) == 2
    said = capsys.readouterr().err
    assert "epochs" in said
    assert "There is no experiment" not in said


def test_the_commands_of_an_earlier_implementation_stay_theirs(capsys, monkeypatch):
    monkeypatch.setattr("aae_jax.run.run.main", lambda name, argv, launcher: print(launcher, *argv) or 0)
    assert cli.main(["train_semi_supervised", "--n-epochs", "3"]) == 0
    assert "aae-jax train semi-supervised --preset shaharazulay" in capsys.readouterr().out
    assert cli.main(["train", "semi_supervised", "--epochs", "3"]) == 0
    assert capsys.readouterr().out == "aae-jax train semi-supervised --epochs 3\n"


@pytest.mark.parametrize("name", ["semi-supervized", "semi supervised", "semisupervised", "-", ""])
def test_other_names_are_refused_with_an_offer(name, capsys):
    assert cli.main(["train", name]) == 2
    assert f"There is no experiment {name!r}; " in capsys.readouterr().err


@pytest.mark.parametrize(("experiment", "name"), [(entry.name, name) for entry in MODELS for name in entry.presets])
def test_each_preset_is_taken_by_either_spelling(experiment, name):
    for spelt in other_spellings(name):
        for of in other_spellings(experiment):
            assert preset(spelt, of) is find_model(experiment).presets[name][0]


def test_a_preset_on_the_command_line():
    for spelt in ("few-labels", "few_labels"):
        config = parse(semi_supervised.SPEC, ["--preset", spelt]).config
        assert config == find_model("semi_supervised").presets["few_labels"][0]
    with pytest.raises(InputError, match="did you mean 'few_labels'"):
        preset("few-label")


@pytest.mark.parametrize("kind", ["swiss-roll", "swiss_roll"])
def test_values_that_are_chosen_from(kind):
    for argv in (["--prior.kind", kind], [f"--prior.kind={kind}"]):
        config = parse(unsupervised.SPEC, argv).config
        assert config.prior.kind == "swiss_roll"
    assert from_mapping(UnsupervisedConfig, {"prior": {"kind": kind}}).prior.kind == "swiss_roll"
    activation = f"leaky{kind[5]}relu"
    config = parse(clustering.SPEC, ["--network.discriminator_activation", activation]).config
    assert config.network.discriminator_activation == "leaky_relu"
    flags = parse(
        semi_supervised.SPEC,
        ["--weights.reconstruction-loss", f"mean{kind[5]}squared{kind[5]}error", "--vary", "labels=10,20"],
        kind=sweep.SweepFlags[semi_supervised.SPEC.config_class],
    )
    assert flags.config.weights.reconstruction_loss == "mean_squared_error"


def test_values_of_other_flags_are_left_alone():
    config = parse(unsupervised.SPEC, ["--data-dir", "swiss-roll", "--dataset", "npz:leaky-relu.npz"]).config
    assert (config.data_dir, config.dataset) == ("swiss-roll", "npz:leaky-relu.npz")
    with pytest.raises(InputError, match="prior"):
        parse(unsupervised.SPEC, ["--prior.kind", "swiss-rolls"])


@pytest.mark.parametrize("name", KNOWN)
def test_each_known_data_set_is_looked_for_by_either_spelling(name, tmp_path):
    for spelt in other_spellings(name):
        with pytest.raises(InputError, match="is not available locally") as refused:
            load_dataset(spelt, cache_dir=tmp_path)
        assert str(refused.value).startswith(KNOWN[name].title)


@pytest.mark.parametrize("table", TABLES)
def test_tables_and_rows_are_taken_by_either_spelling(table):
    rows = TABLES[table]
    for spelt in other_spellings(table):
        assert choose_rows(spelt, None, ()) == rows
        assert choose_rows(spelt, None, [rows[0].name.replace("-", "_")]) == rows[:1]
    assert parse_flags(Flags, ["--table", table], prog="reproduce", description="", default=None).table == table


def test_the_name_that_is_written_exactly_comes_first():
    assert known_name("a_b", ["a-b", "a_b"]) == "a_b"
    assert known_name("a-b", ["a_b", "c"]) == "a_b"
    assert known_name("a b", ["a_b"]) == "a b"
    assert known_name("A-B", ["a_b"]) == "A-B"
