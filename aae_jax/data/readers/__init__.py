"""Readers of data files: IDX, NPZ, pictures, TFDS records."""
