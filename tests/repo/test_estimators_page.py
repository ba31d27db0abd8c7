"""The tables of docs/estimators.md are those of the recorded comparison, and its example runs."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "estimators.md").read_text(encoding="utf-8")
RESULTS = json.loads((ROOT / "results" / "estimators.json").read_text(encoding="utf-8"))


def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("estimators_benchmark", ROOT / "benchmarks" / "estimators.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_recorded_comparison(monkeypatch):
    shown = [line for line in PAGE.splitlines() if line.startswith("|")]
    recorded = [line for line in benchmark(monkeypatch).tables(RESULTS) if line]
    assert [line for line in shown if line in recorded] == recorded
    assert RESULTS["command"] in PAGE


@pytest.mark.slow
def test_the_example_learns(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    scores = [float(score) for score in re.findall(r": ([\d.]+)", done.stdout)]
    assert len(scores) == 2
    assert min(scores) > 0.9
