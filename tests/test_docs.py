"""Pages speak of flags and presets that exist."""

import dataclasses
import re
from pathlib import Path

import pytest

from aae_jax.config import AutoencoderConfig, SemiSupervisedConfig, UnsupervisedConfig
from aae_jax.presets import AUTOENCODER_PRESETS, PRESETS, UNSUPERVISED_PRESETS

ROOT = Path(__file__).resolve().parents[1]
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


CONFIGURATIONS = {"unsupervised": UnsupervisedConfig(), "autoencoder": AutoencoderConfig()}


def test_every_flag_of_ours_exists():
    phases = ("reconstruction", "discriminator", "generator", "classification")
    count = 0
    for _, here in rows():
        command = re.search(r"experiments/(\w+)\.py", here)
        known = flags_of(CONFIGURATIONS.get(command[1] if command else "", SemiSupervisedConfig())) | OTHERS
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


def test_readme_names_every_preset():
    readme = (ROOT / "README.md").read_text()
    labelled, unlabelled = readme.split("## Without labels")
    unsupervised, autoencoder = unlabelled.split("of `autoencoder`:")
    for presets, text in (
        (PRESETS, labelled),
        (UNSUPERVISED_PRESETS, unsupervised),
        (AUTOENCODER_PRESETS, autoencoder),
    ):
        assert [name for name in presets if name != "smoke" and f"`{name}`" not in text] == []
