"""Runs: setup, training loop, run folder, console and report."""
