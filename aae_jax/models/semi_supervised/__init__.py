"""The semi-supervised adversarial autoencoder."""
