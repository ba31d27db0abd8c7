"""Configurations as plain mappings and YAML: strict about keys and types, forgiving about `1e-3`."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

from aae_jax.errors import InputError, did_you_mean

__all__ = ["coerce", "differences", "from_mapping", "read_yaml", "to_yaml"]

Config = TypeVar("Config")


def from_mapping(kind: type[Config], values: Any, *, base: Config | None = None, where: str = "") -> Config:
    """Return a `kind` dataclass with `values` in it, and the fields of `base` (or the defaults) elsewhere.

    Raises:
        InputError: An unknown key (near names are offered) or a value of the wrong type, named by its path.
    """
    hints = typing.get_type_hints(kind)
    base = kind() if base is None else base
    if not isinstance(values, Mapping):
        raise InputError(f"{where or 'The configuration'} is {values!r}; give a mapping of keys to values.")
    changes: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{where}.{key}" if where else str(key)
        if key not in hints:
            raise InputError(f"There is no configuration key {path!r}; {_offer(str(key), hints, where)}")
        if dataclasses.is_dataclass(hints[key]):
            nested: Any = hints[key]
            changes[key] = from_mapping(nested, value, base=getattr(base, key), where=path)
        else:
            changes[key] = coerce(value, hints[key], path)
    return typing.cast(Config, dataclasses.replace(typing.cast(Any, base), **changes))


def _offer(key: str, hints: Mapping[str, Any], where: str) -> str:
    """Return a clause that offers the keys nearest to one that is not known, or all there are; by their last part."""
    before = f"{where}." if where else ""
    near = difflib.get_close_matches(key, hints, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(repr(before + name) for name in near) + "?"
    return "known are " + ", ".join(sorted(before + name for name in hints)) + "."


def coerce(value: Any, hint: Any, path: str) -> Any:
    """Return a YAML value as the type `hint`; `path` names it in the message.

    Raises:
        InputError: It is none.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _coerce_union(value, arguments, path)
    if origin is Literal:
        if value not in arguments:
            raise InputError(f"{path} is {value!r}; {did_you_mean(str(value), map(str, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{path} is {value!r}; give a list such as [1000, 1000].")
        return tuple(coerce(item, arguments[0], f"{path}[{i}]") for i, item in enumerate(value))
    return _coerce_plain(value, hint, path)


def _coerce_union(value: Any, arguments: tuple[Any, ...], path: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    kinds = [kind for kind in arguments if kind is not type(None)]
    for kind in kinds:
        try:
            return coerce(value, kind, path)
        except InputError:
            if len(kinds) == 1:
                raise
    raise InputError(f"{path} is {value!r}; give {' or '.join(map(_describe, kinds))}.")


def _coerce_plain(value: Any, kind: Any, path: str) -> Any:
    refusal = f"{path} is {value!r}; give {_describe(kind)}."
    if kind is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)  # YAML 1.1 reads 1e-3 as a string
        except (ValueError, OverflowError) as error:
            raise InputError(refusal) from error
    if type(value) is not kind:
        raise InputError(refusal)
    return value


def _describe(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return " or ".join(repr(value) for value in typing.get_args(kind))
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names.get(kind, str(kind))


def read_yaml(path: Path) -> Mapping[Any, Any]:
    """Return the mapping in a YAML file; an empty file is an empty mapping.

    Raises:
        InputError: There is no such file, or it is not YAML with a mapping in it.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The configuration {path} cannot be read ({error}); name a YAML file.") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2020-13-45
        line = " ".join(str(error).split())
        raise InputError(f"{path} is not valid YAML ({line}); mend it, or start from a run's config.yaml.") from error
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise InputError(f"{path} holds {type(values).__name__}, not keys with values; see a run's config.yaml.")
    return values


def to_yaml(config: Any) -> str:
    """Return a configuration as YAML text that `read_yaml` and `from_mapping` turn back into it."""
    plain = _plain(dataclasses.asdict(config))
    return str(yaml.safe_dump(plain, sort_keys=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def differences(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Return the dotted names of the fields in which two configurations of one kind differ."""
    names = []
    for item in dataclasses.fields(ours):
        a, b = getattr(ours, item.name), getattr(theirs, item.name)
        if dataclasses.is_dataclass(a):
            names += differences(a, b, f"{where}{item.name}.")
        elif a != b:
            names.append(where + item.name)
    return names
