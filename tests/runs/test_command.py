"""Command lines: what wins over what, and the script as people start it."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aae_jax.config import text as config_text
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.models.semi_supervised.experiment import SPEC
from aae_jax.models.semi_supervised.presets import PRESETS
from aae_jax.run.arguments import parse
from tests.runs.running import ROOT, status


def config_of(*argv):
    return parse(SPEC, [str(argument) for argument in argv]).config


@pytest.fixture
def yaml_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "epochs: 7\nseed: 4\nnetwork:\n  hidden: [8]\noptimizers:\n  generator:\n    learning_rate: 1e-3\n"
    )
    return path


def test_defaults_are_the_default_preset():
    assert config_of() == PRESETS["default"][0]


def test_a_preset_wins_over_defaults():
    assert config_of("--preset", "smoke") == PRESETS["smoke"][0]
    assert config_of("--preset=plain") == SemiSupervisedConfig()


def test_yaml_wins_over_the_preset_and_leaves_the_rest(yaml_file):
    config = config_of("--preset", "smoke", "--config-path", yaml_file)
    assert (config.epochs, config.seed, config.network.hidden) == (7, 4, (8,))
    assert config.batch_size == PRESETS["smoke"][0].batch_size
    assert config.network.discriminator_hidden == (16,)
    assert config.optimizers.generator.learning_rate == 1e-3
    assert config.optimizers.generator.momentum == 0.5


def test_flags_win_over_yaml(yaml_file):
    config = config_of("--epochs", "9", "--config-path", yaml_file, "--preset", "smoke", "--labels", "all")
    assert (config.epochs, config.seed, config.labels) == (9, 4, "all")
    assert config_of("--config-path", yaml_file, "--network.hidden", "3", "5").network.hidden == (3, 5)


def test_underscores_do_too(yaml_file):
    assert config_of("--config_path", yaml_file, "--label_seed", "3").label_seed == 3
    assert config_of("--config_path", yaml_file).epochs == 7


def test_a_recorded_configuration_of_an_older_version_is_run_as_it_was(tmp_path):
    whole = dataclasses.replace(PRESETS["plain"][0], epochs=7)
    lines = config_text.to_yaml(whole).splitlines()
    older = tmp_path / "config.yaml"
    older.write_text("\n".join(line for line in lines if "confidence" not in line and "consistency" not in line))
    assert "weights" in older.read_text()
    assert config_of("--config-path", older) == whole
    assert config_of("--config-path", older, "--preset", "default").weights.confidence > 0


def test_folders_are_passed_on():
    request = parse(SPEC, ["--out-dir", "somewhere"])
    assert request.out_dir == Path("somewhere")
    assert request.resume is None
    assert request.command == "python experiments/semi_supervised.py --out-dir somewhere"


def test_presets_are_listed(capsys):
    assert status("--preset", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(PRESETS)
    assert all(len(line.split()) > 3 for line in lines)


def test_the_script_lists_its_flags(tmp_path):
    result = subprocess.run(
        [sys.executable, str(ROOT / "experiments" / "semi_supervised.py"), "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    flags = ("labels", "seed", "num-seeds", "out-dir", "resume", "config-path", "preset")
    assert [flag for flag in flags if f"--{flag} " not in result.stdout] == []


@pytest.mark.parametrize("flags", [["--precision", "float32"], ["--precision=float32"]])
def test_the_precision_has_a_short_name(flags):
    request = parse(SPEC, ["--preset", "default", *flags])
    assert request.config.network.precision == "float32"
    assert request.command.endswith(" ".join(flags)), "the command is kept as it was given"
