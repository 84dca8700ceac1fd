"""Review: which keys of a configuration this version does not act on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, get_args, get_origin
from urllib.parse import urlsplit

from txregistry.config.addresses import BaseURL
from txregistry.config.errors import ConfigError, ConfigWarning
from txregistry.config.fields import Field, Status, fields_of, is_section, names_of
from txregistry.config.nodes import (
    ListNode,
    Node,
    ScalarNode,
    TableNode,
    as_table,
    is_null,
)
from txregistry.config.structuring import open_table
from txregistry.config.types import Seconds

_NO_EFFECT: Final = "is known, but this version does not act on it"
_NO_UNIT: Final = 'is a number of nanoseconds without a unit; write "30s" for seconds'
_NO_PATH: Final = "has a path, which is dropped; http.prefix is for that"
_MILLISECOND: Final = 10**6  # nanoseconds


def review(root: TableNode, settings: type) -> tuple[ConfigWarning, ...]:
    """Look through a configuration that has been structured without an error.

    Args:
        root: The configuration.
        settings: The settings class that it was structured as.

    Returns:
        A warning for each key that would do something in the Go registry and does
        nothing here, for each duration that lacks a unit, and for a path that is
        dropped.

    Raises:
        ConfigError: One of those keys is there to protect.
    """
    return tuple(_review_section(root, settings, ()))


def _review_section(
    node: Node, cls: type, path: tuple[str, ...]
) -> Iterator[ConfigWarning]:
    known, other = fields_of(cls), names_of(cls)
    for key, entry in open_table(node, other).entries.items():
        field = known.get(key, other)
        if field is other or not is_null(entry):
            yield from _review_entry(entry, field, (*path, key))


def _review_entry(
    entry: Node, field: Field | None, path: tuple[str, ...]
) -> Iterator[ConfigWarning]:
    if field is None or not _does_something(entry, field, path[-1]):
        return
    key = ".".join(path)
    if field.status is Status.REFUSED:
        advice = field.advice or "refusing to start without it"
        problem = f"{field.subject} is not supported by this version; {advice}"
        raise ConfigError(key, problem, entry.origin)
    if field.status is Status.IGNORED:
        problem = f"{_NO_EFFECT}; {field.advice}" if field.advice else _NO_EFFECT
        yield ConfigWarning(key, problem, entry.origin)
    elif is_section(field.kind):
        yield from _review_section(entry, field.kind, path)
    elif _lacks_unit(entry, field.kind):
        yield ConfigWarning(key, _NO_UNIT, entry.origin)
    elif _has_path(entry, field.kind):
        yield ConfigWarning(key, _NO_PATH, entry.origin)


def _lacks_unit(entry: Node, kind: Any) -> bool:
    is_duration = kind == Seconds or Seconds in get_args(kind)
    value = entry.value if isinstance(entry, ScalarNode) else None
    return is_duration and type(value) is int and 0 < value < _MILLISECOND


def _has_path(entry: Node, kind: Any) -> bool:
    value = entry.value if isinstance(entry, ScalarNode) else None
    if BaseURL not in get_args(kind) or not isinstance(value, str):
        return False
    return bool(urlsplit(value).path.strip(" /"))


def _does_something(entry: Node, field: Field, key: str) -> bool:
    if field.names is not None:
        return key.lower() not in field.names.inert
    if field.status is Status.ACTED_ON:
        return True
    if isinstance(entry, ScalarNode) and entry.value == field.default:
        return False
    return _has_effect(entry, field.kind)


def _has_effect(entry: Node, kind: Any) -> bool:
    if isinstance(entry, ScalarNode):
        return bool(entry.value)
    if isinstance(entry, ListNode):
        inner = get_args(kind)[0] if get_origin(kind) is tuple else Any
        return any(_has_effect(item, inner) for item in entry.items)
    if not is_section(kind):
        return bool(entry.entries)
    return _is_on(entry, kind)


def _is_on(table: TableNode, cls: type) -> bool:
    fields = fields_of(cls)
    switches = {
        name: fields[name].default for name in ("enabled", "disabled") if name in fields
    }
    for name in switches:
        entry = table.entries.get(name)
        if isinstance(entry, ScalarNode) and isinstance(entry.value, bool):
            switches[name] = entry.value
    if "enabled" in switches:
        return bool(switches["enabled"])
    entries = as_table(table).entries.items()
    others = (
        _does_something(entry, fields[key], key)
        for key, entry in entries
        if key != "disabled"
    )
    return not switches.get("disabled", False) and any(others)
