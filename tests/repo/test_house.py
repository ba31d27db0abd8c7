"""The rules of the house that no other tool checks: imports, safety, leaks, the layout budget."""

import ast
import builtins
import contextlib
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE_LINES, MAX_BODY_LINES, MAX_SCRIPT_LINES = 350, 50, 12
UNPICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
EVALUATORS = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
# Written with classes of one letter, so that no pattern matches its own source.
LEAKS = {
    "path of one machine": re.compile(r"(?<![\w.-])/(?:[h]ome/\w|[U]sers/\w|[r]oot/|[w]ork/|[t]mp/\w)"),
    "registry": re.compile(r"[p]ypi\.org|[p]ythonhosted|/[s]imple/?\b|(?:[i]ndex|[r]egistry)-url"),
}


def _python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def _named(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imported_roots(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0]


def _dangers(tree: ast.Module) -> Iterator[str]:
    found = UNPICKLERS.intersection(_imported_roots(tree))
    yield from found - {"pickle"} if _restricts_pickle(tree) else found
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        if name in EVALUATORS:
            yield name
        for keyword in call.keywords:
            if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False":
                yield f"{name}({ast.unparse(keyword)})"


def _restricts_pickle(tree: ast.Module) -> bool:
    """Return whether pickle is used by a class that chooses what may be called, and in no other way."""
    if any(isinstance(node, ast.ImportFrom) and node.module == "pickle" for node in ast.walk(tree)):
        return False
    restricted = [
        base
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(part, ast.FunctionDef) and part.name == "find_class" for part in node.body)
        for base in node.bases
    ]
    used = [
        node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle"
    ]
    return all(node in restricted or node.attr == "UnpicklingError" for node in used)


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def _has_all(tree: ast.Module) -> bool:
    return any(
        isinstance(target, ast.Name) and target.id == "__all__"
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    )


LIBRARY = _named(_python_files("aae_jax", "reproduce"))
SHIPPED = _named(_python_files("aae_jax", "reproduce", "experiments", "benchmarks"))


def test_constraints_agree_with_pyproject() -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_constraints.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = re.findall(r":: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))


@pytest.mark.parametrize("python", PYTHONS)
def test_each_package_is_pinned_once_for_every_python(python: str) -> None:
    pins = [Requirement(pin) for pin in PYPROJECT["tool"]["uv"]["constraint-dependencies"]]
    names = [pin.name for pin in pins if pin.marker is None or pin.marker.evaluate({"python_version": python})]
    assert Counter(names) == Counter({pin.name for pin in pins})


@pytest.mark.skipif(not (ROOT / ".ci" / "full").is_file(), reason=".ci/ is not in a source distribution")
def test_full_checks_try_the_lowest_and_the_highest_python() -> None:
    tried = re.search(r"for version in (.*); do", (ROOT / ".ci" / "full").read_text(encoding="utf-8"))
    assert tried is not None
    assert tried[1].split() == [PYTHONS[0], PYTHONS[-1]]
    assert PYPROJECT["project"]["requires-python"] == f">={PYTHONS[0]}"


@pytest.mark.parametrize("path", SHIPPED)
def test_flax_is_imported_under_networks_only(path: Path) -> None:
    allowed = path.is_relative_to(ROOT / "aae_jax" / "networks")
    assert allowed or "flax" not in set(_imported_roots(_parse(path)))


@pytest.mark.parametrize("path", SHIPPED)
def test_nothing_unpickles_or_evaluates(path: Path) -> None:
    assert not list(_dangers(_parse(path)))


@pytest.mark.parametrize(
    "source",
    [
        *("from dill import load", "eval('1')", "yaml.load(f)", "np.load(f, allow_pickle=True)"),
        *(
            "import pickle\npickle.load(f)",
            "from pickle import load",
            "import pickle\nclass A(pickle.Unpickler): ...",
        ),
    ],
)
def test_the_danger_check_sees(source: str) -> None:
    assert list(_dangers(ast.parse(source)))


def test_the_danger_check_allows_an_unpickler_that_chooses_what_is_called() -> None:
    chosen = "import pickle\nclass A(pickle.Unpickler):\n    def find_class(self, module, name): ..."
    assert not list(_dangers(ast.parse(chosen)))


@pytest.mark.parametrize("path", LIBRARY)
def test_public_module_lists_its_names(path: Path) -> None:
    tree = _parse(path)
    private = path.stem.startswith("_") and path.stem != "__init__"
    only_docstring = len(tree.body) == (ast.get_docstring(tree) is not None)
    assert private or only_docstring or _has_all(tree), "add __all__, or begin the name with an underscore"


@pytest.mark.parametrize("path", LIBRARY)
def test_layout_budget(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_FILE_LINES
    functions = [n for n in ast.walk(_parse(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not {f.name: _body_lines(f) for f in functions if _body_lines(f) > MAX_BODY_LINES}


@pytest.mark.parametrize("path", _named(_python_files("experiments")))
def test_experiment_scripts_are_thin(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_SCRIPT_LINES


def test_no_file_names_a_machine_or_a_registry() -> None:
    command = ["git", "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b"\0"
        if b"\0" in content:  # an image or another binary file, or one deleted since
            continue
        text = content.decode("utf-8", errors="replace")
        found += [f"{name}: {kind}: {hit.group()}" for kind, rx in LEAKS.items() for hit in rx.finditer(text)]
    assert not found


def _scripts(tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    """Yield the name and code of each module-level text that is a script with imports."""
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        text = node.value.value
        if isinstance(text, str) and re.search(r"^(?:import|from) ", text, re.MULTILINE):
            with contextlib.suppress(SyntaxError):  # a template, or no Python
                yield ast.unparse(node.targets[0]), ast.parse(text)


@pytest.mark.parametrize("path", _named(_python_files("tests", "benchmarks")))
def test_scripts_in_texts_define_what_they_use(path: Path) -> None:
    """No tool checks names in a text that a test runs as a script of its own."""
    for name, script in _scripts(_parse(path)):
        nodes = list(ast.walk(script))
        aliases = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
        bound = {(alias.asname or alias.name).partition(".")[0] for alias in aliases}
        bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        bound |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
        names = [node for node in nodes if isinstance(node, ast.Name)]
        bound |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        undefined = {node.id for node in names} - bound - set(dir(builtins)) - {"__file__", "__name__"}
        assert not undefined, f"{name} uses {sorted(undefined)}"
