"""A published table, trained and recorded, and its pages. `python experiments/reproduce.py --table few-labels`."""

import runpy
import sys
from pathlib import Path

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # of the package; this folder holds only its namesake
    with quick_start():
        runpy.run_module("reproduce", run_name="__main__")
