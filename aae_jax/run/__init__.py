"""Runs: setup, loop, folder, console, report."""
