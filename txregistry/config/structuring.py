"""Structuring: nodes into settings, one hook for each type that a setting may have."""

from __future__ import annotations

import re
import types
import warnings
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin

from cattrs import Converter

from txregistry.config.addresses import (
    Address,
    BaseURL,
    FileMode,
    TrustedProxies,
    parse_listen_address,
)
from txregistry.config.counts import WorkerCount
from txregistry.config.durations import from_nanoseconds, parse_duration
from txregistry.config.errors import quoted
from txregistry.config.fields import (
    Field,
    Invalid,
    fields_of,
    is_section,
    names_of,
)
from txregistry.config.nodes import (
    ListNode,
    Misfit,
    Node,
    ScalarNode,
    TableNode,
    as_list,
    as_table,
    is_null,
    kind_of,
    step,
    to_json,
)
from txregistry.config.types import (
    FileName,
    Headers,
    ListenAddress,
    OutgoingHeaders,
    Parameters,
    Seconds,
    Secret,
    WebURL,
)

_T = TypeVar("_T")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile("[^\0-\x08\x0a-\x1f\x7f]*")


def structure(node: Node, kind: type[_T]) -> _T:
    """Make settings of a node.

    Args:
        node: What was written.
        kind: The settings class.

    Raises:
        Misfit: A key is unknown, or a value is not what its key asks for.
    """
    return _make_converter().structure(node, kind)


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a question whether a similar name was meant; empty: none is similar."""
    by_lower = {known.lower(): known for known in names}
    near = get_close_matches(name[:64].lower(), [*by_lower], n=1, cutoff=0.7)
    return f"; did you mean {quoted(by_lower[near[0]])}?" if near else ""


def open_table(node: Node, other: Field | None) -> TableNode:
    """Return the table of a section, where a plain name stands for one without keys.

    Args:
        node: What was written for the section.
        other: The section's field for names; None: a plain name means nothing.

    Raises:
        Misfit: It is neither a table nor a name.
    """
    is_name = other is not None and isinstance(node, ScalarNode) and not is_null(node)
    if is_name and isinstance(node, ScalarNode) and node.text:
        empty = ScalarNode("", None, node.origin)
        return TableNode({node.text: empty}, node.origin)
    return as_table(node)


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=False)
    for kind, hook in (
        (bool, _boolean),
        (int, _integer),
        (str, _text),
        (Secret, lambda node, _kind: Secret(_text(node, str))),
        (Address, _parsed(Address.parse)),
        (BaseURL, _parsed(BaseURL.parse)),
        (FileMode, _parsed(FileMode.parse)),
        (WorkerCount, _parsed(WorkerCount.parse)),
        (TrustedProxies, _proxies),
    ):
        converter.register_structure_hook(kind, hook)
    for predicate, hook in (
        (_is(Seconds), _duration),
        (_is(FileName), _text),
        (_is(WebURL), _text),
        (_is(ListenAddress), _parsed(parse_listen_address)),
        (_is(Headers), _headers),
        (_is(OutgoingHeaders), _headers),
        (_is(Parameters), _parameters),
        (_is_a(re.Pattern), _pattern),
    ):
        converter.register_structure_hook_func(predicate, hook)
    for predicate, make_hook in (
        (is_section, _section_hook),
        (_is_a(Literal), _literal_hook),
        (_is_a(tuple), _tuple_hook),
        (_is_a(Union, types.UnionType), _optional_hook),
    ):
        converter.register_structure_hook_factory(
            predicate, _bound(make_hook, converter)
        )
    return converter


_Hook = Callable[[Any, Any], Any]


def _bound(
    make_hook: Callable[[Any, Converter], _Hook], converter: Converter
) -> Callable[[Any], _Hook]:
    return lambda kind: make_hook(kind, converter)


def _is(exactly: Any) -> Callable[[Any], bool]:
    return lambda kind: bool(kind == exactly)


def _is_a(*origins: Any) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) in origins


def _section_hook(cls: type, converter: Converter) -> _Hook:
    known, other = fields_of(cls), names_of(cls)

    def hook(node: Node, _kind: Any) -> Any:
        table = open_table(node, other)
        values: dict[str, Any] = {}
        names = {}
        for key, entry in table.entries.items():
            if key in known:
                field = known[key]
                with step(key):
                    if not _is_unset(entry, field.kind):
                        values[field.name] = converter.structure(entry, field.kind)
            elif other is None:
                with step(key):
                    problem = f"unknown key{nearest(key, known)}"
                    raise Misfit(entry.origin, problem)
            else:
                names[key] = entry
        if other is not None and other.names is not None:
            values[other.name] = _one(names, known, other.names.noun)
        return _construct(cls, values, table)

    return hook


def _is_unset(entry: Node, kind: Any) -> bool:
    """Say whether an entry leaves its key as it is: a null, or text that is empty."""
    empty = isinstance(entry, ScalarNode) and not entry.text
    return is_null(entry) or (empty and kind not in (bool, int))


def _one(
    names: dict[str, Node], known: Mapping[str, Field], noun: str
) -> dict[str, Any]:
    if len(names) > 1:
        for key, entry in names.items():
            if question := nearest(key, known):
                with step(key):
                    raise Misfit(entry.origin, f"unknown key{question}")
        listed = ", ".join(quoted(key) for key in sorted(names))
        raise Misfit(
            [*names.values()][1].origin, f"only one {noun} is possible, not {listed}"
        )
    found = {}
    for key, entry in names.items():
        with step(key):
            found[key] = _parameters(entry, Parameters)
    return found


def _construct(cls: type, values: dict[str, Any], table: TableNode) -> Any:
    try:
        return cls(**values)
    except Invalid as error:
        keys = {field.name: key for key, field in fields_of(cls).items()}
        key = keys[error.name]
        with step(key):
            origin = table.entries.get(key, table).origin
            raise Misfit(origin, error.problem) from None


def _literal_hook(kind: Any, _converter: Converter) -> _Hook:
    choices = get_args(kind)

    def hook(node: Node, _kind: Any) -> Any:
        if isinstance(node, ScalarNode) and node.text.lower() in choices:
            return node.text.lower()
        raise Misfit(node.origin, f"must be one of {', '.join(choices)}")

    return hook


def _tuple_hook(kind: Any, converter: Converter) -> _Hook:
    item_kind = get_args(kind)[0]

    def hook(node: Node, _kind: Any) -> Any:
        items = []
        for index, item in enumerate(as_list(node).items):
            with step(str(index)):
                items.append(converter.structure(item, item_kind))
        return tuple(items)

    return hook


def _optional_hook(kind: Any, converter: Converter) -> _Hook:
    inner = next(part for part in get_args(kind) if part is not types.NoneType)
    return lambda node, _kind: (
        None if is_null(node) else converter.structure(node, inner)
    )


def _must(node: Node, what: str) -> Misfit:
    return Misfit(node.origin, f"must be {what}, not {kind_of(node)}")


def _boolean(node: Node, _kind: Any) -> bool:
    if isinstance(node, ScalarNode) and isinstance(node.value, bool):
        return node.value
    raise _must(node, "true or false")


def _integer(node: Node, _kind: Any) -> int:
    if isinstance(node, ScalarNode) and type(node.value) is int:
        if abs(node.value) < 1 << 63:
            return node.value
        raise Misfit(node.origin, "is too large a number")
    raise _must(node, "a whole number")


def _text(node: Node, _kind: Any) -> str:
    if isinstance(node, ScalarNode) and not is_null(node):
        return node.text
    raise _must(node, "text")


def _duration(node: Node, _kind: Any) -> float:
    try:
        if isinstance(node, ScalarNode) and type(node.value) is int:
            return from_nanoseconds(node.value)
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            return parse_duration(node.text)
    except ValueError as error:
        raise Misfit(node.origin, str(error)) from None
    raise _must(node, "a duration")


def _parsed(parse: Callable[[str], Any]) -> _Hook:
    def hook(node: Node, _kind: Any) -> Any:
        try:
            return parse(_text(node, str))
        except ValueError as error:
            raise Misfit(node.origin, str(error)) from None

    return hook


def _proxies(node: Node, _kind: Any) -> TrustedProxies:
    if isinstance(node, ScalarNode) and isinstance(node.value, bool):
        return TrustedProxies(everyone=node.value)
    if not isinstance(node, ListNode):
        raise _must(node, "true, false or a list of networks")
    texts = []
    for index, item in enumerate(node.items):
        with step(str(index)):
            texts.append(_text(item, str))
    try:
        return TrustedProxies.parse(texts)
    except ValueError as error:
        raise Misfit(node.origin, str(error)) from None


def _pattern(node: Node, _kind: Any) -> re.Pattern[str]:
    text = _text(node, str)
    try:
        with warnings.catch_warnings():
            # "[[:alpha:]]" and the like would quietly mean something else than in Go.
            warnings.simplefilter("error")
            return re.compile(text)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        problem = f"is no regular expression that can be used: {error}"
        raise Misfit(node.origin, problem) from None


def _headers(node: Node, _kind: Any) -> Headers:
    headers = {}
    for name, entry in as_table(node).entries.items():
        with step(name):
            if _HEADER_NAME.fullmatch(name) is None:
                raise Misfit(entry.origin, "is no name for a header")
            headers[name] = tuple(_header_values(entry))
    return headers


def _header_values(entry: Node) -> list[str]:
    values = []
    for index, item in enumerate(as_list(entry).items):
        with step(str(index)):
            values.append(_text(item, str))
            if _HEADER_VALUE.fullmatch(values[-1]) is None:
                raise Misfit(item.origin, "is no value for a header")
    return values


def _parameters(node: Node, _kind: Any) -> Parameters:
    parameters: Parameters = to_json(as_table(node))
    return parameters
