"""Compiled epochs that are kept: the same for the same settings, and no others."""

import jax
import jax.numpy as jnp

from aae_jax.train.fit import MAX_COMPILED, compile_lowered


def lowered(function):
    return jax.jit(function).lower(jnp.zeros(3), jnp.zeros(3))


def test_a_program_is_kept_for_its_settings_alone():
    first = compile_lowered(lowered(lambda s, h: s + h[0]), "settings")
    assert compile_lowered(lowered(lambda s, h: s + h[0]), "settings") is first
    assert compile_lowered(lowered(lambda s, h: s + h[0]), "others") is not first
    assert compile_lowered(lowered(lambda s, h: s + h[0])) is not first
    assert compile_lowered(lowered(lambda s, h: s * h[0]), "settings") is not first


def test_the_oldest_programs_are_forgotten():
    first = compile_lowered(lowered(lambda s, h: s - h[0]), 0)
    for number in range(1, MAX_COMPILED + 1):
        compile_lowered(lowered(lambda s, h: s - h[0]), number)
    assert compile_lowered(lowered(lambda s, h: s - h[0]), 0) is not first
