"""The machine that a benchmark runs on, as its result file describes it."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["CPUS", "describe_machine", "write_results"]

ROOT = Path(__file__).resolve().parent.parent
CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
"""Processors that this process may use."""


def describe_machine() -> dict[str, Any]:
    """Return what the numbers depend on: processor, its load, system, commit, command."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    model = next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False)
    return {
        "processor": model,
        "cpus": len(CPUS),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "git_commit": commit.stdout.strip() or None,
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *map(_anywhere, sys.argv[1:])]),
    }


def write_results(found: dict[str, Any], path: str) -> None:
    """Write the numbers of a benchmark as JSON, creating the folder, and say where."""
    out = Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"written to {out}")


def _anywhere(argument: str) -> str:
    """Return an argument without the folders of this machine."""
    return Path(argument).name if Path(argument).is_absolute() else argument
