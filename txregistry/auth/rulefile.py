"""The rule file: access rules in a YAML file of their own, below the key ``rules``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import yaml
from twisted.internet.interfaces import IReactorTime

from txregistry.auth.rules import Rules, parse_rules
from txregistry.auth.watched import BrokenFile, WatchedFile
from txregistry.interfaces import InvalidOption
from txregistry.threads import InThread

_MAX_DEPTH: Final = 32  # as in the configuration; a rule needs four


def open_rule_file(
    path: str,
    in_thread: InThread,
    clock: IReactorTime,
    wall_time: Callable[[], float] = time.time,
) -> WatchedFile[Rules]:
    """Open a rule file. Its ``current`` is what a RulesPolicy takes.

    Args:
        path: The file.
        in_thread: Runs work in another thread.
        clock: Says when it is time to look whether it has changed.
        wall_time: Seconds since the epoch, as file systems know them.

    Raises:
        BrokenFile: It cannot be used.
    """
    return WatchedFile(path, parse_rule_file, in_thread, clock, wall_time)


def parse_rule_file(path: str, content: bytes) -> Rules:
    """Read a rule file's content.

    Args:
        path: The file, for errors.
        content: What is in it.

    Raises:
        BrokenFile: It is not YAML, or not of rules.
    """
    document = _load(path, content)
    if not isinstance(document, dict) or list(document) != ["rules"]:
        raise BrokenFile(path, "has to be a table with the one key rules")
    try:
        return parse_rules(document["rules"])
    except InvalidOption as error:
        raise BrokenFile(path, str(error)) from None


class _Loader(yaml.BaseLoader):
    """Takes every scalar for text: YAML 1.1 would make a truth value of ``on``.

    Follows no depth: a thousand brackets in one line take PyYAML seconds.
    """

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            event = self.peek_event()  # type: ignore[no-untyped-call] # a gap in stubs
            problem = f"nested deeper than {_MAX_DEPTH} levels"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) != len(node.value):
            raise yaml.MarkedYAMLError(
                problem="a key is there twice", problem_mark=node.start_mark
            )
        return mapping


def _load(path: str, content: bytes) -> object:
    try:
        return yaml.load(content, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        problem = error.problem or error.context
        raise BrokenFile(path, f"not valid YAML: {problem}", line) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise BrokenFile(path, "not valid YAML") from None
