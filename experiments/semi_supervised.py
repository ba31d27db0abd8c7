"""Figure 8 of the paper: classify with few labels. `python experiments/semi_supervised.py --labels 1000`."""

import sys

from aae_jax.experiments.startup import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.experiments.semi_supervised import main

        sys.exit(main())
