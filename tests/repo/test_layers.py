"""The order of layers and the absence of import cycles, as docs/architecture.md draws them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = (
    ("errors", "text"),
    ("types", "streams", "plotting_backend", "files", "records", "user_code"),
    ("augment", "losses"),
    ("config",),
    ("data",),
    ("priors", "graph"),
    ("networks",),
    ("train",),
    ("evaluation",),
    ("saved",),
    ("figures", "export"),
    ("models",),
    ("run", "compat"),
    ("api", "tuning"),
    ("estimators",),
    ("commands", "cli"),
)
"""From the bottom to the top; a module imports from its own layer and from those below it."""
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name below `aae_jax`, packages by theirs."""
    found = {}
    for path in sorted((ROOT / "aae_jax").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT / "aae_jax").with_suffix("").parts)
        found[name.removesuffix("__init__").rstrip(".")] = path
    del found[""]
    return found


MODULES = modules()


def imports_of(tree: ast.AST) -> set[str]:
    """Return the modules that code imports, under `TYPE_CHECKING` and inside functions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner.removeprefix("aae_jax.") in MODULES else node.module)
    return {name.removeprefix("aae_jax.") for name in found if name.startswith("aae_jax.")}


IMPORTS = {name: imports_of(ast.parse(path.read_text(encoding="utf-8"))) for name, path in MODULES.items()}


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules of which each imports every other, directly or not (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph.get(name, set()) & graph.keys():
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return found


def test_cycles_are_found():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_module_imports_itself_by_way_of_others():
    assert cycles(IMPORTS) == []


def test_every_module_has_its_layer():
    assert {name.split(".")[0] for name in MODULES} == set(RANK)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_downwards(name):
    rank = RANK[name.split(".")[0]]
    assert {other for other in IMPORTS[name] if RANK[other.split(".")[0]] > rank} == set()
