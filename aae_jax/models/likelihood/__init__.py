"""The log-likelihood of test images."""
