"""Figure 2 of the paper: the VAE compared with the AAE. `python experiments/autoencoder.py --preset vae`."""

import sys

from aae_jax.run.process import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.run.run import main

        sys.exit(main("autoencoder"))
