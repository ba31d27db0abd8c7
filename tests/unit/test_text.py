"""Text from elsewhere: nothing in it moves a cursor, reorders a line or fills a screen."""

import pytest

from aae_jax.errors import InputError, StorageError
from aae_jax.text import MAX_MESSAGE, printable, quoted, shortened


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ± ü 手", "plain ± ü 手"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\rc\td\x00", "a\\nb\\rc\\td\\x00"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("\u2028\u2029\ufeff\x85", "\\u2028\\u2029\\ufeff\\x85"),
        ("undecodable \udcff", "undecodable \\udcff"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("", ""),
    ],
)
def test_what_is_not_printable_is_escaped(text, expected):
    assert printable(text) == expected
    printable(text).encode()


def test_what_is_kept():
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"


def test_a_long_text_loses_its_middle():
    assert shortened("a" * 100, 100) == "a" * 100
    text = shortened("begin" + "x" * 1000 + "end", 60)
    assert len(text) <= 60
    assert text.startswith("begin")
    assert text.endswith("end")


def nested(depth, width):
    value = [1] * width
    for _ in range(depth):
        value = [value] * width
    return value


@pytest.mark.parametrize(
    "value",
    [nested(12, 9), {"a": nested(9, 9)}, "x" * 10**6, 10**10_000, b"\0" * 10**6, {str(i): i for i in range(10**5)}],
    ids=["aliases", "a mapping of them", "a text", "a number", "bytes", "many keys"],
)
def test_any_value_is_quoted_in_a_line(value):
    assert len(quoted(value)) <= 120


def test_short_values_are_quoted_as_they_are():
    assert quoted({"a": [1, "b"], "c": None}) == "{'a': [1, 'b'], 'c': None}"


@pytest.mark.parametrize("kind", [InputError, StorageError])
def test_messages_are_one_printable_line_of_bounded_length(kind):
    message = str(kind("file \x1b]0;title\x07 has " + "y" * 10**6 + "; give another.\n"))
    assert message.isprintable()
    assert len(message) <= MAX_MESSAGE
    assert message.endswith("give another.\\n")
