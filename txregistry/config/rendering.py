"""Rendering: the effective settings as they may be shown, secrets masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

import yaml

from txregistry.config.addresses import (
    Address,
    BaseURL,
    FileMode,
    SocketPath,
    TrustedProxies,
)
from txregistry.config.counts import WorkerCount
from txregistry.config.durations import format_duration
from txregistry.config.fields import Field, Status, fields_of, is_section, names_of
from txregistry.config.masking import MASK, hidden, masked, masked_url
from txregistry.config.types import FileName, OutgoingHeaders, Seconds, Secret, WebURL


def to_yaml(settings: object) -> str:
    """Return settings as YAML text, secrets masked; the rest reads back the same.

    Args:
        settings: An instance of a settings class.
    """
    return yaml.safe_dump(
        effective(settings), sort_keys=False, allow_unicode=True, width=79
    )


def effective(settings: Any) -> dict[str, Any]:
    """Return settings as JSON values by key, secrets masked.

    Args:
        settings: An instance of a settings class.

    Returns:
        All keys that this version acts on, but those that are unset, and of the others
        those that differ from their defaults.
    """
    shown: dict[str, Any] = {}
    other = names_of(type(settings))
    if other is not None:
        for name, parameters in getattr(settings, other.name).items():
            shown[name] = masked("", parameters)
    for key, field in fields_of(type(settings)).items():
        value = getattr(settings, field.name)
        if field.status is Status.ACTED_ON and is_section(field.kind):
            if below := effective(value):
                shown[key] = below
        elif value is not None and not _is_silent(field, value):
            shown[key] = _masked(key, _plain(value, field.kind), field.kind)
    return shown


def _masked(key: str, plain: Any, kind: Any) -> Any:
    if kind == OutgoingHeaders:
        return hidden(plain)
    if kind == WebURL:
        return masked_url(plain)
    return masked("" if kind == FileName else key, plain)


def _is_silent(field: Field, value: object) -> bool:
    return field.status is not Status.ACTED_ON and value == field.default


def _plain(value: Any, kind: Any) -> Any:
    if is_section(type(value)):
        return effective(value)
    if isinstance(value, tuple):
        inner = get_args(kind)[0] if get_args(kind) else None
        return [_plain(item, inner) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(below, None) for name, below in value.items()}
    return _plain_leaf(value, kind)


def _plain_leaf(value: Any, kind: Any) -> Any:
    if kind == Seconds or Seconds in get_args(kind):
        return format_duration(value)
    if isinstance(value, Secret):
        return MASK if value else ""
    if isinstance(value, Address | BaseURL | FileMode | SocketPath):
        return str(value)
    if isinstance(value, WorkerCount):
        return value.plain
    if isinstance(value, TrustedProxies):
        return value.everyone or [str(network) for network in value.networks]
    return value.pattern if isinstance(value, re.Pattern) else value
