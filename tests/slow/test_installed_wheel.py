"""The built wheel, in environments with nothing else: the oldest versions that it allows, and the newest."""

import functools
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ("reproduce/", "experiments/", "tests/", "benchmarks/", "results/", "docs/")
USE = """
import sys
import tempfile

import jax
import numpy as np

import aae_jax
from aae_jax.cli import main

assert aae_jax.__version__ == sys.argv[1]
model = aae_jax.load("pretrained:semi-supervised")
images = np.asarray(255 * model.sample(10, label=range(10)), np.uint8)
assert np.mean(np.asarray(model.predict(images)) == np.arange(10)) > 0.8
quiet = aae_jax.data.Quiet()
run = aae_jax.train("semi_supervised", "digits", preset="smoke", epochs=1, labels=100, reporter=quiet)
digits = aae_jax.load_dataset("digits").test_images
with tempfile.TemporaryDirectory() as folder:
    run.model.save(folder)
    np.testing.assert_array_equal(aae_jax.load(folder).predict(digits), run.model.predict(digits))
for extra, use in {
    "onnx": lambda: aae_jax.export_model(model, "out"),
    "export": lambda: aae_jax.export_model(model, "out", "stablehlo"),
    "hub": lambda: model.push_to_hub("me/model"),
    "optuna": lambda: aae_jax.search("semi_supervised", "digits", {"views.noise_std": (0.1, 0.2)}),
}.items():
    try:
        use()
    except aae_jax.InputError as error:
        assert f"install the extra {extra}" in str(error), error
    else:
        raise AssertionError(extra)
assert main(["data", "list"]) == 0
print("jax", jax.__version__)
"""


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@functools.cache
def uv():
    found = shutil.which("uv")
    if found is None:
        pytest.skip("uv is not on the path, with which the wheel is built and installed")
    return found


@functools.cache
def interpreter(version):
    """Return the path of a Python: uv's choice, or pyenv's."""
    if version == "{}.{}".format(*sys.version_info):
        return sys.executable
    found = subprocess.run(
        [uv(), "python", "find", "--system", "--no-python-downloads", version], capture_output=True, text=True
    )
    if found.returncode == 0:
        return found.stdout.strip()
    if shutil.which("pyenv"):
        prefix = subprocess.run(["pyenv", "prefix", version], capture_output=True, text=True)
        if prefix.returncode == 0:
            return f"{prefix.stdout.strip()}/bin/python"
    pytest.skip(f"Python {version} is not installed")
    return None


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(uv(), "build", "--out-dir", folder, ROOT)
    return folder


def test_the_files_hold_the_library_and_are_checked(dist):
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.startswith(OUTSIDE)]
    assert "aae_jax/py.typed" in names
    assert sum(name.startswith("aae_jax/pretrained/") and name.endswith("model.safetensors") for name in names) == 8
    assert wheel.stat().st_size < 20e6
    run(uv(), "tool", "run", "twine", "check", "--strict", wheel, sdist)


@pytest.mark.parametrize(("resolution", "version"), [("lowest-direct", "3.11"), ("highest", "3.13")])
def test_the_wheel_works_by_itself(resolution, version, dist, tmp_path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (tmp_path / "direct.txt").write_text("\n".join(project["dependencies"]) + "\n", encoding="utf-8")
    (wheel,) = dist.glob("*.whl")
    run(uv(), "venv", "--python", interpreter(version), tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    place = {"cwd": tmp_path, "env": {**os.environ, "UV_LINK_MODE": "copy"}}
    install = (uv(), "pip", "install", "--python", python, "--resolution", resolution)
    run(*install, "-r", "direct.txt", wheel, **place)
    (tmp_path / "use.py").write_text(USE, encoding="utf-8")
    tests = ("PYTHONPATH", "XLA_", "JAX_")  # what the tests set for themselves
    environment = {name: value for name, value in os.environ.items() if not name.startswith(tests)}
    said = run(
        python,
        "use.py",
        project["version"],
        cwd=tmp_path,
        env={**environment, "AAE_CACHE_DIR": str(tmp_path / "cache")},
    )
    used = said.splitlines()[-1].removeprefix("jax ").split(".")
    lowest = next(text for text in project["dependencies"] if text.startswith("jax>="))
    oldest = lowest.removeprefix("jax>=").split(",")[0].split(".")
    assert (used[: len(oldest)] == oldest) == (resolution == "lowest-direct"), said
