"""Preparation of the next items while the present one is used."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["prefetched"]

Item = TypeVar("Item")
_END: Any = object()


def prefetched(items: Iterable[Item], *, ahead: int = 1) -> Generator[Item, None, None]:
    """Yield items that a thread of its own computes, in order, at most `ahead` of them before they are asked for.

    An exception in the thread is raised here. Close the generator to end the thread early.
    """
    left = iter(items)
    with ThreadPoolExecutor(1, "prefetch") as thread:
        waiting = deque(thread.submit(next, left, _END) for _ in range(max(1, ahead)))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(thread.submit(next, left, _END))
            yield item
