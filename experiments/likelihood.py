"""Table 1 of the paper: log-likelihood by Parzen windows. `python experiments/likelihood.py --samples 10000`."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.run.run import main

        sys.exit(main("likelihood"))
