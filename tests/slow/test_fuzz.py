"""The attack on every reader, at a small size."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_readers_hold_against_damaged_files_and_special_ones():
    command = [sys.executable, "tools/fuzz_readers.py", "--count", "800", "--seed", "1", "--seconds", "60"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "800 inputs, 0 crashes, 0 hangs, 0 times touched outside" in done.stdout
