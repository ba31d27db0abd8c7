"""Rows of the published tables: what their flags ask for, and that those recorded are what their commands train."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from aae_jax.config import resolve
from aae_jax.config.text import differences, from_mapping
from aae_jax.errors import InputError
from aae_jax.models import preset
from aae_jax.models.semi_supervised.config import validate
from aae_jax.models.semi_supervised.experiment import SPEC
from aae_jax.run.arguments import parse
from reproduce import command
from reproduce.models import MODELS
from reproduce.pages.markdown import RESULTS
from reproduce.recording import LISTED, _subset
from reproduce.tables import PAPER_DROPS, TABLES, choose_rows


def config_of(row, epochs):
    return parse(SPEC, row.arguments(epochs)).config


@pytest.mark.parametrize("row", TABLES["few-labels"], ids=lambda row: row.name)
def test_published_rows_are_what_their_names_say(row):
    config = config_of(row, 200)
    assert config.labels == row.labels
    assert config.epochs == 200
    assert config.test
    assert (config.views.max_shift != 0) == row.shifts
    assert row.name.endswith("-shifts") == row.shifts


@pytest.mark.parametrize("table", ["ablation", "paper-settings", "label-counts", "subsets"])
def test_rows_of_comparisons_are_short_runs_at_half_width(table):
    seen = []
    for row in TABLES[table]:
        config = config_of(row, row.epochs)
        validate(resolve(config, (28, 28)))
        assert config.labels == row.labels
        assert (config.views.max_shift != 0) == row.shifts
        widest = preset(row.preset).network.hidden[0] // 2
        assert config.network.hidden[0] == widest == 500
        assert config.test == (table not in ("ablation", "paper-settings")), (
            "settings are not compared by test images"
        )
        seen.append(replace(config, seed=0))
    assert len({repr(config) for config in seen}) == len(seen), "each row is another"


def test_faithful_rates_fall_after_the_papers_passes():
    row = choose_rows("few-labels", "faithful", ["faithful-100"])[0]
    assert config_of(row, 40).optimizers.schedule == "constant"
    for epochs in (200, row.epochs):
        optimizers = config_of(row, epochs).optimizers
        assert optimizers.schedule == "steps"
        expected = [after for after in PAPER_DROPS if after < epochs]
        assert [share * epochs for share in optimizers.drops] == pytest.approx(expected)


def test_rows_are_chosen_by_recipe_and_name():
    every = choose_rows("few-labels", None, [])
    assert {row.recipe for row in every} == {"faithful", "best"}
    assert choose_rows("few-labels", "best", []) == tuple(row for row in every if row.recipe == "best")
    assert [row.name for row in choose_rows("few-labels", None, ["best-100", "faithful-all"])] == [
        "best-100",
        "faithful-all",
    ]
    with pytest.raises(InputError, match="There is no row 'best-100'"):
        choose_rows("few-labels", "faithful", ["best-100"])


def test_models_have_no_recipe():
    with pytest.raises(InputError, match="The table models has no recipe 'best'"):
        choose_rows("models", "best", [])


@pytest.mark.parametrize("row", MODELS, ids=lambda row: row.name)
def test_a_row_of_the_gallery_can_be_trained(row):
    experiment = command._experiment(row)
    config = parse(experiment, row.arguments(row.epochs)).config
    experiment.validate(config)
    assert (config.epochs, config.test) == (row.epochs, True)
    assert len(set(row.figures)) == len(row.figures) > 0


RECORDED = sorted((RESULTS / "models").glob("*.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_row_is_what_its_command_trains(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    (row,) = (row for row in MODELS if row.name == path.stem)
    wanted = parse(command._experiment(row), row.arguments(found["epochs"])).config
    changed = differences(wanted, from_mapping(type(wanted), found["config"]))
    assert {name for name in changed if command._chosen(wanted, name)} <= {"dataset", "data_dir", "num_seeds"}
    assert found["failed_seeds"] == {}
    assert {p.stem for p in path.with_suffix("").glob("*.png")} == {*row.figures, *row.visualized}


def test_a_large_subset_is_recorded_by_its_digest():
    """Whoever draws the same images can check it: the numbers in order, four bytes each, the lowest first."""
    assert _subset(np.arange(LISTED)) == list(range(LISTED))
    numbers = range(LISTED + 1)
    packed = b"".join(number.to_bytes(4, "little") for number in numbers)
    assert _subset(np.asarray(numbers)) == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recorded_row_is_small(path):
    assert path.stat().st_size < 40_000
