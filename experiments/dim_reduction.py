"""Figures 10 and 11 of the paper: images around heads. `python experiments/dim_reduction.py --labels 100`."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.run.run import main

        sys.exit(main("dim_reduction"))
