"""Saved models: the `Model`, its files and their format."""
