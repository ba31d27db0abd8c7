"""Files: regular ones within bounds are read, whole ones are written, links are not followed."""

import os
import socket
import stat
import threading

import pytest

from aae_jax import files
from aae_jax.errors import InputError
from aae_jax.files import (
    LOCK_FILE,
    FolderLock,
    append_line,
    open_regular,
    private_folder,
    read_bytes,
    refuse_links,
    sweep_unfinished,
    write_whole,
)
from tests.killing import count_calls, kill_before_call

needs_unix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


@pytest.fixture
def special(tmp_path):
    """Paths of everything that is no regular file, by name."""
    os.mkfifo(tmp_path / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "pipe").symlink_to(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    yield tmp_path
    listener.close()


@needs_unix
@pytest.mark.parametrize("name", ["fifo", "socket", "zero", "pipe", "folder", "loop", "dangling", "missing"])
def test_only_regular_files_are_opened(name, special):
    with pytest.raises(OSError, match=r"."):
        open_regular(special / name)
    with pytest.raises(OSError, match=r"."):
        read_bytes(special / name)


def test_a_link_to_a_regular_file_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_bytes(tmp_path / "link") == b"content"


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 101)
    assert len(read_bytes(tmp_path / "file", 101)) == 101
    with pytest.raises(OSError, match="101 bytes, more than 100"):
        read_bytes(tmp_path / "file", 100)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs a file whose size is told as 0")
def test_a_file_that_grows_is_read_within_its_bound():
    from pathlib import Path

    with pytest.raises(OSError, match="more than 10 bytes"):
        read_bytes(Path("/proc/self/status"), 10)


def test_a_link_in_the_place_of_a_file_is_replaced_and_its_target_untouched(tmp_path):
    (tmp_path / "victim").write_bytes(b"precious")
    for name in ("out", "out.unfinished", ".out.unfinished"):
        (tmp_path / name).symlink_to(tmp_path / "victim")
    write_whole(tmp_path / "out", b"new")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "out").is_symlink()
    assert (tmp_path / "out").read_bytes() == b"new"


