"""Semi-supervised adversarial autoencoder."""
