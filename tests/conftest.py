"""Check types and shapes in the package's signatures at run time, in every test."""

import importlib.util

from jaxtyping import install_import_hook

# What users give is checked there by hand; the tests of it pass values of wrong types on purpose.
EDGE = ("aae_jax.data.splits",)

if importlib.util.find_spec("beartype") is not None:
    import beartype
    from beartype.roar import BeartypeDecorHintPep3119Exception

    NUMBERS = beartype.BeartypeConf(is_pep484_tower=True)  # as for every type checker, an int is a float

    def check(function):
        if function.__module__ in EDGE:
            return function
        try:
            return beartype.beartype(function, conf=NUMBERS)
        except BeartypeDecorHintPep3119Exception:  # it names a protocol that is not runtime_checkable
            return function

    install_import_hook("aae_jax", f"{__name__}.check")  # before anything of the package is imported
