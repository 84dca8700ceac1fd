"""Framing: what a request's header must keep to before anything is made of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from txregistry.oci.errors import BadRequest

# Where two of them could mean different things to us and to a proxy in front of us.
_SINGLE: Final = (
    "host",
    "content-length",
    "transfer-encoding",
    "content-type",
    "content-range",
    "range",
    "authorization",
    "expect",
)

# RFC 9110, 5.5: what a field's value cannot hold, and a terminal would act on.
CONTROLS: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

# What stands for the IP address of a client of a Unix socket.
LOCAL: Final = "unix"

# What is taken from a client to be shown in logs and sent on.
REQUEST_ID: Final = re.compile("[A-Za-z0-9._:/+=@-]{1,128}")

HOST: Final = re.compile(
    r"[A-Za-z0-9._~-]{1,253}(?::[0-9]{1,5})?|\[[0-9a-fA-F:.]+\](?::[0-9]{1,5})?"
)


class TLSNotSpoken(BadRequest):
    """A client begins with TLS where none is spoken, as docker does at first."""

    message = "this port does not speak TLS"


class HeadersTooLarge(BadRequest):
    """The header is larger than the registry takes."""

    status, message = 431, "request header is too large"


class TargetTooLong(BadRequest):
    """The request's target is longer than the registry takes."""

    status, message = 414, "request target is too long"


class RequestTimeout(BadRequest):
    """The header did not arrive in time."""

    status, message = 408, "request header did not arrive in time"


class ExpectationFailed(BadRequest):
    """The client expects something else than 100-continue."""

    status, message = 417, "unknown expectation"


def check_header(headers: Mapping[str, Sequence[str]], version: bytes) -> None:
    """Refuse a header that is ambiguous or incomplete (RFC 9112, 3.2 and 6.1).

    Args:
        headers: The request's headers, by names in lower case.
        version: ``HTTP/1.1`` or an older one.

    Raises:
        BadRequest: It is refused.
    """
    doubled = {name for name, values in headers.items() if len(values) > 1}
    if doubled:
        _refuse_doubled(doubled)
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise BadRequest(message="unsupported HTTP version")
    host = headers.get("host")
    if version == b"HTTP/1.1" and not host:
        raise BadRequest(message="no Host header")
    if host and host[0] and HOST.fullmatch(host[0]) is None:
        raise BadRequest(message="malformed Host header")
    encoding = headers.get("transfer-encoding")
    if encoding is not None:
        if version == b"HTTP/1.0":
            raise BadRequest(message="Transfer-Encoding in HTTP/1.0")
        if encoding[0].lower() != "chunked":
            raise BadRequest(message="unsupported Transfer-Encoding")
    expect = headers.get("expect")
    if expect is not None and expect[0].lower() != "100-continue":
        raise ExpectationFailed()


def _refuse_doubled(doubled: Collection[str]) -> None:
    for name in _SINGLE:
        if name in doubled:
            raise BadRequest(message=f"more than one {name.title()}")


def closes(headers: Mapping[str, Sequence[str]]) -> bool:
    """Say whether the client wants the connection closed after the answer."""
    values = headers.get("connection")
    if values is None:
        return False
    options = ",".join(values).split(",")
    return "close" in (option.strip().lower() for option in options)
