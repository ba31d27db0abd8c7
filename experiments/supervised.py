"""Figures 6 and 7 of the paper: the style of images apart from their label. `python experiments/supervised.py`."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.run.run import main

        sys.exit(main("supervised"))
