"""Plain, denoising and variational autoencoders."""
