"""Standard output of every kind: a result is complete there, or its absence is reported."""

import contextlib
import io
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from aae_jax import cli, streams
from aae_jax.errors import StorageError
from aae_jax.run.arguments import run_guarded
from aae_jax.run.console import Console
from tests.runs.running import ROOT, copied

LINES = "0123456789\n" * 100_000


def opened(path_or_descriptor, *, unbuffered=False, encoding="utf-8"):
    """Return a text stream as Python makes standard output, also as it is with PYTHONUNBUFFERED."""
    raw = io.FileIO(path_or_descriptor, "w")
    binary = raw if unbuffered else io.BufferedWriter(raw)
    return io.TextIOWrapper(binary, encoding=encoding, write_through=unbuffered)


def status_of(monkeypatch, stream, action):
    """Return the exit status of a command that does something with `stream` as its standard output."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        status = run_guarded(lambda: action() or 0)
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()
    return status


full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
OUTPUTS = {
    "a table": lambda: streams.write_result(LINES),
    "a line": lambda: streams.say("a result"),
    "what only the end flushes": lambda: sys.stdout.write("a line\n") and None,
}


@full
@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("output", ["a table", "a line"])
def test_a_full_disk_is_reported(output, unbuffered, monkeypatch, capsys):
    assert status_of(monkeypatch, opened("/dev/full", unbuffered=unbuffered), OUTPUTS[output]) == 1
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert said.count("\n") == 1


@full
def test_a_full_disk_that_shows_at_the_end_is_reported(monkeypatch, capsys):
    assert status_of(monkeypatch, opened("/dev/full"), OUTPUTS["what only the end flushes"]) == 1
    assert "standard output did not accept everything that was printed" in capsys.readouterr().err


@pytest.mark.parametrize("unbuffered", [False, True])
def test_a_slow_reader_gets_everything(unbuffered, monkeypatch):
    """A pipe holds 64 kB: an unbuffered write takes a part, and the rest must follow."""
    read, write = os.pipe()
    got = []

    def drain():
        with os.fdopen(read, "rb") as stream:
            got.append(stream.read())

    reader = threading.Thread(target=drain)
    reader.start()
    assert status_of(monkeypatch, opened(write, unbuffered=unbuffered), OUTPUTS["a table"]) == 0
    reader.join()
    assert got == [LINES.encode()]


class Short(io.RawIOBase):
    """A file that takes at most a thousand bytes at a time."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        self.content += bytes(data[:1000])
        return min(len(data), 1000)


def test_writes_that_take_a_part_are_gone_on_with(monkeypatch):
    raw = Short()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8", write_through=True))
        streams.write_result(LINES)
    assert raw.content == LINES.encode()


@pytest.mark.parametrize("unbuffered", [False, True])
def test_nobody_reads_on(unbuffered, monkeypatch, capsys):
    read, write = os.pipe()
    os.close(read)
    assert status_of(monkeypatch, opened(write, unbuffered=unbuffered), OUTPUTS["a table"]) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("output", ["a table", "a line"])
def test_a_closed_output_is_reported(output, monkeypatch, capsys):
    assert status_of(monkeypatch, None, OUTPUTS[output]) == 1
    assert capsys.readouterr().err.startswith("error: Standard output is closed")


CODE = """
import os, sys
from aae_jax.run.arguments import run_guarded
from aae_jax.streams import say

assert run_guarded(lambda: say("a result") or 0) == 1
assert run_guarded(lambda: 0) == 0
assert os.open(os.devnull, os.O_RDONLY) > 2, "a file has the number of a closed stream"
os._exit(0)
"""


def test_a_process_whose_streams_are_all_closed():
    command = ["bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, CODE]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False, capture_output=True)
    assert done.returncode == 0


def test_output_that_knows_ascii_alone(monkeypatch, tmp_path):
    path = tmp_path / "out"
    for output in (lambda: streams.say("2 ± 1, ü, 手"), lambda: streams.write_result("ü,手,\udcff\n")):
        assert status_of(monkeypatch, io.TextIOWrapper(path.open("ab"), encoding="ascii"), output) == 0
    assert path.read_bytes() == b"2 \\xb1 1, \\xfc, \\u624b\n" + "ü,手,\\udcff\n".encode()


def test_lines_are_printable(capsys):
    streams.say("a \x1b[31m name", "two\nlines")
    assert capsys.readouterr().out == "a \\x1b[31m name\ntwo\\nlines\n"


class Broken(io.TextIOBase):
    """A stream that fails after its first write."""

    def __init__(self):
        self.written = []

    def write(self, text):
        if self.written:
            raise OSError(5, "Input/output error")
        self.written.append(text)
        return len(text)

    def isatty(self):
        return False


def test_a_console_goes_on_without_its_output(monkeypatch):
    stream = Broken()
    monkeypatch.setattr(sys, "stdout", stream)
    console = Console()
    for text in ("one", "two", "three"):
        console.say(text)
        console.rewritten(text)
    assert stream.written == ["one\n"]
    assert console.failure == "Input/output error"


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_console_without_an_output(stream, monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", None if stream is None else closed)
    console = Console() if stream is None else None
    if console is not None:
        console.say("one")
        console.rewritten("two")
    with pytest.raises(StorageError, match="closed"):
        streams.say("a result")


def test_a_console_escapes_names(capsys):
    Console().say("class \x1b]0;x\x07 'a\nb'")
    assert capsys.readouterr().out == "class \\x1b]0;x\\x07 'a\\nb'\n"


def test_a_complaint_without_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    streams.complain("nobody hears it")
    assert run_guarded(lambda: 0) == 0


@pytest.fixture
def pictures(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 255, (5, 8, 8)).astype(np.uint8))
    return path


def test_an_output_that_is_an_input_is_refused(finished, pictures, tmp_path, capsys):
    (tmp_path / "link.npy").symlink_to(pictures)
    os.link(pictures, tmp_path / "hard.npy")
    before = pictures.read_bytes()
    for name in ("images.npy", "link.npy", "hard.npy"):
        assert cli.main(["predict", str(finished), str(pictures), "--out", str(tmp_path / name)]) == 2
        assert "would overwrite a file read" in capsys.readouterr().err
    assert pictures.read_bytes() == before


@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl", "model/config.json", "model/model.safetensors"])
@pytest.mark.parametrize("command", ["predict", "reconstruct", "interpolate", "generate", "evaluate"])
def test_a_models_own_files_are_never_an_output(command, name, finished, pictures, capsys):
    images = [str(pictures)] if command in ("predict", "reconstruct", "interpolate") else []
    before = (finished / name).read_bytes()
    assert cli.main([command, str(finished), *images, "--out", str(finished / name)]) == 2
    assert "would overwrite a file read" in capsys.readouterr().err
    assert (finished / name).read_bytes() == before


def test_results_may_lie_in_a_runs_folder_and_be_replaced(finished, pictures, tmp_path):
    folder = copied(finished, tmp_path / "run")
    for _ in range(2):
        assert cli.main(["predict", str(folder), str(pictures), "--out", str(folder / "predictions.csv")]) == 0


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="needs devices")
def test_a_device_is_written_to_and_not_replaced(finished, pictures, tmp_path):
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    assert cli.main(["predict", str(finished), str(pictures), "--out", str(link)]) == 0
    assert link.is_symlink()
    assert not os.path.isfile("/dev/null")


@full
def test_a_full_device_is_reported(finished, pictures, tmp_path, capsys):
    assert cli.main(["predict", str(finished), str(pictures), "--out", "/dev/full"]) == 2
    assert "/dev/full cannot be written (No space left on device)" in capsys.readouterr().err
