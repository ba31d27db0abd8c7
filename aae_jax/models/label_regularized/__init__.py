"""Adversarial autoencoder whose discriminator sees labels."""
