"""Nodes: a configuration's text as a tree, each part knowing where it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from txregistry.config.errors import Origin


@frozen
class ScalarNode:
    """A single value.

    Attributes:
        text: As it was written, without quotes.
        value: What YAML takes the text for.
        origin: Where it was written.
    """

    text: str
    value: bool | int | float | str | None
    origin: Origin


@frozen
class ListNode:
    """A list of nodes.

    Attributes:
        items: The nodes in order.
        origin: Where it was written.
    """

    items: tuple[Node, ...]
    origin: Origin

    def with_item(self, index: int, item: Node) -> ListNode:
        """Return this list with another item at the index, which may be its length."""
        items = (*self.items[:index], item, *self.items[index + 1 :])
        return evolve(self, items=items)


@frozen
class TableNode:
    """A mapping of names to nodes.

    Attributes:
        entries: The nodes by key, in order. An entry's origin is that of its key.
        origin: Where it was written.
    """

    entries: Mapping[str, Node] = field(hash=False)
    origin: Origin

    def with_entry(self, key: str, entry: Node) -> TableNode:
        """Return this table with the entry at the key, added or replaced."""
        return evolve(self, entries={**self.entries, key: entry})


Node: TypeAlias = ScalarNode | ListNode | TableNode


class Misfit(Exception):
    """A node is not what its place in the configuration asks for.

    Attributes:
        origin: Where the node was written.
        problem: What is wrong with it.
        steps: The keys that lead to it; grows while the exception travels up.
    """

    def __init__(self, origin: Origin, problem: str) -> None:
        """Name the place and the problem."""
        super().__init__(problem)
        self.origin = origin
        self.problem = problem
        self.steps: list[str] = []


@contextmanager
def step(name: str) -> Iterator[None]:
    """Add a key to the path of any Misfit that comes out of the block."""
    try:
        yield
    except Misfit as misfit:
        misfit.steps.insert(0, name)
        raise


def is_null(node: Node | None) -> bool:
    """Say whether nothing was written, or nothing but a null."""
    return node is None or (isinstance(node, ScalarNode) and node.value is None)


def as_table(node: Node) -> TableNode:
    """Return a node as a table; a null is an empty one.

    Raises:
        Misfit: It is something else.
    """
    if isinstance(node, TableNode):
        return node
    if is_null(node):
        return TableNode({}, node.origin)
    raise Misfit(node.origin, f"must be a mapping, not {kind_of(node)}")


def as_list(node: Node) -> ListNode:
    """Return a node as a list; a null is an empty one.

    Raises:
        Misfit: It is something else.
    """
    if isinstance(node, ListNode):
        return node
    if is_null(node):
        return ListNode((), node.origin)
    raise Misfit(node.origin, f"must be a list, not {kind_of(node)}")


def kind_of(node: Node) -> str:
    """Name what a node is, for a message."""
    if isinstance(node, TableNode):
        return "a mapping"
    if isinstance(node, ListNode):
        return "a list"
    names = {type(None): "nothing", bool: "a boolean", str: "text"}
    return names.get(type(node.value), "a number")


def to_json(node: Node) -> Any:
    """Return a node as a JSON value: dict, list, str, int, float, bool or None."""
    if isinstance(node, TableNode):
        return {key: to_json(entry) for key, entry in node.entries.items()}
    if isinstance(node, ListNode):
        return [to_json(item) for item in node.items]
    return node.value
