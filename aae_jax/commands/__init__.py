"""What `aae-jax` does besides training: data at hand, and trained models at work."""

__all__: list[str] = []
