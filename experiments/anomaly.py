"""Each class held out in turn as the anomaly. `python experiments/anomaly.py --dataset mnist` (docs/anomalies.md)."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.commands.anomaly import main

        sys.exit(main())
