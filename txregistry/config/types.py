"""Types of settings that more than one section uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from txregistry.config.addresses import Address, SocketPath
from txregistry.config.masking import MASK

Seconds: TypeAlias = Annotated[float, "seconds"]
"""A length of time; written as a duration."""

Parameters: TypeAlias = Annotated[Mapping[str, Any], "parameters"]
"""JSON values by name, whose meaning only the part that they are for knows."""

Headers: TypeAlias = Annotated[Mapping[str, tuple[str, ...]], "headers"]
"""Values by header name, as written; both fit for a header."""

OutgoingHeaders: TypeAlias = Annotated[Mapping[str, tuple[str, ...]], "outgoing"]
"""Headers that the registry itself shows to others: their values are secrets."""

WebURL: TypeAlias = Annotated[str, "URL"]
"""A URL that the registry itself goes to: the values in its query are secrets."""

ListenAddress: TypeAlias = Annotated[Address | SocketPath, "address"]
"""Where to listen: host and port, or a path."""

FileName: TypeAlias = Annotated[str, "file"]
"""A file's path: no secret, also where the file holds one."""

LogLevel: TypeAlias = Literal["error", "warn", "info", "debug"]


class Secret(str):
    """Text that must not be shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return no more than that there is one."""
        return repr(MASK) if self else "''"
