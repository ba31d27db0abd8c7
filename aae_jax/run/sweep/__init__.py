"""Hyperparameter sweeps: many settings trained as one program."""
