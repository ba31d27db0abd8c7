"""Fast tests of functions compile with few optimisations, as their arrays are small."""

import jax
import pytest


@pytest.fixture(scope="session", autouse=True)
def quick_compiles(request):
    """Compile quickly, except for the slow tests, which train for longer than they compile."""
    if request.config.option.markexpr == "slow":
        yield
        return
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
