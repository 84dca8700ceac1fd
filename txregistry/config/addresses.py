"""Addresses: where to listen, and what the registry is called from outside."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

_ADDRESS: Final = re.compile(
    r"(?:\[(?P<literal>[^]]*)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})"
)
_MODE: Final = re.compile("(?:0|0o)?[0-7]{3}")
_URL: Final = re.compile("[!-~]+")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


@frozen
class Address:
    """Where to listen for connections.

    Attributes:
        host: A name or an IP address, without brackets; empty: all interfaces.
        port: From 0 to 65535; 0: any free one.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``host:port``, ``:port`` or ``[IPv6]:port``.

        Raises:
            ValueError: It is none of them.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None or int(match["port"]) > 65535:
            raise ValueError('must be an address such as ":5000" or "[::1]:5000"')
        host = match["host"] if match["literal"] is None else _ipv6(match["literal"])
        return cls(host, int(match["port"]))

    def __str__(self) -> str:
        """Return the address as it is read."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@frozen
class SocketPath:
    """Where a Unix socket lies, to listen on for connections.

    Attributes:
        path: The path; has a slash in it.
    """

    path: str

    def __str__(self) -> str:
        """Return the path."""
        return self.path


def parse_listen_address(text: str) -> Address | SocketPath:
    """Read an address, or a path, which is known by a slash.

    Raises:
        ValueError: It is neither.
    """
    return SocketPath(text) if "/" in text else Address.parse(text)


@frozen
class FileMode:
    """Who may use a file, as ``chmod`` has it.

    Attributes:
        bits: The permissions.
    """

    bits: int

    @classmethod
    def parse(cls, text: str) -> FileMode:
        """Read three octal digits, zeros before them or not.

        Raises:
            ValueError: It is something else.
        """
        if _MODE.fullmatch(text) is None:
            raise ValueError('must be three octal digits such as "660"')
        return cls(int(text[-3:], 8))

    def __str__(self) -> str:
        """Return the mode as it is read."""
        return f"{self.bits:04o}"


@frozen
class BaseURL:
    """What the registry's URLs begin with, as clients see it.

    Attributes:
        scheme: ``http`` or ``https``.
        authority: The host, with the port if one was given.
        path: Empty, or beginning with a slash.
    """

    scheme: str
    authority: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> BaseURL:
        """Read an absolute URL without user, query and fragment.

        Raises:
            ValueError: It is none.
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise ValueError(_BAD_URL) from None
        host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
        good = (
            _URL.fullmatch(text) is not None
            and "?" not in text
            and "#" not in text
            and parts.scheme in ("http", "https")
            and _HOST.fullmatch(host) is not None
        )
        if not good:
            raise ValueError(_BAD_URL)
        return cls(parts.scheme, parts.netloc, parts.path)

    def __str__(self) -> str:
        """Return the URL."""
        return f"{self.scheme}://{self.authority}{self.path}"


_BAD_URL: Final = 'must be an absolute URL such as "https://registry.example.com"'


@frozen
class TrustedProxies:
    """Whose word to take for what the client asked for (``X-Forwarded-For`` and so on).

    Attributes:
        everyone: Whether any peer is trusted.
        networks: The networks whose peers are, if not everyone.
    """

    everyone: bool = True
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, networks: list[str]) -> TrustedProxies:
        """Read networks in CIDR form, or single IP addresses.

        Raises:
            ValueError: One of them is neither.
        """
        return cls(False, tuple(_network(text) for text in networks))

    def __contains__(self, peer: str) -> bool:
        """Say whether a peer with this IP address is trusted; any other text is not."""
        if self.everyone:
            return True
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)


def _ipv6(literal: str) -> str:
    try:
        IPv6Address(literal)
    except ValueError:
        raise ValueError("must have an IPv6 address between the brackets") from None
    return literal


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError('must be networks such as "10.0.0.0/8"') from None
