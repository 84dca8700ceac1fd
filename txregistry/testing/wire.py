"""Wire: a registry's site and a client on one, in memory and on a fake clock."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from txregistry.interfaces import IRequestWatcher, ITracer
from txregistry.web.channel import RegistryChannel
from txregistry.web.fastpath import FastPath
from txregistry.web.limits import Limits
from txregistry.web.site import RegistrySite


@frozen
class Answer:
    """An answer as it came over the wire.

    Attributes:
        status: The HTTP status.
        headers: Its headers, names in lower case, values in order.
        body: Its body.
    """

    status: int
    headers: dict[str, list[str]]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header that must be there once."""
        (value,) = self.headers[name.lower()]
        return value


class Wire:
    """One client's connection to a site.

    Attributes:
        clock: The time that the site knows.
        site: The site.
        transport: What the site writes to; ``transport.value()`` is what it wrote.
        channel: The site's end.
    """

    def __init__(
        self,
        resource: IResource,
        limits: Limits | None = None,
        clock: Clock | None = None,
        tracer: ITracer | None = None,
        watchers: Sequence[IRequestWatcher] = (),
        fast: FastPath | None = None,
    ) -> None:
        """Connect a client to the resource.

        Args:
            resource: What the site serves.
            limits: Bounds on the client.
            clock: The time; None: its own.
            tracer: Traces requests; None: they are not traced.
            watchers: Are told of requests.
            fast: A fast path, which other wires may share; None: there is none.
        """
        self.clock = clock or Clock()
        self.site = RegistrySite(
            resource,
            self.clock,
            limits or Limits(),
            "test",
            watchers,
            new_id=lambda: "a request's id",
            tracer=tracer,
        )
        self.site.fast = fast
        self.transport = StringTransport(
            peerAddress=IPv4Address("TCP", "127.0.0.1", 54321)
        )
        self.channel: RegistryChannel = self.site.buildProtocol(None)
        self.channel.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """Send bytes to the site."""
        self.channel.dataReceived(data)

    def hang_up(self) -> None:
        """Close the client's end."""
        self.channel.connectionLost(Failure(ConnectionDone()))

    def request(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a whole request and read the answer.

        Args:
            method: The method.
            target: Path and query, as they go over the wire.
            headers: Headers besides Host and Content-Length.
            body: The body; None: no Content-Length either.
        """
        lines = [f"{method} {target} HTTP/1.1", "Host: registry.test"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))
        return self.answer(has_body=method != "HEAD")

    def answer(self, has_body: bool = True) -> Answer:
        """Read the next answer from what the site wrote.

        Args:
            has_body: Whether its Content-Length is also there as a body.

        Raises:
            AssertionError: There is no whole answer yet.
        """
        written = self.transport.value()
        head, end, rest = written.partition(b"\r\n\r\n")
        if not end:
            raise AssertionError(f"no answer yet, only {written!r}")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        length = int(headers.get("content-length", ["0"])[0]) if has_body else 0
        if len(rest) < length:
            raise AssertionError(f"{length} bytes promised, {len(rest)} there")
        self.transport.clear()
        self.transport.write(rest[length:])
        return Answer(int(first.split(" ")[1]), headers, rest[:length])
