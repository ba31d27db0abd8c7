"""The wheel is the library alone, and the library knows nothing of what publishes results."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = {"reproduce", "experiments", "benchmarks", "tools", "tests"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names


def test_the_wheel_holds_the_library_alone() -> None:
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"][
        "targets"
    ]
    assert targets["wheel"] == {"packages": ["aae_jax"]}
    assert {"/aae_jax", "/reproduce", "/experiments", "/tests"} <= set(targets["sdist"]["include"])


def test_the_library_imports_nothing_from_outside_the_wheel() -> None:
    found = {path.name: OUTSIDE & imported(path) for path in (ROOT / "aae_jax").rglob("*.py")}
    assert len(found) > 50
    assert {name: names for name, names in found.items() if names} == {}


def test_the_script_finds_the_package_and_not_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "experiments" / "reproduce.py"), "--table", "few"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 2
    assert "choose one of ablation, earlier, few-labels, label-counts" in done.stderr
