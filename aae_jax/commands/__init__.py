"""Commands of `aae-jax` besides training: data sets, and the use of trained models."""

__all__: list[str] = []