def test_an_existing_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    path.chmod(0o600)
    write_whole(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_name_of_255_bytes_can_be_written(tmp_path):
    write_whole(tmp_path / ("ü" * 127), b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["ü" * 127]


def test_concurrent_writers_never_mix(tmp_path):
    path, contents = tmp_path / "out", [bytes([letter]) * (10_000 + letter) for letter in range(65, 75)]
    writers = [threading.Thread(target=write_whole, args=(path, content)) for content in contents for _ in range(5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_bytes() in contents
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_an_exception_in_a_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "out", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("before", [None, b"old"])
def test_killed_at_any_system_call_the_old_or_the_new_file_is_whole(before, tmp_path):
    path, seen = tmp_path / "file", set()
    for moment in range(count_calls(lambda: write_whole(path, b"new")) + 2):
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
        kill_before_call(moment, lambda: write_whole(path, b"new"))
        seen.add(path.read_bytes() if path.exists() else None)
        sweep_unfinished(tmp_path)
        assert {entry.name for entry in tmp_path.iterdir()} <= {"file"}
    assert seen == {before, b"new"}


def test_lines_are_not_appended_through_links(tmp_path):
    (tmp_path / "victim").write_bytes(b"precious\n")
    (tmp_path / "log").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match=r"."):
        append_line(tmp_path / "log", "row")
    assert (tmp_path / "victim").read_bytes() == b"precious\n"
    append_line(tmp_path / "other", "one")
    append_line(tmp_path / "other", "two")
    assert (tmp_path / "other").read_bytes() == b"one\ntwo\n"


def test_what_only_looks_unfinished_stays(tmp_path):
    names = [
        "notes.unfinished",
        ".notes.unfinished",
        ".a.0123456789abcde.unfinished",
        ".a.0123456789ABCDEF.unfinished",
    ]
    for name in names:
        (tmp_path / name).write_text("precious")
    (tmp_path / ".a.0123456789abcdef.unfinished").write_text("left by a kill")
    (tmp_path / ".b.0123456789abcdef.unfinished").symlink_to(tmp_path / names[0])
    sweep_unfinished(tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {*names, ".b.0123456789abcdef.unfinished"}


@needs_unix
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/etc/passwd", path)], ids=["a pipe", "a link"])
@pytest.mark.parametrize("where", ["metrics.jsonl", "checkpoints/last/3/tree.safetensors", "model/config.json"])
def test_a_folder_with_anything_but_files_and_folders_is_refused(make, where, tmp_path):
    (tmp_path / where).parent.mkdir(parents=True, exist_ok=True)
    refuse_links(tmp_path)
    make(tmp_path / where)
    with pytest.raises(InputError, match="which a run's folder must not hold"):
        refuse_links(tmp_path)


def test_a_folder_reached_through_a_link_is_taken(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    assert refuse_links(tmp_path / "link") is None


def test_a_lock_is_not_lost_with_its_file(tmp_path):
    lock = FolderLock(tmp_path)
    (tmp_path / LOCK_FILE).unlink()
    with pytest.raises(InputError, match="Another run is writing"):
        FolderLock(tmp_path)
    (tmp_path / LOCK_FILE).write_text("")
    with pytest.raises(InputError, match="Another run is writing"):
        FolderLock(tmp_path)
    lock.release()
    FolderLock(tmp_path).release()


def test_a_lock_that_is_held_is_waited_for_no_longer_than_allowed(tmp_path):
    holder = FolderLock(tmp_path, ".name.lock")
    with pytest.raises(InputError, match="Another run is writing"):
        FolderLock(tmp_path, ".name.lock", wait=0.2)
    threading.Timer(0.2, holder.release).start()
    FolderLock(tmp_path, ".name.lock", wait=10).release()


@needs_unix
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink(path.parent / "victim", path)])
def test_a_lock_file_that_is_none_is_refused(make, tmp_path):
    make(tmp_path / LOCK_FILE)
    with pytest.raises(OSError, match=r"."):
        FolderLock(tmp_path)
    assert not (tmp_path / "victim").exists()


def test_locks_go_on_where_a_folder_cannot_be_locked(tmp_path, monkeypatch):
    """NFS, where only files can be."""
    lock_descriptor = files._lock

    def refuse_folders(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(9, "Bad file descriptor")
        lock_descriptor(descriptor)

    monkeypatch.setattr(files, "_lock", refuse_folders)
    lock = FolderLock(tmp_path)
    with pytest.raises(InputError, match="Another run is writing"):
        FolderLock(tmp_path)
    lock.release()


def test_where_there_is_no_flock_filelock_locks_the_file(tmp_path, monkeypatch):
    """As on Windows; its lock for this system stands in for the one for Windows."""
    monkeypatch.setattr(files, "HAS_FLOCK", False)
    with pytest.raises(FileNotFoundError):
        FolderLock(tmp_path / "missing")
    lock = FolderLock(tmp_path)
    with pytest.raises(InputError, match="Another run is writing"):
        FolderLock(tmp_path)
    threading.Timer(0.2, lock.release).start()
    FolderLock(tmp_path, wait=10).release()
    assert list(tmp_path.iterdir()) == []
    os.mkfifo(tmp_path / LOCK_FILE)
    with pytest.raises(OSError, match="not a regular file"):
        FolderLock(tmp_path)


@pytest.mark.parametrize(
    ("mode", "private"), [(0o700, True), (0o755, True), (0o775, False), (0o777, False), (0o702, False)]
)
def test_a_folder_is_private_where_nobody_else_can_write(mode, private, tmp_path):
    tmp_path.chmod(mode)
    assert private_folder(tmp_path) is private


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to give a folder away")
def test_a_folder_of_another_user_is_not_private(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    assert not private_folder(tmp_path)
    assert not private_folder(tmp_path / "missing")
