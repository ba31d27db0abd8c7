"""Codes of one data set by a model trained on another. `python experiments/transfer.py RUN` (docs/transfer.md)."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.commands.transfer import main

        sys.exit(main())
