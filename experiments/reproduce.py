"""Train a published table's rows, and write its pages. `python experiments/reproduce.py --table few-labels`."""

import subprocess
import sys
from pathlib import Path

from aae_jax.run.process import quick_start

TOOLS = Path(__file__).resolve().parent.parent / "tools"


def write_pages() -> int:
    """Write the pages' tables and figures from the recorded rows, and return the first status that is not 0."""
    for tool in ("results_tables.py", "results_figures.py"):
        status = subprocess.run([sys.executable, str(TOOLS / tool)], check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    with quick_start():
        from aae_jax.experiments.reproduce import main

        status = main()
    sys.exit(status or write_pages())
