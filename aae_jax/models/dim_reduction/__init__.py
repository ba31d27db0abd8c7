"""Dimensionality reduction around cluster heads."""
