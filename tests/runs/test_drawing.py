"""Figures are drawn and saved one by one: what fails is named, and costs itself alone."""

import errno
import os

import pytest

from aae_jax import figures
from aae_jax.figures.of_models.drawing import draw_and_save, reason_of


def bars():
    return figures.label_frequencies([1, 2])


def fail(error):
    def draw():
        raise error

    return draw


FAULTS = [
    (ValueError("\n$10k_$\n ^\nexpected something"), "(ValueError: $10k_$)"),
    (MemoryError(), "(MemoryError)"),
    (KeyError("\x1b[31m"), r"(KeyError: '\x1b[31m')"),
    (RecursionError("x" * 5000), " … x"),
]


@pytest.mark.parametrize(("error", "words"), FAULTS)
def test_a_figure_that_cannot_be_drawn_is_named(error, words, tmp_path):
    notices = []
    drawings = {"first": bars, "broken": fail(error), "last": bars}
    assert draw_and_save(lambda: drawings, tmp_path / "figures", notices.append) == (["first", "last"], ["broken"])
    (notice,) = notices
    assert notice.startswith("The figure broken could not be drawn (")
    assert words in notice
    assert len(notice) < 300
    assert notice.isprintable()
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "first.png",
        "first.svg",
        "last.png",
        "last.svg",
    }


def test_a_full_disk_costs_the_figures_alone(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    notices = []
    assert draw_and_save(lambda: {"a": bars, "b": bars}, tmp_path / "figures", notices.append) == ([], ["a", "b"])
    assert [notice.split()[2] for notice in notices] == ["a", "b"]
    assert all("No space left on device" in notice for notice in notices)
    assert list((tmp_path / "figures").iterdir()) == []


def test_without_matplotlib_there_is_one_sentence(tmp_path):
    notices = []
    prepare = fail(ImportError("DLL load failed"))
    assert draw_and_save(prepare, tmp_path, notices.append) == ([], [])
    assert notices == ["No figure could be drawn (ImportError: DLL load failed)."]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_request_to_stop_is_no_fault_of_a_figure(kind, tmp_path):
    with pytest.raises(kind):
        draw_and_save(lambda: {"a": fail(kind())}, tmp_path, print)


def test_a_reason_is_one_short_line():
    assert (
        reason_of(OSError(errno.EACCES, "Permission denied", "a\nb"))
        == "PermissionError: [Errno 13] Permission denied: 'a\\nb'"
    )
    assert reason_of(ValueError()) == "ValueError"
