"""Figures of each kind of model, from its metrics and weights."""
