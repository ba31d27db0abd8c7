"""Pages speak of flags and presets that exist."""

import dataclasses
import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from aae_jax import cli
from aae_jax.config import PriorConfig
from aae_jax.models import MODELS, find_model
from aae_jax.models.semi_supervised.presets import PRESETS
from aae_jax.run.arguments import parse
from aae_jax.run.run import main as run_model

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "coming-from.md"
OTHERS = {"--preset", "--config-path", "--out-dir", "--resume"}


def flags_of(kind, prefix=""):
    """Return the dotted flags of a configuration."""
    found = set()
    for field in dataclasses.fields(kind):
        name = prefix + field.name.replace("_", "-")
        default = getattr(kind, field.name, None)
        if dataclasses.is_dataclass(default):
            found |= flags_of(default, f"{name}.")
        else:
            found.add(f"--{name}")
    return found


def rows():
    """Return `(there, here)` of every row of the page's tables."""
    cells = [
        [cell.strip() for cell in line.strip("| \n").split(" | ")]
        for line in PAGE.read_text().splitlines()
        if line[:1] == "|"
    ]
    assert all(len(row) == 2 for row in cells if not row[0].startswith("---"))
    return [row for row in cells if len(row) == 2 and row != ["there", "here"] and not row[0].startswith("---")]


CONFIGURATIONS = {entry.name: entry.presets["default"][0] for entry in MODELS}
OF_COMMANDS = {
    "init-datasets": {"--dir-path"},
    "visualize": {"--out-dir"},
    "interpolate": {"--nearest", "--smooth", "--steps", "--out"},
}


def test_every_flag_of_ours_exists():
    phases = ("reconstruction", "discriminator", "generator", "classification")
    count = 0
    for _, here in rows():
        command = re.search(r"experiments/(\w+)\.py", here)
        ours = re.search(r"aae-jax ([a-z-]+)", here)
        known = flags_of(CONFIGURATIONS[command[1] if command else "semi_supervised"]) | OTHERS
        known |= OF_COMMANDS.get(ours[1] if ours else "", set())
        for flag in re.findall(r"--[a-z][\w.<>-]*", here):
            count += 1
            for phase in phases:
                full = flag.replace("<phase>", phase)
                assert full in known or any(other.startswith(f"{full}.") for other in known), flag
    assert count > 50


@pytest.mark.parametrize("name", ["shaharazulay", "fducau", "naresh", "conan7882"])
def test_every_implementation_has_its_preset(name):
    assert f"`--preset {name}`" in PAGE.read_text()
    assert name in PRESETS


def test_the_page_of_models_names_every_preset():
    page = (ROOT / "docs" / "models.md").read_text().split("## Presets")[1]
    for entry in MODELS:
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{entry.name}` |"))
        named = {"default", "smoke", *re.findall(r"`(\w+)`", row.split("|")[2])}
        assert named == set(entry.presets)


def test_the_page_of_models_describes_every_model():
    page = (ROOT / "docs" / "models.md").read_text().split("## What each model trains")[0]
    assert [name for name in re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)] == [entry.name for entry in MODELS]


def test_the_page_of_models_names_every_kind_of_prior():
    page = (ROOT / "docs" / "models.md").read_text().split("## Priors")[1]
    kinds = get_args(get_type_hints(PriorConfig)["kind"])
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", page, re.MULTILINE))
    assert set(rows) == set(kinds)
    settings = {name for row in rows.values() for name in re.findall(r"`([\w-]+)`", row)}
    assert settings == {field.name.replace("_", "-") for field in dataclasses.fields(PriorConfig)} - {"kind"}


def test_every_flag_of_the_command_line_page_exists():
    known = OTHERS | flags_of(CONFIGURATIONS["semi_supervised"]) | {"--precision", "--no-test"}
    rows = re.findall(r"^\| (`--.*?) \|", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE)
    assert len(rows) > 12
    assert [flag for row in rows for flag in re.findall(r"--[a-z-]+", row) if flag not in known] == []


def test_pages_name_every_script():
    pages = "".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    scripts = [path.name for path in (ROOT / "experiments").glob("*.py")]
    assert [name for name in scripts if f"python experiments/{name}" not in pages] == []


CURVES = (ROOT / "docs" / "reading-the-curves.md").read_text()
SHOWN = re.findall(r"```sh\npython experiments/(\w+)\.py (.*)\n```\n\n> ([^:]+):", CURVES)


def test_curves_are_shown_with_their_commands():
    assert len(SHOWN) == CURVES.count("![") == 5
    for experiment, argv, _ in SHOWN:
        parse(find_model(experiment).spec, argv.split())
    for image in re.findall(r"\((images/[^)]*)\)", CURVES):
        assert (ROOT / "docs" / image).is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("experiment", "argv", "name"), SHOWN, ids=[name for _, _, name in SHOWN])
def test_the_doctor_says_what_the_page_says(experiment, argv, name, tmp_path, capsys):
    assert run_model(experiment, [*argv.split(), "--out-dir", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert cli.main(["doctor", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out.startswith(f"{name}:")
