"""Limits: how much, and how slowly, a client may send."""

from __future__ import annotations

from attrs import frozen


@frozen
class Limits:
    """Bounds on one connection.

    Attributes:
        header_size: Bytes of request line and headers together.
        header_count: Headers in one request.
        header_timeout: Seconds for the whole header to arrive.
        idle_timeout: Seconds without a byte moving either way, in a body, in an answer
            or between requests.
    """

    header_size: int = 16384
    header_count: int = 100
    header_timeout: float = 30.0
    idle_timeout: float = 60.0
