"""Sweeps: many settings trained as one program."""
