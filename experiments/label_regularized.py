"""Figures 3 and 4 of the paper: a part of the prior for each class. `python experiments/label_regularized.py`."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.run.run import main

        sys.exit(main("label_regularized"))
