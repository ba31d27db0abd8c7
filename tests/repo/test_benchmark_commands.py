"""Commands of benchmarks/ that pages and docstrings show: the script exists, and has the flags; all are tried."""

import ast
import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.slow import test_benchmarks as slow

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "results").glob("*.md"))]
SCRIPTS = sorted(path for path in BENCHMARKS.iterdir() if path.suffix in (".py", ".sh"))
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:uv run )?(?:python3?|bash) (benchmarks/\S+)(.*)", re.DOTALL)
SCRIPT_OF = {"gpu_ten.sh": "gpu_ten.py"}
"""Shell scripts that pass their flags on."""


class Command(NamedTuple):
    """A command, and where it is shown."""

    where: str
    text: str


def docstring(path: Path) -> str:
    """Return what a script has to say of itself."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return ast.get_docstring(ast.parse(text)) or ""
    lines = (line for line in text.splitlines() if line.startswith("#"))
    return "\n".join(line.lstrip("# ") for line in lines)


def shown_in(text: str) -> Iterator[str]:
    """Yield commands of benchmarks/ in blocks of code, a line each, and between backticks."""
    for block in FENCE.findall(text):
        for line in block.splitlines():
            if re.search(r"benchmarks/\w", line.split("#")[0]):
                yield line.split("#")[0].strip()
    for span in re.findall(r"`([^`]+)`", FENCE.sub("", text)):
        words = " ".join(span.split())
        if COMMAND.fullmatch(words) or re.match(r"benchmarks/\S+\.(py|sh) ", words):
            yield words


def flags_of_shell(path: Path) -> set[str]:
    """Return the flags between which a shell script decides."""
    return set(re.findall(r"^\s+(--[\w-]+)\)$", path.read_text(encoding="utf-8"), re.MULTILINE))


def problem_of(text: str) -> str | None:
    """Return what is wrong with a command, or None. Optional parts may be in brackets."""
    found = COMMAND.fullmatch(text)
    if found is None:
        return "no command of python or bash"
    script, arguments = ROOT / found[1], shlex.split(re.sub(r"[\[\]]|\.\.\.", "", found[2]))
    if not script.is_file():
        return f"{found[1]} does not exist"
    if ("bash" in text.split()) != (script.suffix == ".sh"):
        return "the wrong interpreter"
    if script.name not in SCRIPT_OF and script.suffix == ".sh":
        wrong = {flag for flag in arguments if flag.startswith("--")} - flags_of_shell(script)
        return f"no flags {sorted(wrong)}" if wrong else None
    module = slow.module_of(BENCHMARKS / SCRIPT_OF.get(script.name, script.name))
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            module.parse_flags(arguments)
    except SystemExit:
        return printed.getvalue().strip().splitlines()[-1]
    return None


COMMANDS = [
    Command(str(path.relative_to(ROOT)), text)
    for path in [*PAGES, *SCRIPTS]
    for text in shown_in(path.read_text(encoding="utf-8") if path.suffix == ".md" else docstring(path))
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.where}: {command.text}")
def test_a_command_that_is_shown_parses(command: Command) -> None:
    assert problem_of(command.text) is None


def test_commands_are_found_on_pages_and_in_docstrings() -> None:
    shown = {(command.where, command.text) for command in COMMANDS}
    assert len(shown) >= 20
    assert ("docs/performance.md", "python benchmarks/run.py --quick") in shown
    assert ("results/README.md", "python benchmarks/ablation.py --data-dir FOLDER") in shown
    assert ("benchmarks/gpu_queue.sh", "bash benchmarks/gpu_queue.sh [--toy] [FOLDER [JOB ...]]") in shown
    text = "`python\nbenchmarks/a.py --b`, `benchmarks/a.py`\n```sh\nbenchmarks/c.sh  # why\n```\n"
    assert list(shown_in(text)) == ["benchmarks/c.sh", "python benchmarks/a.py --b"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("python benchmarks/none.py", "does not exist"),
        ("python benchmarks/run.py --qick", "unrecognized arguments: --qick"),
        ("python benchmarks/run.py --only everything", "invalid choice: 'everything'"),
        ("python benchmarks/label_spreading.py --splits many", "invalid int value"),
        ("bash benchmarks/gpu_ten.sh --tiny", "unrecognized arguments: --tiny"),
        ("bash benchmarks/gpu_queue.sh --tiny", "no flags"),
        ("bash benchmarks/run.py", "the wrong interpreter"),
        ("benchmarks/gpu_ten.sh --toy", "no command"),
    ],
)
def test_a_command_that_would_fail_is_seen(text: str, problem: str) -> None:
    assert problem in (problem_of(text) or "")


def test_every_script_is_run_by_a_slow_test() -> None:
    tried = {script for case in slow.CASES.values() for script in case.scripts}
    assert tried == {path.name for path in SCRIPTS}


@pytest.mark.parametrize("path", [path for path in SCRIPTS if path.suffix == ".py"], ids=lambda path: path.name)
def test_a_toy_size_is_a_flag_and_no_environment_variable(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert set(re.findall(r"environ(?:\.get)?[\[(]\"(\w+)\"", source)) <= {"OUT"}
    if "add_argument(" in source:
        assert "--toy" in source or path.name in SMALL_BY_OTHER_FLAGS


SMALL_BY_OTHER_FLAGS = {"ablation.py", "graph_clusters.py", "label_spreading.py"}
"""`--dataset digits` or `--splits 1` make these quick."""


def test_help_is_printed_without_an_error() -> None:
    for name in ("run.py", "label_spreading.py"):
        done = subprocess.run(
            [sys.executable, str(BENCHMARKS / name), "--help"], capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        assert "--out" in done.stdout
