"""The autoencoder, denoising or variational."""
