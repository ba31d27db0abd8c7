"""The adversarial autoencoder whose discriminator sees labels."""
