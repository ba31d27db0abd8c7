"""Components shared by several models."""
