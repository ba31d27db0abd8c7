"""Supervised adversarial autoencoder."""
