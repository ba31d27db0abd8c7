"""Figure 8 of the paper: classify with few labels. `python experiments/semi_supervised.py --labels 1000`."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.run.run import main

        sys.exit(main("semi_supervised"))
