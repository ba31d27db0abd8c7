"""The supervised adversarial autoencoder."""
