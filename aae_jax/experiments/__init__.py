"""The shell: one module per experiment, and what they share. Only here are things printed and written."""

__all__: list[str] = []
