"""Log-likelihood of test images."""
