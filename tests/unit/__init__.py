"""One behaviour a test, in memory; the folder mirrors the package."""

from __future__ import annotations

from typing import Any

from werkzeug.routing import Rule


def _compile_once() -> None:
    """Have the router's rules compiled once, and not for each registry again.

    For each rule werkzeug writes two functions that make URLs, which nobody here calls:
    9 ms for the registry of each of a thousand tests. What they are depends on nothing
    but the key here.
    """
    compile_builder: Any = getattr(Rule, "_compile_builder", None)
    known: dict[Any, Any] = {}

    def compile_once(rule: Any, *args: Any) -> Any:
        if rule.defaults:
            return compile_builder(rule, *args)
        key = tuple(rule._trace), args
        if key not in known:
            known[key] = compile_builder(rule, *args)
        return known[key]

    if compile_builder is not None:  # it is werkzeug's own affair
        setattr(Rule, "_compile_builder", compile_once)  # noqa: B010


_compile_once()
