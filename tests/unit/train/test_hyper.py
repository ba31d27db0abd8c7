"""Traced numbers: names, nesting, and weights that change over a run."""

import copy
import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax import traced
from aae_jax.config.traced import Padded, Traced, TracedPhase, TracedShare, TracedTerm, marks_of
from aae_jax.train.hyper import Numbers, faded, warmed_up


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: Traced[float] = 0.1
    fixed: float = 7.0
    warmup: TracedShare[float] = 0.25


@dataclasses.dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    term: TracedTerm[float] = 1.0
    phase: TracedPhase[float] = 2.0
    size: Padded[int] = 5
    std: Traced[float] = 3.0

    @property
    def traced_std(self) -> float:
        """The traced number, which is not the field's."""
        return 1.0


def test_marked_fields_are_traced_by_their_names_and_no_others() -> None:
    numbers = traced(Outer(), 40)
    assert jax.tree.map(float, numbers) == {
        "inner": {"rate": np.float32(0.1), "warmup": 10.0},
        "term": 1.0,
        "phase": 2.0,
        "std": 1.0,
        "num_steps": 40.0,
    }
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(numbers))
    assert numbers.inner.rate is numbers["inner"]["rate"]


def test_marks_say_what_a_sweep_may_vary() -> None:
    marks = marks_of(Outer)
    assert list(marks) == ["inner.rate", "inner.warmup", "term", "phase", "size", "std"]
    assert {name: mark.zero for name, mark in marks.items() if mark.zero != "number"} == {
        "term": "term",
        "phase": "program",
    }
    assert (marks["size"].value, marks["inner.warmup"].value) == ("data", "updates")


def test_a_mapping_is_traced_as_it_is() -> None:
    numbers = traced({"optimizers": {"phase": {"learning_rate": 0.5}}}, 4)
    assert float(numbers.optimizers.phase.learning_rate) == 0.5


def test_numbers_are_replaced_by_dotted_name_and_never_set() -> None:
    numbers = traced(Outer(), 40)
    other = numbers.replace({"inner.rate": 5.0, "term": 6.0})
    assert (other.inner.rate, other.term, float(numbers.term)) == (5.0, 6.0, 1.0)
    with pytest.raises(KeyError, match=r"inner\.rat"):
        numbers.replace({"inner.rat": 1.0})
    with pytest.raises(AttributeError, match="use replace"):
        numbers.term = 2.0
    with pytest.raises(AttributeError, match="'ratte' here, only rate, warmup"):
        _ = numbers.inner.ratte


def test_numbers_survive_jax_pickle_and_copies() -> None:
    numbers = traced(Outer(), 40)
    for again in (
        jax.jit(lambda tree: tree)(numbers),
        pickle.loads(pickle.dumps(numbers)),
        copy.deepcopy(numbers),
        jax.tree.map(lambda leaf: leaf, numbers),
    ):
        assert isinstance(again.inner, Numbers)
        assert jax.tree.map(float, again) == jax.tree.map(float, numbers)
    assert repr(numbers).startswith(
        "Numbers(inner={'rate': 0.10000000149011612, 'warmup': 10.0}, term=1.0, phase=2.0, "
    )


RISING = [(0.0, 0, 1.0), (10.0, 0, 0.0), (10.0, 5, 0.5), (10.0, 20, 1.0)]
FALLING = [(0.0, 0, 1.0), (0.0, 99, 1.0), (10.0, 0, 1.0), (10.0, 5, 0.5), (10.0, 20, 0.0)]


@pytest.mark.parametrize(("updates", "step", "share"), RISING)
def test_a_weight_rises_linearly_over_its_warm_up(updates: float, step: int, share: float) -> None:
    hyper = traced({}, 100).at(jnp.asarray(step))
    np.testing.assert_allclose(warmed_up(3.0, updates, hyper), 3.0 * share, rtol=1e-6)


@pytest.mark.parametrize(("updates", "step", "share"), FALLING)
def test_a_weight_fades_linearly(updates: float, step: int, share: float) -> None:
    hyper = traced({}, 100).at(jnp.asarray(step))
    np.testing.assert_allclose(faded(3.0, updates, hyper), 3.0 * share, rtol=1e-6)


def test_outside_a_step_weights_have_their_full_value() -> None:
    assert float(warmed_up(3.0, 10.0, traced({}, 100))) == float(faded(3.0, 10.0, traced({}, 100))) == 3.0
