"""Figure 2 of the paper: the VAE beside the AAE. `python experiments/autoencoder.py --preset vae`."""

import sys

from aae_jax.experiments.startup import quick_start

if __name__ == "__main__":
    with quick_start():
        from aae_jax.experiments.autoencoder import main

        sys.exit(main())
