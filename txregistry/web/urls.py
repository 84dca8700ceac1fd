"""URLs: how the registry is reached from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from txregistry.oci.digest import Digest
from txregistry.oci.events import Activity
from txregistry.oci.forwarded import origin
from txregistry.oci.names import Name

_FORWARDING: Final = ("forwarded", "x-forwarded-proto", "x-forwarded-host")


class Urls:
    """Makes the URLs that answers carry."""

    def __init__(
        self,
        prefix: str,
        host: str | None,
        relative: bool,
        trusts: Callable[[str], bool],
    ) -> None:
        """Prepare.

        Args:
            prefix: What stands before ``v2/``: begins and ends with ``/``.
            host: Scheme and host, ``https://registry.example``; None: as the request
                came.
            relative: Whether URLs are to be paths only.
            trusts: Says of a client's address whether its ``Forwarded`` and
                ``X-Forwarded-*`` headers are believed.
        """
        self._prefix = prefix
        self._host = host
        self._relative = relative
        self._trusts = trusts

    def blob(self, request: Any, name: Name, digest: Digest) -> str:
        """Return where a blob is pulled (end-2)."""
        return self._public(request, f"{name}/blobs/{digest}")

    def manifest(self, request: Any, name: Name, digest: Digest) -> str:
        """Return where a manifest is pulled (end-3)."""
        return self._public(request, f"{name}/manifests/{digest}")

    def content(self, request: Any, activity: Activity) -> str | None:
        """Return where content is pulled that something was done to, in full.

        Returns:
            The URL; None: it is not there any more.
        """
        target = activity.target
        if target is None or activity.action == "delete":
            return None
        kind = "blobs" if activity.is_about_blob else "manifests"
        path = f"{self._prefix}v2/{activity.repository}/{kind}/{target.digest}"
        return self.origin(request) + path

    def push_location(
        self, request: Any, name: Name, session_id: str, state: str
    ) -> str:
        """Return where an upload session goes on (end-5, end-6)."""
        path = f"{name}/blobs/uploads/{session_id}?_state={state}"
        return self._public(request, path)

    def origin(self, request: Any) -> str:
        """Return scheme and host as the client of a request knows them."""
        if self._host is not None:
            return self._host
        scheme, host = self._origin(request)
        return f"{scheme}://{host or 'localhost'}"

    def _public(self, request: Any, path: str) -> str:
        path = f"{self._prefix}v2/{path}"
        if self._host is not None:
            return self._host + path
        if self._relative:
            return path
        scheme, host = self._origin(request)
        return path if host is None else f"{scheme}://{host}{path}"

    def _origin(self, request: Any) -> tuple[str, str | None]:
        scheme: str | None = None
        host: str | None = None
        forwarding = _forwarding(request)
        if forwarding and self._trusts(request.getClientAddress().host):
            scheme, host = origin(forwarding)
        if scheme is None:
            scheme = "https" if request.isSecure() else "http"
        return scheme, host or request.header("host") or None


def _forwarding(request: Any) -> dict[str, str]:
    forwarding = {}
    for name in _FORWARDING:
        values = request.headers(name)
        if values:
            forwarding[name] = ",".join(values)
    return forwarding
