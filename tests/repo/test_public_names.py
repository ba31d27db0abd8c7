"""What `import aae_jax` gives, and that it costs nothing until a name is asked for."""

import ast
import importlib
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import aae_jax
from aae_jax import cli
from aae_jax.compat import module_names

MODULE = Path(aae_jax.__file__)


def names_for_type_checkers() -> dict[str, str]:
    """Return each public name's module, as the imports under TYPE_CHECKING have it."""
    block = next(node for node in ast.parse(MODULE.read_text(encoding="utf-8")).body if isinstance(node, ast.If))
    return {
        alias.name: node.module or ""
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_type_checkers_and_users_see_the_same_names() -> None:
    typed = names_for_type_checkers()
    assert len(typed) > 40
    assert sorted(typed) == sorted(aae_jax.__all__)
    for name, home in typed.items():
        is_package = home == "aae_jax" or name == "train"  # that package is callable
        expected = importlib.import_module(f"aae_jax.{name}") if is_package else None
        found = getattr(aae_jax, name)
        assert found is (getattr(importlib.import_module(home), name) if expected is None else expected)
    assert set(aae_jax.__all__) <= set(dir(aae_jax))


def test_submodules_are_attributes_without_importing_them() -> None:
    script = "import aae_jax; print(aae_jax.graph.graph_of.__name__, aae_jax.losses.generator_loss.__name__)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "graph_of generator_loss\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = aae_jax.fitt


def test_the_command_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"aae-jax {metadata.version('aae-jax')}\n"


def test_the_version_is_that_of_the_package_or_its_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert aae_jax.__version__ == metadata.version("aae-jax")
    assert "__version__" in dir(aae_jax)

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    project = tomllib.loads((MODULE.parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert aae_jax._read_version() == project["version"]
    monkeypatch.setattr(aae_jax, "__file__", str(tmp_path / "aae_jax" / "__init__.py"))
    assert aae_jax._read_version() == "0+unknown"
    for text in ("", "not toml", "[project]", '[project]\nname = "other"\nversion = "7"'):
        (tmp_path / "pyproject.toml").write_text(text)
        assert aae_jax._read_version() == "0+unknown"


@pytest.mark.parametrize(
    "statement",
    ["import aae_jax", "import aae_jax; aae_jax.__version__", "import aae_jax.cli; aae_jax.cli.main(['--help'])"],
    ids=["import", "version", "help"],
)
def test_nothing_heavy_is_imported_before_it_is_wanted(statement: str) -> None:
    heavy = "{'jax', 'flax', 'optax', 'numpy', 'tyro', 'matplotlib'} & set(__import__('sys').modules)"
    script = f"{statement}\nprint('loaded:', sorted({heavy}))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize("name", [name for name, homes in module_names.MOVED.items() if homes])
def test_modules_of_earlier_versions_are_imported_with_a_warning(name: str) -> None:
    sys.modules.pop(f"aae_jax.{name}", None)
    with pytest.warns(DeprecationWarning, match=rf"aae_jax\.{name} is now aae_jax\."):
        module = importlib.import_module(f"aae_jax.{name}")
    for home in module_names.MOVED[name]:
        found = importlib.import_module(f"aae_jax.{home}")
        for public in getattr(found, "__all__", ()):
            assert getattr(module, public) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_the_kind'"):
        module.nothing_of_the_kind  # noqa: B018


def test_a_function_of_an_earlier_module_is_todays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("training", "experiments.compilation"):
        monkeypatch.delitem(sys.modules, f"aae_jax.{name}", raising=False)
    monkeypatch.delattr(aae_jax, "training", raising=False)
    with pytest.warns(DeprecationWarning, match="aae_jax.training is now"):
        training = aae_jax.training
    assert training.fit is aae_jax.fit
    assert training.build_train_epoch is aae_jax.build_train_epoch
    with pytest.warns(DeprecationWarning, match="aae_jax.experiments.compilation"):
        from aae_jax.experiments.compilation import keep_compiled_programs
    assert callable(keep_compiled_programs)
