"""Figures 1 and 2 of the paper: codes with any prior. `python experiments/unsupervised.py --preset swiss_roll`."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.run.run import main

        sys.exit(main("unsupervised"))
