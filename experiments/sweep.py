"""Compare settings of a model. `python experiments/sweep.py clustering --vary weights.certainty=0,0.1,1`."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.run.sweep.command import main

        sys.exit(main())
