"""Files, commands and module names of earlier implementations and versions."""
