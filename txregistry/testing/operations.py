"""Operations: what a driver can be asked to do, and how a test means some of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import count
from typing import Final

from attrs import frozen

CHANGES: Final = frozenset(
    {
        "put_content",
        "open_writer",
        "write",
        "close",
        "sync",
        "commit",
        "cancel",
        "move",
        "delete",
    }
)
"""The operations that change the store; five of them are a writer's."""

READS: Final = frozenset(
    {
        "get_content",
        "open_reader",
        "produce",
        "stat",
        "list_children",
        "list_holders",
        "redirect_url",
    }
)
"""The operations that only look; ``produce`` is a reader's content on its way."""

WAITS: Final = (CHANGES | READS) - {"write", "produce"}
"""The operations at which a caller waits for the store, so that they can hang."""


@frozen
class Operation:
    """Something that a driver was asked to do.

    Attributes:
        name: One of ``CHANGES`` or ``READS``.
        path: The path; of a ``move``, the source.
    """

    name: str
    path: str


Where = Callable[[Operation], bool]
"""Says whether an operation is meant. It is asked once for each, in their order."""


def nth(number: int, among: Collection[str] = CHANGES) -> Where:
    """Mean one operation, by its place in the order that they come in.

    Args:
        number: 1 is the first that comes.
        among: The names of the operations that count.
    """
    numbers = count(1)
    return lambda operation: operation.name in among and next(numbers) == number


def on(name: str, path_end: str = "") -> Where:
    """Mean every operation of a name on paths that end so."""
    return lambda operation: (
        operation.name == name and operation.path.endswith(path_end)
    )
