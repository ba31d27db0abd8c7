"""Home of `functional`."""
