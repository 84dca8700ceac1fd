"""YAML text: read into nodes, with a line for each, within bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from attrs import evolve, frozen

from txregistry.config.errors import Origin, quoted
from txregistry.config.nodes import ListNode, Misfit, Node, ScalarNode, TableNode, step
from txregistry.config.scalars import resolve

_MAX_DEPTH: Final = 32
_MAX_NODES: Final = 20_000  # aliases counted as often as they are used
_CORE: Final = "tag:yaml.org,2002:"
_FORBIDDEN: Final = re.compile("[\0\ud800-\udfff]")


@frozen
class _Measured:
    """A node, how many nodes it is made of, and how deep they are nested."""

    node: Node
    weight: int = 1
    height: int = 1


def read_yaml(text: str, origin: Origin) -> Node | None:
    """Read one YAML document.

    Args:
        text: The document.
        origin: Where it comes from. Nodes get it with their own line if it is a file's,
            and as it is if it is a variable's.

    Returns:
        The document's node; None: there is none in the text.

    Raises:
        Misfit: It is not YAML, has a key twice, a tag of its own, more than one
            document, or more nodes or levels than any configuration needs.
    """
    reader = _Reader(origin)
    try:
        return reader.read(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line
        problem = error.problem or error.context or "cannot be read"
        raise Misfit(reader.at(line), f"not valid YAML: {problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position)
        raise Misfit(reader.at(line), "not valid YAML: a control character") from None
    except (ValueError, OverflowError, IndexError):
        # The scanner's own slips, as with "\UFFFFFFFF" or "%YAML 1.<5000 digits>".
        raise Misfit(reader.at(reader.line), "not valid YAML") from None


class _Reader:
    """Makes nodes of YAML events.

    PyYAML's own composer would do, but for bounds: it follows any depth and copies
    nothing of what a later walk over aliases would have to expand.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._anchors: dict[str, _Measured | None] = {}
        self.line = 0

    def at(self, line: int | None) -> Origin:
        """Return the origin of a line (from 0)."""
        if self._origin.file is None or line is None:
            return self._origin
        return evolve(self._origin, line=line + 1)

    def read(self, events: Iterator[Any]) -> Node | None:
        """Read the events of a whole stream, at most one document."""
        self._events = events
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        node = self._node(self._next(), 1).node
        self._next()
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._misfit(event, "more than one YAML document")
        return node

    def _next(self) -> Any:
        event = next(self._events)
        self.line = event.start_mark.line
        return event

    def _misfit(self, event: Any, problem: str) -> Misfit:
        return Misfit(self.at(event.start_mark.line), problem)

    def _node(self, event: Any, depth: int) -> _Measured:
        if isinstance(event, yaml.AliasEvent):
            return self._bounded(event, self._alias(event), depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            measured = _Measured(self._scalar(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            measured = self._list(event, depth)
        else:
            measured = self._table(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = measured
        return measured

    def _bounded(self, event: Any, measured: _Measured, depth: int) -> _Measured:
        if depth - 1 + measured.height > _MAX_DEPTH:
            raise self._misfit(event, f"nested deeper than {_MAX_DEPTH} levels")
        if measured.weight > _MAX_NODES:
            raise self._misfit(event, f"more than {_MAX_NODES} values")
        return measured

    def _alias(self, event: Any) -> _Measured:
        if event.anchor not in self._anchors:
            raise self._misfit(event, f"no anchor named {quoted(event.anchor)}")
        measured = self._anchors[event.anchor]
        if measured is None:
            raise self._misfit(event, f"{quoted(event.anchor)} contains itself")
        node = evolve(measured.node, origin=self.at(event.start_mark.line))
        return evolve(measured, node=node)

    def _scalar(self, event: Any) -> ScalarNode:
        origin = self.at(event.start_mark.line)
        text = _joined(event.value)
        if _FORBIDDEN.search(text):
            raise Misfit(origin, "a character that is no text")
        plain = event.implicit[0]
        if event.tag in (None, "!") or event.tag == _CORE + "str":
            value = resolve(text) if plain and event.tag is None else text
            return ScalarNode(text, value, origin)
        value = resolve(text)
        names = {type(None): "null", bool: "bool", int: "int", float: "float"}
        if event.tag != _CORE + names.get(type(value), ""):
            raise Misfit(origin, f"the tag {quoted(event.tag)} is not allowed here")
        return ScalarNode(text, value, origin)

    def _open(self, event: Any, name: str, depth: int) -> Origin:
        if event.tag not in (None, "!", _CORE + name):
            problem = f"the tag {quoted(event.tag)} is not allowed here"
            raise self._misfit(event, problem)
        if depth >= _MAX_DEPTH:
            raise self._misfit(event, f"nested deeper than {_MAX_DEPTH} levels")
        return self.at(event.start_mark.line)

    def _list(self, event: Any, depth: int) -> _Measured:
        origin = self._open(event, "seq", depth)
        parts: list[_Measured] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            with step(str(len(parts))):
                parts.append(self._node(event, depth + 1))
        node = ListNode(tuple(part.node for part in parts), origin)
        return self._sum(event, node, parts, depth)

    def _table(self, event: Any, depth: int) -> _Measured:
        origin = self._open(event, "map", depth)
        entries: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        parts: list[_Measured] = []
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key, plain = self._key(event)
            with step(key):
                if key in entries:
                    raise self._twice(event, entries[key])
                part = self._node(self._next(), depth + 1)
            parts.append(part)
            if plain and key == "<<":
                merged = {**self._merge(event, part.node), **merged}
            else:
                here = self.at(event.start_mark.line)
                entries[key] = evolve(part.node, origin=here)
        node = TableNode({**merged, **entries}, origin)
        return self._sum(event, node, parts, depth)

    def _key(self, event: Any) -> tuple[str, bool]:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._misfit(event, "a key must be plain text")
        return self._scalar(event).text, event.implicit[0]

    def _twice(self, event: Any, first: Node) -> Misfit:
        line = first.origin.line
        where = "" if line is None else f" (first on line {line})"
        return self._misfit(event, f"is there twice{where}")

    def _merge(self, event: Any, node: Node) -> dict[str, Node]:
        sources = reversed(node.items) if isinstance(node, ListNode) else [node]
        merged: dict[str, Node] = {}
        for source in sources:
            if not isinstance(source, TableNode):
                raise self._misfit(event, "<< must name mappings")
            merged.update(source.entries)
        return merged

    def _sum(
        self, event: Any, node: Node, parts: list[_Measured], depth: int
    ) -> _Measured:
        weight = 1 + sum(part.weight for part in parts)
        height = 1 + max((part.height for part in parts), default=0)
        return self._bounded(event, _Measured(node, weight, height), depth)


def _joined(text: str) -> str:
    """Join surrogate pairs, which is how JSON escapes what lies beyond 16 bits."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return text
