"""Items prepared by another thread: in order, not too far ahead, and with their errors."""

import threading

import pytest

from aae_jax.data.prefetch import prefetched


def test_items_come_in_order_and_only_so_far_ahead():
    made, done = [], threading.Event()

    def items():
        for i in range(5):
            made.append((i, threading.current_thread()))
            done.set()
            yield i

    received = []
    for item in prefetched(items(), ahead=2):
        done.wait(10)
        assert len(made) <= len(received) + 4  # used, two ahead, and one whose thread has just begun
        received.append(item)
    assert received == list(range(5))
    assert threading.current_thread() not in {thread for _, thread in made}
    assert len({thread for _, thread in made}) == 1


def test_an_error_is_raised_where_its_item_would_be():
    def items():
        yield 1
        raise KeyError("two")

    received = prefetched(items())
    assert next(received) == 1
    with pytest.raises(KeyError, match="two"):
        next(received)


def test_closing_ends_the_thread():
    def items():
        while True:
            yield 1

    before = threading.active_count()
    received = prefetched(items())
    assert next(received) == 1
    assert threading.active_count() == before + 1
    received.close()
    assert threading.active_count() == before


def test_nothing_is_nothing():
    assert list(prefetched([])) == []
