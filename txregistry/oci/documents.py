"""Documents: JSON objects from clients or the store, read member by member."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NoReturn, TypeGuard, TypeVar

from attrs import frozen

from txregistry.oci.errors import JSON, ManifestInvalid

_T = TypeVar("_T")

# Go's int64, which descriptors' sizes are in every known client.
_LARGEST_SIZE: Final = 2**63 - 1
_LONGEST_INTEGER: Final = len(str(-_LARGEST_SIZE))
_LONGEST_QUOTE: Final = 128


@frozen
class Document:
    """A JSON object and where it stands.

    JSON's null counts as an absent member, as it does for Go's clients.

    Attributes:
        members: What it holds.
        where: Its place for messages, ``layers[3]``; empty for the outermost.
        strict: Whether a member of a wrong type is an error. If not, it counts as
            absent: a store is read so, since older registries checked less.
    """

    members: Mapping[str, JSON]
    where: str
    strict: bool

    @classmethod
    def of(cls, value: JSON, where: str, *, strict: bool) -> Document:
        """Take a JSON value that must be an object.

        Raises:
            ManifestInvalid: It is none.
        """
        if not isinstance(value, dict):
            raise ManifestInvalid(f"{where or 'manifest'}: not a JSON object")
        return cls(value, where, strict)

    @classmethod
    def load(cls, content: bytes, *, strict: bool) -> Document:
        """Read a text in JSON.

        Of a name that comes twice the later value counts, as for Go's clients.

        Raises:
            ManifestInvalid: It is not UTF-8, not JSON, nested too deeply, or no object.
        """
        # Go reads malformed UTF-8 as U+FFFD, so that the store may hold some.
        errors = "strict" if strict else "replace"
        try:
            value = _DECODER.decode(content.decode("utf-8", errors))
        except RecursionError:
            raise ManifestInvalid("manifest: nested too deeply") from None
        except UnicodeDecodeError:
            raise ManifestInvalid("manifest: not UTF-8") from None
        except ValueError as error:
            raise ManifestInvalid(f"manifest: not JSON: {error}") from None
        return cls.of(value, "", strict=strict)

    def has(self, key: str) -> bool:
        """Tell whether there is such a member, of whatever type."""
        return self.members.get(key) is not None

    def text(self, key: str) -> str:
        """Return a string; absent: an empty one.

        Raises:
            ManifestInvalid: It is something else (strict only).
        """
        value = self.members.get(key)
        if isinstance(value, str):
            return _well_formed(value)
        return "" if value is None else self._wrong(key, "", "not a string")

    def texts(self, key: str) -> tuple[str, ...]:
        """Return an array of strings; absent: an empty one.

        Raises:
            ManifestInvalid: It is something else (strict only).
        """
        value = self.members.get(key)
        if value is None:
            return ()
        if isinstance(value, list) and _are_texts(value):
            return tuple(_well_formed(each) for each in value)
        return self._wrong(key, (), "not an array of strings")

    def text_map(self, key: str) -> dict[str, str]:
        """Return an object whose values are strings; absent: an empty one.

        Raises:
            ManifestInvalid: It is something else (strict only).
        """
        value = self.members.get(key)
        if value is None:
            return {}
        if isinstance(value, dict) and _are_texts(value.values()):
            return {_well_formed(k): _well_formed(v) for k, v in value.items()}
        return self._wrong(key, {}, "not an object of strings")

    def size(self, key: str) -> int:
        """Return a number of bytes; absent: 0.

        Raises:
            ManifestInvalid: It is absent, negative, or no integer (strict only).
        """
        value = self.members.get(key)
        if type(value) is int and 0 <= value <= _LARGEST_SIZE:
            return value
        return self._wrong(key, 0, "not a number of bytes")

    def document(self, key: str) -> Document | None:
        """Return an object; None when it is absent.

        Raises:
            ManifestInvalid: It is something else (strict only).
        """
        value = self.members.get(key)
        if value is None:
            return None
        if isinstance(value, dict):
            return Document(value, self.place(key), self.strict)
        return self._wrong(key, None, "not a JSON object")

    def array(self, key: str) -> Iterator[tuple[str, JSON]]:
        """Return the elements of an array and their places; absent: none.

        Raises:
            ManifestInvalid: It is something else (strict only).
        """
        value = self.members.get(key)
        if value is None:
            value = []
        if not isinstance(value, list):
            value = self._wrong(key, [], "not an array")
        place = self.place(key)
        return ((f"{place}[{i}]", each) for i, each in enumerate(value))

    def place(self, key: str) -> str:
        """Return where a member stands, ``layers[3].digest``."""
        return f"{self.where}.{key}" if self.where else key

    def invalid(self, key: str, problem: str) -> ManifestInvalid:
        """Make the error that says what is wrong with a member."""
        return ManifestInvalid(f"{self.place(key)}: {problem}")

    def _wrong(self, key: str, default: _T, problem: str) -> _T:
        """Refuse a member that is wrong, or return what stands for an absent one."""
        if self.strict:
            raise self.invalid(key, problem)
        return default


def quoted(text: str) -> str:
    """Quote a client's text for a message, cut to a length that a person reads."""
    return repr(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…")


def _are_texts(values: Iterable[JSON]) -> TypeGuard[Iterable[str]]:
    """Tell whether all values are strings."""
    return all(isinstance(value, str) for value in values)


def _well_formed(text: str) -> str:
    """Replace lone surrogates, which an escape can make and no encoding takes.

    Go reads them as U+FFFD.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _integer(text: str) -> float:
    """Read an integer; one that no field can hold is infinity.

    Converting it would take time that grows with its length's square.
    """
    return int(text) if len(text) <= _LONGEST_INTEGER else math.inf


def _refuse_constant(text: str) -> NoReturn:
    """Refuse NaN and the infinities, which JSON does not have (RFC 8259 6)."""
    raise ValueError(f"{text} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse_constant)
