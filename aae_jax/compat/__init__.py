"""Compatibility with files, commands and module names of earlier implementations and versions."""
