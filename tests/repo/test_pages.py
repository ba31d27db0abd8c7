"""Pages: length, links, anchors, paths and command lines; the tree and the layers of docs/architecture.md."""

import contextlib
import functools
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from aae_jax import cli
from aae_jax.commands import data as data_command
from aae_jax.commands import result
from aae_jax.compat.command_names import SEED_COMMANDS
from aae_jax.errors import InputError
from aae_jax.models import MODELS, find_model
from aae_jax.run.arguments import parse
from aae_jax.run.flags import parse_flags
from aae_jax.run.sweep.command import parse_sweep
from aae_jax.run.sweep.members import parse_space
from tests.repo.test_layers import LAYERS, RANK

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "results/README.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
MAX_README_WORDS = 900
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PATH = re.compile(r"(?<![\w/.<>-])(?:aae_jax|docs|tests|experiments|benchmarks|tools)/[\w./<>*-]*")
NAMES_A_FOLDER = {"--resume", "--config-path"}
"""Flags whose value is read when the command line is parsed; pages show placeholders."""


def named(paths):
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in paths]


def prose(text):
    """Return a page without its code blocks."""
    return FENCE.sub("", text)


def block_after(page, heading):
    """Return the first code block after a heading."""
    return FENCE.search(page, page.index(f"\n{heading}\n"))[2]


# Length


def test_readme_is_short():
    words = prose((ROOT / "README.md").read_text(encoding="utf-8")).split()
    assert len(words) <= MAX_README_WORDS


def test_readme_begins_with_two_commands():
    (_, first), *_ = FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [shlex.split(line, comments=True)[:3] for line in first.splitlines()] == [
        ["uv", "run", "python"],
        ["uv", "run", "pytest"],
    ]


# Links and paths


@functools.cache
def anchors(page):
    """Return the anchors of a page: those of its headings, as GitHub makes them, and explicit ones."""
    text = page.read_text(encoding="utf-8")
    found = set(re.findall(r'<a id="([^"]+)">', text))
    for heading in re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower())
        slug, count = words.replace(" ", "-"), 0
        while (numbered := f"{slug}-{count}" if count else slug) in found:
            count += 1
        found.add(numbered)
    return found


