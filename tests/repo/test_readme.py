"""The examples of README and docs/architecture.md run, and the tables of pages are those of results/."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_example_of_a_page_learns(page: str, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(example, encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    error = float(re.search(r"(?m)(?:'error': |^)(0\.\d+)", done.stdout).group(1))
    assert error < 0.2
