"""Conversion of configurations to and from mappings and YAML: strict about keys and types, lenient about `1e-3`."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

from aae_jax.errors import InputError, did_you_mean, known_name
from aae_jax.files import read_text
from aae_jax.text import quoted

__all__ = [
    "coerce",
    "differences",
    "from_mapping",
    "read_yaml",
    "to_flat",
    "to_mapping",
    "to_yaml",
    "with_current_names",
]

Config = TypeVar("Config")

MAX_BYTES = 2**18
"""Maximum size of a YAML file, in bytes."""
MAX_NODES, MAX_DEPTH = 10_000, 50
"""Maximum number of values in a YAML file, counting repetitions by aliases, and maximum nesting depth."""


def from_mapping(kind: type[Config], values: Any, *, base: Config | None = None, where: str = "") -> Config:
    """Return a `kind` dataclass with the given `values`; other fields come from `base` (or the defaults).

    Raises:
        InputError: A key is unknown (the message suggests similar names) or a value has the wrong type; both are
            identified by their path.
    """
    hints = {name: hint for name, hint in typing.get_type_hints(kind).items() if name != "RENAMED"}
    base = kind() if base is None else base
    if not isinstance(values, Mapping):
        raise InputError(f"{where or 'The configuration'} is {quoted(values)}; give a mapping of keys to values.")
    values = with_current_names(values, getattr(kind, "RENAMED", {}))
    changes: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{where}.{key}" if where else key
        if not isinstance(key, str) or key not in hints:
            named = quoted(path if isinstance(key, str) else f"{where}{'.' * bool(where)}{quoted(key, 60)}")
            raise InputError(f"There is no configuration key {named}; {_offer(str(key)[:100], hints, where)}")
        if dataclasses.is_dataclass(hints[key]):
            nested: Any = hints[key]
            changes[key] = from_mapping(nested, value, base=getattr(base, key), where=path)
        else:
            changes[key] = coerce(value, hints[key], path)
    return typing.cast(Config, dataclasses.replace(typing.cast(Any, base), **changes))


def with_current_names(values: Mapping[Any, Any], renamed: Mapping[str, str]) -> Mapping[Any, Any]:
    """Return the values with names of earlier versions replaced by the current ones.

    Args:
        values: Nested mappings; not modified.
        renamed: Current names by old ones, each dotted with two parts, e.g. `{"weights.prior_std": "prior.std"}`. A
            value that exists under its current name takes precedence.
    """
    for old, new in renamed.items():
        (section, name), (now, field) = old.split("."), new.split(".")
        if isinstance(values.get(section), Mapping) and name in values[section]:
            value = values[section][name]
            rest = {key: item for key, item in values[section].items() if key != name}
            inner = values.get(now, {})
            values = {**values, section: rest}
            if isinstance(inner, Mapping) and field not in inner:
                values = {**values, now: {**inner, field: value}}
    return values


def _offer(key: str, hints: Mapping[str, Any], where: str) -> str:
    """Return a clause that suggests keys similar to an unknown one (by their last part), or all known keys."""
    before = f"{where}." if where else ""
    near = difflib.get_close_matches(key, hints, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(repr(before + name) for name in near) + "?"
    return "known are " + ", ".join(sorted(before + name for name in hints)) + "."


def coerce(value: Any, hint: Any, path: str) -> Any:
    """Convert a YAML value to the type `hint`; `path` identifies it in the message.

    Raises:
        InputError: The value does not have this type.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _coerce_union(value, arguments, path)
    if origin is Literal:
        if isinstance(value, str):
            value = known_name(value, [known for known in arguments if isinstance(known, str)])
        if not any(type(value) is type(known) and value == known for known in arguments):
            offered = did_you_mean(value if isinstance(value, str) else quoted(value), map(str, arguments))
            raise InputError(f"{path} is {quoted(value)}; {offered}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{path} is {quoted(value)}; give a list such as [1000, 1000].")
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
    raise InputError(f"{path} is {quoted(value)}; give {' or '.join(map(_describe, kinds))}.")


def _coerce_plain(value: Any, kind: Any, path: str) -> Any:
    refusal = f"{path} is {quoted(value)}; give {_describe(kind)}."
    if kind is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)  # YAML 1.1 reads 1e-3 as a string
        except (ValueError, OverflowError) as error:
            raise InputError(refusal) from error
    if type(value) is not kind or (kind is int and abs(value) >= 2**63):
        raise InputError(refusal)
    return value


def _describe(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return " or ".join(repr(value) for value in typing.get_args(kind))
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names.get(kind, str(kind))


def read_yaml(path: Path) -> Mapping[Any, Any]:
    """Return the mapping in a YAML file; an empty mapping for an empty file.

    Raises:
        InputError: The file does not exist, or is not YAML with a mapping.
    """
    try:
        values = _parse(read_text(path, MAX_BYTES))
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"The configuration {path} cannot be read ({reason}); name a YAML file.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The configuration {path} cannot be read ({error}); name a YAML file.") from error
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply; start from a run's config.yaml.") from error
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        OverflowError,
    ) as error:  # a date such as 2020-13-45, a list as key
        line = " ".join(str(error).split())
        raise InputError(
            f"{path} is not valid YAML ({line}); correct it, or start from a run's config.yaml."
        ) from error
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise InputError(
            f"{path} holds a {type(values).__name__}, not a mapping of keys to values; see a run's config.yaml."
        )
    return values


def _parse(text: str) -> Any:
    """Return the result of `yaml.safe_load`, after checking the number of nodes."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count_nodes(node, {}, depth=0)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _count_nodes(node: yaml.Node, counted: dict[int, int], depth: int) -> int:
    """Return the number of values that a node represents, counting repetitions by aliases.

    Raises:
        ValueError: There are more than `MAX_NODES`, they are nested deeper than `MAX_DEPTH`, or a node contains
            itself.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"values are nested deeper than {MAX_DEPTH}, or contain themselves")
    if id(node) not in counted:
        children = (
            [child for pair in node.value for child in pair] if isinstance(node, yaml.MappingNode) else node.value
        )
        inner = children if isinstance(node, yaml.CollectionNode) else ()
        counted[id(node)] = 1 + sum(_count_nodes(child, counted, depth + 1) for child in inner)
    if counted[id(node)] > MAX_NODES:
        raise ValueError(f"it expands to more than {MAX_NODES:,} values")
    return counted[id(node)]


def to_yaml(config: Any) -> str:
    """Return a configuration as YAML text, from which `read_yaml` and `from_mapping` restore it."""
    return str(yaml.safe_dump(to_mapping(config), sort_keys=False))


def to_mapping(config: Any) -> dict[str, Any]:
    """Return a configuration as nested dictionaries, lists, numbers and strings, for JSON and YAML."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(config))
    return plain


def to_flat(config: Any) -> dict[str, Any]:
    """Return a configuration as one dictionary by dotted names."""
    return _flattened(to_mapping(config), "")


def _flattened(values: Mapping[str, Any], before: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flattened(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def differences(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Return the dotted names of the fields in which two configurations of the same class differ."""
    names = []
    for item in dataclasses.fields(ours):
        a, b = getattr(ours, item.name), getattr(theirs, item.name)
        if dataclasses.is_dataclass(a):
            names += differences(a, b, f"{where}{item.name}.")
        elif a != b:
            names.append(where + item.name)
    return names
