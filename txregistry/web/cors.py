"""CORS: which pages of other sites may read the registry (Fetch standard)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import frozen

_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
_EXPOSED: Final = (
    "Docker-Content-Digest, Docker-Distribution-Api-Version, Docker-Upload-UUID, ETag, "
    "Link, Location, OCI-Filters-Applied, OCI-Subject, OCI-Tag, Range, WWW-Authenticate"
)


@frozen
class Cors:
    """Which origins are let in.

    Attributes:
        origins: As browsers send them, ``https://ui.example``; ``*``: any.
        max_age: For how many seconds a browser may remember a preflight; None: it is
            not told.
    """

    origins: frozenset[str] = frozenset()
    max_age: float | None = None

    def headers(self, origin: str | None) -> Mapping[str, str]:
        """Return what an answer to a page carries; nothing for one not let in."""
        if origin is None or not self.origins & {origin, "*"}:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": _EXPOSED,
            "Vary": "Origin",
        }

    def preflight(self, origin: str | None, asked: str | None) -> Mapping[str, str]:
        """Return what a preflight's answer carries besides.

        Args:
            origin: The page's.
            asked: The ``Access-Control-Request-Headers`` that it wants to send; None,
                or what cannot be names of headers: it does not say.
        """
        if not self.headers(origin):
            return {}
        headers = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": asked if asked and asked.isascii() else "*",
        }
        if self.max_age is not None:
            headers["Access-Control-Max-Age"] = str(int(self.max_age))
        return headers
