"""The unsupervised adversarial autoencoder."""
