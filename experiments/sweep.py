"""Compare settings by validation error. `python experiments/sweep.py --vary weights.consistency=0,1,3`."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.run.sweep.command import main

        sys.exit(main())
