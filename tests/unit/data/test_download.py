"""A file comes whole and right, or there is a sentence and nothing that looks whole."""

import hashlib
import os
import socket
import threading
import time

import numpy as np
import pytest

from aae_jax.data import DownloadError
from aae_jax.data.download import Remote, download, offline
from aae_jax.errors import InputError
from aae_jax.files import FolderLock
from tests.unit.data.server import PARTS, serve

CONTENT = np.random.default_rng(0).bytes(300_000)


@pytest.fixture
def server():
    with serve({"/file.bin": CONTENT}) as running:
        yield running


def remote(server, **changes):
    whole = Remote(f"{server.url}/file.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    return whole._replace(**changes)


def fetch(wanted, folder, **limits):
    seen = []
    path = download(wanted, folder, progress=lambda *step: seen.append(step), **limits)
    return path, seen


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_good_server(server, tmp_path):
    path, seen = fetch(remote(server), tmp_path / "new" / "folder")
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["file.bin"]
    assert seen[-1] == ("file.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    fetch(remote(server), path.parent)
    assert len(server.asked) == 1  # what is there and right is not fetched again


def test_a_changed_file_is_fetched_again(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT[:-1] + b"!")
    assert fetch(remote(server), tmp_path)[0].read_bytes() == CONTENT


def test_a_cut_one_is_gone_on_with(server, tmp_path):
    server.behaviour = {"cut"}
    with pytest.raises(DownloadError, match=r"broke off at 1[45][0-9]* of 300000 bytes"):
        fetch(remote(server), tmp_path)
    assert names(tmp_path) == ["file.bin.partial"]
    kept = (tmp_path / "file.bin.partial").stat().st_size
    assert kept > 100_000
    server.behaviour = set()
    assert fetch(remote(server), tmp_path)[0].read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, f"bytes={kept}-"]
    assert names(tmp_path) == ["file.bin"]


def test_a_server_that_begins_again(server, tmp_path):
    (tmp_path / "file.bin.partial").write_bytes(CONTENT[:1000])
    server.behaviour = {"whole"}
    assert fetch(remote(server), tmp_path)[0].read_bytes() == CONTENT


def test_a_partial_that_is_too_long_or_whole(server, tmp_path):
    partial = tmp_path / "file.bin.partial"
    partial.write_bytes(CONTENT + b"more")
    assert fetch(remote(server), tmp_path)[0].read_bytes() == CONTENT
    (tmp_path / "file.bin").rename(partial)
    assert fetch(remote(server), tmp_path)[0].read_bytes() == CONTENT
    assert len(server.asked) == 1


@pytest.mark.parametrize("start", [0, 1000])
def test_a_wrong_checksum_leaves_nothing(server, tmp_path, start):
    (tmp_path / "file.bin.partial").write_bytes(CONTENT[:start])
    with pytest.raises(DownloadError, match=r"has SHA-256 .*, not 0000"):
        fetch(remote(server, sha256="0" * 64), tmp_path)
    assert names(tmp_path) == []


def test_a_damaged_partial_is_thrown_away(server, tmp_path):
    (tmp_path / "file.bin.partial").write_bytes(bytes(1000))
    with pytest.raises(DownloadError, match="has SHA-256"):
        fetch(remote(server), tmp_path)
    assert fetch(remote(server), tmp_path)[0].read_bytes() == CONTENT


def test_more_than_was_announced(server, tmp_path):
    with pytest.raises(DownloadError, match="sends more than 1000 bytes"):
        fetch(remote(server, size=1000), tmp_path)
    assert "file.bin" not in names(tmp_path)


def test_less_than_was_announced(server, tmp_path):
    with pytest.raises(DownloadError, match="300000 of 300001 bytes"):
        fetch(remote(server, size=len(CONTENT) + 1), tmp_path)
    assert "file.bin" not in names(tmp_path)


def test_no_such_file(server, tmp_path):
    with pytest.raises(DownloadError, match="answered 404"):
        fetch(remote(server, url=f"{server.url}/other.bin"), tmp_path)
    assert "other.bin" not in names(tmp_path)


def test_a_refused_connection(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/file.bin"
        with pytest.raises(DownloadError, match=r"cannot be reached \(connection refused\)"):
            fetch(Remote(url, 10, "0"), tmp_path)
    assert names(tmp_path) == []


def test_a_silent_server(server, tmp_path):
    server.behaviour = {"silent"}
    began = time.monotonic()
    with pytest.raises(DownloadError, match=r"did not answer within 0\.5 s"):
        fetch(remote(server), tmp_path, probe_seconds=0.5)
    assert time.monotonic() - began < 5


def test_a_server_that_falls_silent(server, tmp_path):
    server.behaviour = {"stall"}
    with pytest.raises(DownloadError, match=r"broke off at 1[0-9]* of 300000 bytes"):
        fetch(remote(server), tmp_path, stall_seconds=0.5)
    server.behaviour = set()
    assert fetch(remote(server), tmp_path)[0].read_bytes() == CONTENT


def test_a_name_that_does_not_resolve_in_time(server, tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: server.closing.wait(30))
    with pytest.raises(DownloadError, match="did not answer within"):
        fetch(remote(server), tmp_path, probe_seconds=0.3)


def test_two_at_once_fetch_it_once(server, tmp_path):
    pytest.importorskip("fcntl")
    server.behaviour = {"slow"}
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetch(remote(server), tmp_path)[0])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() == CONTENT for path in found] == [True] * 3
    assert len(server.asked) == 1
    assert names(tmp_path) == ["file.bin"]


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        fetch(remote(server), tmp_path / "file" / "folder")


