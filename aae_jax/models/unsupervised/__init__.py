"""Unsupervised adversarial autoencoder."""
