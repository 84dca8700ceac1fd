"""Paths: which endpoint a request is for, where the router would not think twice.

The router can do much more than our endpoints need, and takes longer over a path than
some of them over their answer. Here each of its rules is one regular expression. That
finds nothing for what the router has more to say of: a slash too many, a method that
the endpoint does not take, a path that is none of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from werkzeug.routing import Rule

_PART: Final = re.compile("<(?:([a-z]+):)?([a-z_]+)>")
_CONVERTED: Final = {"loose": "[^/].*?", None: "[^/]+"}

Found: TypeAlias = tuple[str, Mapping[str, str]]
"""An endpoint's name, and the parts of a path."""

_Match: TypeAlias = Callable[[str], re.Match[str] | None]


class Paths:
    """The router's rules. No two of them are for the same method and path."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Take the rules; if one is not of the simple kind, nothing is found."""
        self._rules: dict[str, list[tuple[_Match, str]]] = {}
        for rule in rules:
            kinds = {kind or None for kind, _ in _PART.findall(rule.rule)}
            if rule.methods is None or not kinds <= _CONVERTED.keys():
                self._rules.clear()
                return
            match = re.compile(_pattern(rule.rule)).fullmatch
            for method in rule.methods:
                self._rules.setdefault(method, []).append((match, rule.endpoint))

    def find(self, method: str, path: str) -> Found | None:
        """Return what a request is for; None: ask the router."""
        for match, endpoint in self._rules.get(method, ()):
            found = match(path)
            if found is not None:
                return endpoint, found.groupdict()
        return None


def _pattern(rule: str) -> str:
    """Return the regular expression of a rule."""
    before, *rest = re.split(_PART, rule)
    pattern = re.escape(before)
    while rest:
        kind, name, text, *rest = rest
        pattern += f"(?P<{name}>{_CONVERTED[kind]}){re.escape(text)}"
    return pattern