def broken_links(page):
    """Return the relative links of a page that lead nowhere."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target.resolve())):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", named(PAGES))
def test_links_lead_to_files_and_anchors(page):
    assert broken_links(page) == []


def test_broken_links_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `b` (c)\n[a](#a-b-c) [b](page.md#a-b-c) [c](#a) [d](gone.md) [e](https://x.invalid)\n")
    assert broken_links(page) == ["#a", "gone.md"]


def missing_paths(text):
    """Return the paths that a text names and that do not exist; `<name>` stands for anything in a folder."""
    missing = []
    for path in map(lambda found: found.rstrip("."), PATH.findall(text)):
        place = path.split("<")[0].split("*")[0]
        place = place if place == path else place.rpartition("/")[0]
        if not (ROOT / place).exists():
            missing.append(path)
    return missing


@pytest.mark.parametrize("page", named(PAGES))
def test_paths_exist(page):
    text = re.sub(r"\]\([^)]*\)", "]", page.read_text(encoding="utf-8"))  # links are relative to the page
    assert missing_paths(text) == []


def test_missing_paths_are_found():
    assert missing_paths("`aae_jax/losses.py`, aae_jax/lost.py. `aae_jax/models/<name>/config.py` docs/<x>/y") == [
        "aae_jax/lost.py"
    ]


# Commands


class Parsed(Exception):  # noqa: N818 - not an error
    """The flags of a command could be read."""


@pytest.fixture
def only_parsed(monkeypatch):
    """Let the commands on models and data stop once their flags are read."""

    def parse_and_stop(*arguments, **options):
        parse_flags(*arguments, **options)
        raise Parsed

    for module in (result, data_command):
        monkeypatch.setattr(module, "parse_flags", parse_and_stop)


def shown_commands(text):
    """Return the command lines in a page's code blocks, comments left out."""
    lines = [
        line
        for language, block in FENCE.findall(text)
        if language in ("", "sh")
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [words for words in (shlex.split(line, comments=True) for line in lines if is_command(line)) if words]


def is_command(line):
    return re.match(r"\s*(?:\w+=\S* )*(?:uv |uvx |python |aae-jax |bash |taskset |benchmarks/\w)", line) is not None


def bare(words):
    """Return a command without variables and without `uv run` and `taskset`, and their options."""
    words = list(words)
    while "=" in words[0]:
        del words[0]
    if words[0] == "taskset":
        words = words[3:]
    if words[:2] == ["uv", "run"]:
        words = words[2:]
        while words[0].startswith("-"):
            words = words[2:]
    return words


@functools.cache
def help_of(script):
    """Return what a script prints for `--help`."""
    command = [sys.executable, str(ROOT / script), "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def check_command(words):
    """Fail unless a command exists and its flags can be read."""
    program, *rest = bare(words)
    if program == "python" and rest[0] != "-m":
        check_script(rest[0], rest[1:])
    elif program == "aae-jax":
        check_aae_jax(rest)
    elif program == "bash" or "/" in program:
        script = rest[0] if program == "bash" else program
        assert (ROOT / script).is_file(), script
    else:
        assert program in ("python", "pytest", "uv", "uvx"), program


def check_script(script, flags):
    assert (ROOT / script).is_file(), script
    folder, name = Path(script).parent.name, Path(script).stem
    if folder == "experiments" and name in {entry.name for entry in MODELS} | {"sweep"}:
        check_training(name, flags)
    elif folder == "experiments":
        known = help_of(script)
        assert [flag for flag in flags if flag.startswith("--") and flag not in known] == []


def check_training(name, flags):
    flags = list(flags)
    for flag in NAMES_A_FOLDER & set(flags):
        del flags[flags.index(flag) : flags.index(flag) + 2]
    try:
        if name == "sweep":
            spec, request = parse_sweep(flags, "sweep")
            assert parse_space(request.flags.vary, spec.config_class) or not flags
        else:
            with contextlib.redirect_stdout(io.StringIO()):
                parse(find_model(name).spec, flags)
    except SystemExit as end:  # of --help and --preset list
        if end.code:
            raise


def check_aae_jax(words):
    command, *flags = words
    if command in SEED_COMMANDS:
        return
    if command == "train":
        check_training(flags[0].replace("-", "_"), flags[1:])
    else:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Parsed, SystemExit):
            cli._find(words)()
            raise AssertionError(f"{words} did not read its flags")


@pytest.mark.parametrize("page", named(PAGES))
def test_commands_in_code_blocks_can_be_read(page, only_parsed):
    if page == ROOT / "results" / "README.md":
        pytest.skip("its commands are records of what was run")
    for words in shown_commands(page.read_text(encoding="utf-8")):
        try:
            check_command(words)
        except InputError as error:
            raise AssertionError(f"{shlex.join(words)}: {error}") from error


def test_pages_show_commands():
    counts = {
        name: len(shown_commands((ROOT / name).read_text(encoding="utf-8"))) for name in ("README.md", "docs/cli.md")
    }
    assert counts["README.md"] == 2
    assert counts["docs/cli.md"] > 8


@pytest.mark.parametrize(
    "line",
    [
        "python experiments/semi_supervised.py --label 3",
        "uv run --extra cuda12 python experiments/lost.py",
        "aae-jax train clustering --labels 3",
        "aae-jax generate RUN --clusters 7",
        "aae-jax predikt RUN",
        "aae-jax data fetch",
        "python experiments/sweep.py --vary weights.consistency",
        "python experiments/sweep.py clustering --vary labels=10",
        "python experiments/reproduce.py --tabel models",
        "benchmarks/lost.sh",
    ],
)
def test_wrong_commands_are_found(line, only_parsed):
    with pytest.raises((InputError, AssertionError)):
        check_command(shlex.split(line))


SPAN = re.compile(r"(?<!`)`((?:uv run |python |aae-jax )[^`]+)`(?!`)")


@pytest.mark.parametrize("page", named(PAGES))
def test_commands_within_lines_exist(page):
    """There a flag may stand without its value; docs/coming-from.md, which has most, is read by test_docs."""
    text = re.sub(r"\s+", " ", prose(page.read_text(encoding="utf-8")))
    for span in SPAN.findall(text):
        program, *rest = bare(shlex.split(span))
        if program == "python" and rest[0] != "-m":
            assert (ROOT / rest[0]).is_file(), span
        elif program == "aae-jax":
            assert rest[0] in (*cli.COMMANDS, *SEED_COMMANDS), span


# docs/architecture.md

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def tree_entries(block):
    """Return the paths of an annotated tree: two or four spaces an entry, names first, two spaces before the text."""
    entries, folders = [], [""]
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split(r"\s{2,}", line.strip())[0].split()
        if depth > 2 or not all(re.fullmatch(r"[\w.]+/?", name) for name in names):
            continue  # text that goes on from the line above
        del folders[depth + 1 :]
        entries += ["".join(folders[: depth + 1]) + name for name in names]
        folders.append(names[0])
    return entries


def test_the_tree_has_everything_at_the_top_and_nothing_else():
    entries = tree_entries(block_after(ARCHITECTURE, "## The package"))
    assert len(entries) > 70
    assert [entry for entry in entries if not (ROOT / entry).exists()] == []
    named_there = {entry.split("/")[1].removesuffix(".py") for entry in entries if entry.startswith("aae_jax/")}
    assert RANK.keys() - named_there == {"plotting_backend"}
    assert {f"aae_jax/models/{entry.name}/" for entry in MODELS} <= set(entries)


def test_the_layers_are_those_that_are_checked():
    drawn = [tuple(line.split()) for line in block_after(ARCHITECTURE, "## Layers").splitlines()]
    assert [set(row) for row in reversed(drawn)] == [set(row) for row in LAYERS]


def test_recipes_name_as_many_files_as_the_table_says():
    table = dict(re.findall(r"^\| (a[^|]*?) \| (\d)", ARCHITECTURE, re.MULTILINE))
    assert set(table) == {
        f"a {n}" for n in ("model", "prior", "loss term", "data source", "figure", "traced number")
    } | {"a kind of network"}
    for name, count in table.items():
        heading = f"\n### Add {name}\n"
        section = ARCHITECTURE.split(heading)[1].split("\n### ")[0]
        assert len(re.findall(r"^\d\. ", section, re.MULTILINE)) == int(count), name
