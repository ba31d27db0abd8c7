"""Marks of configuration fields that may vary within one compiled program.

`learning_rate: Traced[float]` makes the field an argument of the program (`aae_jax.traced`), and a number that sweeps
may vary; its values are ordinary floats.
"""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

__all__ = ["Mark", "Padded", "Traced", "TracedPhase", "TracedShare", "TracedTerm", "marks_of", "traced_values"]


class Mark(NamedTuple):
    """Mark of a field.

    Attributes:
        value: number: traced as it is. updates: a share of the run, traced as a number of updates. data: not traced;
            the data of different values are padded to one shape.
        zero: Meaning of zero. number: a value like others. term: removes a term that costs time but, with weight
            zero, changes nothing. program: changes the program in other ways, so that configurations with zero and
            without need programs of their own.
    """

    value: Literal["number", "updates", "data"] = "number"
    zero: Literal["number", "term", "program"] = "number"


Number = TypeVar("Number")
Traced = Annotated[Number, Mark()]
"""A traced number."""
TracedTerm = Annotated[Number, Mark(zero="term")]
"""A traced number; zero removes a term of a loss."""
TracedPhase = Annotated[Number, Mark(zero="program")]
"""A traced number; zero removes a phase or changes the program otherwise."""
TracedShare = Annotated[Number, Mark(value="updates")]
"""A share of the run, traced as a number of updates."""
Padded = Annotated[Number, Mark(value="data")]
"""A size of the data; members of a sweep with different sizes are padded to the largest."""


def marks_of(kind: type) -> Mapping[str, Mark]:
    """Return the marks of a configuration class by dotted field name, nested configurations included."""
    marks: dict[str, Mark] = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        if dataclasses.is_dataclass(hint):
            marks |= {f"{name}.{inner}": mark for inner, mark in marks_of(typing.cast(type, hint)).items()}
        for mark in getattr(hint, "__metadata__", ()):
            if isinstance(mark, Mark):
                marks[name] = mark
    return marks


def traced_values(config: Any, num_steps: float) -> dict[str, Any]:
    """Return the traced numbers of a configuration, nested as its fields.

    A property `traced_<field>` of a configuration replaces the value of its field.

    Args:
        config: Any configuration; fields without a mark are left out.
        num_steps: Number of planned updates, of which some numbers are shares.
    """
    values: dict[str, Any] = {}
    for name, mark in marks_of(type(config)).items():
        if mark.value == "data":
            continue
        *sections, field = name.split(".")
        inner, owner = values, config
        for section in sections:
            inner, owner = inner.setdefault(section, {}), getattr(owner, section)
        value = getattr(owner, f"traced_{field}", getattr(owner, field))
        inner[field] = value * num_steps if mark.value == "updates" else value
    return values
