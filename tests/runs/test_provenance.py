"""The commit that a run names is that of its code."""

import subprocess

import pytest

from aae_jax.run import run_dir as provenance


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a checkout with the package's file, a script and a page, all committed."""
    module = tmp_path / "aae_jax" / "run" / "run_dir.py"
    for path in (
        module,
        tmp_path / "experiments" / "run.py",
        tmp_path / "reproduce" / "tables.py",
        tmp_path / "docs" / "page.md",
        tmp_path / "pyproject.toml",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1", encoding="utf-8")
    author = ("-c", "user.name=t", "-c", "user.email=t@t")
    for arguments in (("init", "-q"), ("add", "-A"), (*author, "commit", "-q", "-m", "first")):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    monkeypatch.setattr(provenance, "__file__", str(module))
    return tmp_path


def test_a_clean_checkout_is_named_by_its_commit(checkout):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True)
    assert provenance.source_commit() == head.stdout[:12]


@pytest.mark.parametrize(
    "path", ["aae_jax/run/run_dir.py", "experiments/run.py", "reproduce/tables.py", "pyproject.toml"]
)
def test_changed_code_is_said(checkout, path):
    (checkout / path).write_text("2", encoding="utf-8")
    assert provenance.source_commit().endswith("-dirty")


def test_a_changed_page_is_no_other_code(checkout):
    (checkout / "docs" / "page.md").write_text("2", encoding="utf-8")
    assert not provenance.source_commit().endswith("-dirty")


def test_outside_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    assert provenance.source_commit() is None
