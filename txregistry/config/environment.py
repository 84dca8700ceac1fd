"""Environment: variables that change single keys or whole sections of the file.

A variable's name is ``REGISTRY_`` and the path of the key in capitals, joined by
underscores; its value is YAML. They are applied in the order of their names, so that
``REGISTRY_STORAGE`` comes before ``REGISTRY_STORAGE_S3_BUCKET``, and item 2 of a list
before item 10.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from attrs import frozen

from txregistry.config.errors import ConfigError, ConfigWarning, Origin, quoted
from txregistry.config.fields import Field, fields_of, is_section, names_of
from txregistry.config.nodes import (
    ListNode,
    Misfit,
    Node,
    ScalarNode,
    TableNode,
    as_list,
    as_table,
    is_null,
)
from txregistry.config.structuring import nearest, open_table
from txregistry.config.yamltext import read_yaml

PATH_VARIABLE: Final = "REGISTRY_CONFIGURATION_PATH"
_PREFIX: Final = "REGISTRY_"
_VERSION_VARIABLE: Final = "REGISTRY_VERSION"  # nothing to choose: a file has it
_MAX_PARTS: Final = 24
_MAX_INDEX_DIGITS: Final = 6


class _Unknown(Exception):
    """A variable's name leads to no key; the text is a guess at what was meant."""


def override(
    root: TableNode, environ: Mapping[str, str], settings: type
) -> tuple[TableNode, tuple[ConfigWarning, ...]]:
    """Apply the environment to a configuration.

    Args:
        root: The configuration as it was written.
        environ: The environment.
        settings: The settings class that the names are those of.

    Returns:
        The configuration that counts, and a warning for each variable that looks as if
        it were meant for us, but leads to no key.

    Raises:
        ConfigError: A value is not YAML, or an index is wrong.
        Misfit: The file has something else where the variable needs a mapping.
    """
    warnings = []
    names = (name for name in environ if name.startswith(_PREFIX))
    for name in sorted(names, key=_order):
        if name in (PATH_VARIABLE, _VERSION_VARIABLE):
            continue
        variable = _Variable(name, environ[name])
        try:
            changed = variable.place(root, settings, name.split("_")[1:], ())
        except _Unknown as unknown:
            problem = f"leads to no key and is ignored{unknown}"
            warnings.append(ConfigWarning("", problem, Origin(variable=name)))
        else:
            root = as_table(changed)
    return root, tuple(warnings)


@frozen
class _Variable:
    """An environment variable that is being applied."""

    name: str
    value: str

    def place(
        self, node: Node | None, kind: Any, parts: list[str], path: tuple[str, ...]
    ) -> Node:
        """Return a node with this variable's value put where its name leads.

        Args:
            node: What stands there so far; None: nothing.
            kind: The type of setting it is for; Any: whatever was written.
            parts: The rest of the name.
            path: The keys that led here.
        """
        if len(parts) > _MAX_PARTS:
            raise _Unknown("")
        if not parts:
            return self._read(path)
        kind = _plain(kind)
        if is_section(kind):
            return self._place_in_section(node, kind, parts, path)
        container = get_origin(kind)
        if container is tuple or (kind is Any and isinstance(node, ListNode)):
            return self._place_in_list(node, kind, parts, path)
        mapping = isinstance(container, type) and issubclass(container, Mapping)
        if mapping or (kind is Any and (is_null(node) or isinstance(node, TableNode))):
            inner = get_args(kind)[1] if mapping else Any
            return self._place_in_mapping(node, inner, parts, path)
        raise _Unknown("")

    def _place_in_section(
        self, node: Node | None, cls: type, parts: list[str], path: tuple[str, ...]
    ) -> Node:
        other = names_of(cls)
        known = {field.variable: field for field in fields_of(cls).values()}
        field = known.get(parts[0])
        if field is None and other is None:
            raise _Unknown(_guess(parts[0], known))
        table = open_table(node or self._nothing(path), other)
        if field is None:
            return self._place_in_mapping(table, get_args(_kind(other))[1], parts, path)
        below = (*path, field.key)
        inner = self.place(table.entries.get(field.key), field.kind, parts[1:], below)
        return table.with_entry(field.key, inner)

    def _place_in_mapping(
        self, node: Node | None, kind: Any, parts: list[str], path: tuple[str, ...]
    ) -> Node:
        table = as_table(node or self._nothing(path))
        same = (key for key in table.entries if key.lower() == parts[0].lower())
        key = next(same, parts[0].lower())
        inner = self.place(table.entries.get(key), kind, parts[1:], (*path, key))
        return table.with_entry(key, inner)

    def _place_in_list(
        self, node: Node | None, kind: Any, parts: list[str], path: tuple[str, ...]
    ) -> Node:
        sequence = as_list(node or self._nothing(path))
        index = self._index(parts[0], len(sequence.items))
        item = sequence.items[index] if index < len(sequence.items) else None
        inner_kind = Any if kind is Any else get_args(kind)[0]
        inner = self.place(item, inner_kind, parts[1:], (*path, parts[0]))
        return sequence.with_item(index, inner)

    def _index(self, part: str, length: int) -> int:
        if not _is_index(part):
            raise self._error(f"{quoted(part)} must be the number of a list's item")
        if int(part) > length:
            raise self._error(f"there is no item {part}, nor one before it")
        return int(part)

    def _nothing(self, path: tuple[str, ...]) -> Node:
        return ScalarNode("", None, self._origin(path))

    def _read(self, path: tuple[str, ...]) -> Node:
        origin = self._origin(path)
        try:
            node = read_yaml(self.value, origin)
        except Misfit as misfit:
            raise self._error(
                f"{misfit.problem} (is it text that needs quotes?)"
            ) from None
        if node is None and self.value.strip():
            raise self._error("has no value but a comment (text needs quotes)")
        return node or ScalarNode("", None, origin)

    def _origin(self, path: tuple[str, ...]) -> Origin:
        return Origin(variable=self.name, key=".".join(path))

    def _error(self, problem: str) -> ConfigError:
        return ConfigError("", problem, Origin(variable=self.name))


def _guess(part: str, known: Mapping[str, Field]) -> str:
    by_key = [name for name, field in known.items() if field.key.upper() == part]
    if by_key:
        return f"; did you mean {quoted(by_key[0])}?"
    return nearest(part, known)


def _order(name: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if _is_index(part) else (-1, part) for part in name.split("_")
    ]


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) <= _MAX_INDEX_DIGITS


def _kind(field: Field | None) -> Any:
    return Any if field is None else field.kind


def _plain(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        return get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        return next(part for part in get_args(kind) if part is not NoneType)
    return kind
