"""Clustering without labels."""
