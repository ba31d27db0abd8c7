"""Train a published table's rows, and write its pages. `python experiments/reproduce.py --table few-labels`."""

import subprocess
import sys
from pathlib import Path

from aae_jax.experiments.startup import quick_start

PAGES = Path(__file__).resolve().parent.parent / "tools" / "results_tables.py"

if __name__ == "__main__":
    with quick_start():
        from aae_jax.experiments.reproduce import main

        status = main()
    sys.exit(status or subprocess.run([sys.executable, str(PAGES)], check=False).returncode)
