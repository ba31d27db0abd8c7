"""Figure 9 of the paper: clusters without labels. `python experiments/clustering.py --preset sixteen`."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.run.run import main

        sys.exit(main("clustering"))
