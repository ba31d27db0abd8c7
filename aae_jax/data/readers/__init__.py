"""Readers of data files: IDX, npz, image files, TFDS records."""
