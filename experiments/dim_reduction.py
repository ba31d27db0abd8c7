"""Figures 10 and 11 of the paper: images around heads. `python experiments/dim_reduction.py --labels 100`."""

import sys

from aae_jax.experiments.startup import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.experiments.dim_reduction import main

        sys.exit(main())
