"""Faces with a 400-dimensional Gaussian code. `python experiments/faces.py --data-dir FOLDER` (docs/faces.md)."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.commands.faces import main

        sys.exit(main())