@pytest.mark.parametrize("word", [word for word in PARTS if word != "unasked"])
def test_a_part_that_is_not_the_rest_is_not_appended(word, server, tmp_path):
    (tmp_path / "file.bin.partial").write_bytes(CONTENT[:1000])
    server.behaviour = {word}
    assert fetch(remote(server), tmp_path)[0].read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["bytes=1000-", None]
    assert names(tmp_path) == ["file.bin"]


def test_a_part_that_was_not_asked_for(server, tmp_path):
    server.behaviour = {"unasked"}
    with pytest.raises(DownloadError, match="a part of the file that was not requested"):
        fetch(remote(server), tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("start", [0, 1000])
@pytest.mark.parametrize("word", ["encoded", "mislabelled"])
def test_an_encoding_that_was_not_asked_for(word, start, server, tmp_path):
    (tmp_path / "file.bin.partial").write_bytes(CONTENT[:start])
    server.behaviour = {word}
    path, seen = fetch(remote(server), tmp_path)
    assert path.read_bytes() == CONTENT
    assert seen[-1][1] == len(CONTENT)


@pytest.mark.parametrize(
    ("word", "words"),
    [("unknown encoding", "encoded as 'br', which was not requested"), ("damaged encoding", "damaged gzip data")],
)
def test_an_encoding_that_cannot_be_read(word, words, server, tmp_path):
    server.behaviour = {word}
    with pytest.raises(DownloadError, match=words):
        fetch(remote(server), tmp_path)
    assert "file.bin" not in names(tmp_path)


def test_an_encoding_that_blows_up(server, tmp_path):
    server.files["/file.bin"] = bytes(50_000_000)
    server.behaviour = {"encoded"}
    with pytest.raises(DownloadError, match="sends more than 300000 bytes"):
        fetch(remote(server), tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= len(CONTENT)


def test_a_redirection_without_end(server, tmp_path):
    server.behaviour = {"loop"}
    with pytest.raises(DownloadError, match="it redirects endlessly"):
        fetch(remote(server), tmp_path)


def test_a_server_that_drips(server, tmp_path):
    server.behaviour = {"drip"}
    began = time.monotonic()
    with pytest.raises(DownloadError, match=r"broke off at [0-9]+ of 300000 bytes \(only [0-9]+ bytes in 0\.5 s"):
        fetch(remote(server), tmp_path, stall_seconds=0.5)
    assert time.monotonic() - began < 5
    server.behaviour = set()
    assert fetch(remote(server), tmp_path)[0].read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["symbolic", "dangling", "hard", "pipe", "folder"])
def test_a_part_is_never_written_through_a_link(kind, server, tmp_path):
    other, folder = tmp_path / "other", tmp_path / "folder"
    folder.mkdir()
    partial = folder / "file.bin.partial"
    other.write_bytes(CONTENT[:1000])
    if kind == "symbolic":
        partial.symlink_to(other)
    elif kind == "dangling":
        partial.symlink_to(tmp_path / "new")
    elif kind == "hard":
        os.link(other, partial)
    elif kind == "pipe":
        os.mkfifo(partial)
    else:
        partial.mkdir()
    assert fetch(remote(server), folder)[0].read_bytes() == CONTENT
    assert other.read_bytes() == CONTENT[:1000]
    assert not (tmp_path / "new").exists()
    assert names(folder) == ["file.bin", "file.bin.partial"]


@pytest.mark.parametrize("kind", ["symbolic", "zero", "pipe"])
def test_a_target_that_is_no_regular_file_is_replaced(kind, server, tmp_path):
    other, target = tmp_path / "other", tmp_path / "folder" / "file.bin"
    target.parent.mkdir()
    other.write_bytes(b"mine")
    if kind == "pipe":
        os.mkfifo(target)
    else:
        target.symlink_to(other if kind == "symbolic" else "/dev/zero")
    assert fetch(remote(server), target.parent)[0].read_bytes() == CONTENT
    assert other.read_bytes() == b"mine"
    assert not target.is_symlink()


def test_a_stopped_process_does_not_stall_others(server, tmp_path):
    pytest.importorskip("fcntl")
    held = FolderLock(tmp_path, ".file.bin.lock")
    (tmp_path / "file.bin.partial").write_bytes(b"its part")
    began = time.monotonic()
    assert fetch(remote(server), tmp_path, stall_seconds=0.5)[0].read_bytes() == CONTENT
    assert time.monotonic() - began < 5
    assert (tmp_path / "file.bin.partial").read_bytes() == b"its part"
    held.release()
    assert names(tmp_path) == ["file.bin", "file.bin.partial"]


def test_what_was_fetched_beside_a_stopped_process_is_not_left(server, tmp_path):
    pytest.importorskip("fcntl")
    held = FolderLock(tmp_path, ".file.bin.lock")
    server.behaviour = {"cut"}
    with pytest.raises(DownloadError, match="broke off"):
        fetch(remote(server), tmp_path, stall_seconds=0.3)
    held.release()
    assert names(tmp_path) == []


def test_another_process_is_waited_for_while_its_part_grows(server, tmp_path):
    pytest.importorskip("fcntl")
    held = FolderLock(tmp_path, ".file.bin.lock")

    def grow():
        for at in range(25):  # for longer than a stall; each step is far shorter than one, on a busy machine too
            (tmp_path / "file.bin.partial").write_bytes(CONTENT[: at + 1])
            time.sleep(0.1)
        (tmp_path / "file.bin").write_bytes(CONTENT)
        held.release()

    thread = threading.Thread(target=grow)
    thread.start()
    assert fetch(remote(server), tmp_path, stall_seconds=2.0)[0].read_bytes() == CONTENT
    thread.join()
    assert server.asked == []


@pytest.mark.parametrize("ending", ["/", "/..", "/."])
def test_an_address_without_a_name(ending, server, tmp_path):
    with pytest.raises(DownloadError, match="does not end in a file name"):
        fetch(remote(server, url=server.url + ending), tmp_path)


@pytest.mark.parametrize(("value", "answer"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_offline(monkeypatch, value, answer):
    monkeypatch.setenv("AAE_OFFLINE", value)
    assert offline() is answer
