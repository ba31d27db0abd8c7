"""Commands of `aae-jax` other than training: data sets, and the use of trained models."""

__all__: list[str] = []
