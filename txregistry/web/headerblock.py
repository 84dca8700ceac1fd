"""Header block: what a plain request for content says, read at one go.

This reads only what clients send a million times. Whatever is out of the ordinary is
not read at all, and left to the parser that knows everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import define, field

from txregistry.web.framing import HOST, REQUEST_ID

_HOST: Final = re.compile(HOST.pattern.encode())

# Longer ones are not looked at; those of clients have some 300 to 1,500 bytes, with a
# token some 3,000.
LONGEST: Final = 8192

_FIRST: Final = re.compile(rb"(GET|HEAD) (/[!-~]*) HTTP/1\.1")
_LINE: Final = re.compile(rb"([A-Za-z-]+):[ \t]*([ -~]*)")

# What may be there any number of times, as it is part of what an answer is known by.
_ACCEPT: Final = b"accept"

# What a proxy says of the client, which counts where logins fail.
_FORWARDED_FOR: Final = b"x-forwarded-for"

# What has a part in the answer, or in what is noted of it, or none at all.
_KNOWN: Final = frozenset(
    {
        *(b"host", _ACCEPT, b"authorization", b"user-agent", b"referer"),
        *(b"x-request-id", b"connection", b"accept-encoding", b"accept-language"),
        *(b"cache-control", b"pragma", _FORWARDED_FOR, b"x-forwarded-proto"),
        *(b"x-forwarded-host", b"x-forwarded-port", b"x-real-ip", b"forwarded", b"via"),
    }
)


@define
class Asked:
    """A plain request.

    Attributes:
        key: What its answer depends on, but for who asks.
        authorization: Its ``Authorization``; None: it has none.
        agent: Its ``User-Agent``; None: it has none.
        referer: Its ``Referer``; None: it has none.
        id: Its ``X-Request-Id``; None: it has none.
        forwarded_for: Its ``X-Forwarded-For``; None: it has none.
        said: All that it says but for ``Accept`` and ``Authorization``, by the header's
            name in lower case.
    """

    key: tuple[bytes, ...]
    authorization: str | None = None
    agent: str | None = None
    referer: str | None = None
    id: str | None = None
    forwarded_for: str | None = None
    said: Mapping[str, str] = field(factory=dict)

    @classmethod
    def parse(cls, block: bytes, most: int) -> Asked | None:
        """Read a header block.

        Args:
            block: A request's bytes, all that came.
            most: How many headers there may be.

        Returns:
            The request; None: it is none, not whole, more than one, or says something
            that only the whole parser understands.
        """
        if len(block) > LONGEST or not block.endswith(b"\r\n\r\n"):
            return None
        first, *lines = block[:-4].split(b"\r\n")
        matched = _FIRST.fullmatch(first)
        if matched is None or len(lines) > most:
            return None
        found: dict[bytes, bytes] = {}
        accept = []
        for line in lines:
            field = _LINE.fullmatch(line)
            if field is None:
                return None
            name, value = field[1].lower(), field[2].rstrip(b" \t")
            if name == _ACCEPT:
                accept.append(value)
            elif name in found or name not in _KNOWN:
                return None
            else:
                found[name] = value
        if not _is_plain(found):
            return None
        authorization = found.pop(b"authorization", None)
        said = {name.decode(): value.decode() for name, value in found.items()}
        return cls(
            (matched[1], matched[2], *accept),
            None if authorization is None else authorization.decode(),
            said.get("user-agent"),
            said.get("referer"),
            said.get("x-request-id"),
            said.get("x-forwarded-for"),
            said,
        )


def _is_plain(found: dict[bytes, bytes]) -> bool:
    if _HOST.fullmatch(found.get(b"host", b"")) is None:
        return False
    if found.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return False
    given = found.get(b"x-request-id")
    return given is None or REQUEST_ID.fullmatch(given.decode("ascii")) is not None
