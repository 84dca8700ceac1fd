"""Request: one request of a client, run as soon as its headers are complete.

Twisted's own does much that is of no use here, for each request: two objects for
headers, a home for adapters, names that are spelled anew. This one has what its
connection, the routes and those who watch know of a request, and no more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from attrs import frozen
from cryptography import x509
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConsumer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES, OK, parse_qs
from zope.interface import implementer

from txregistry.current import request_id
from txregistry.interfaces import Identity, IRequestSpan, Tell, tell_nobody
from txregistry.oci.access import Access
from txregistry.oci.digest import Digest
from txregistry.oci.errors import BadRequest
from txregistry.oci.events import Activity
from txregistry.web.answerhead import AnswerHead
from txregistry.web.answers import send_failure
from txregistry.web.body import RequestBody
from txregistry.web.exchanges import CLIENT_LEFT, exchange_of
from txregistry.web.framing import LOCAL, REQUEST_ID
from txregistry.web.gate import Anybody, Caller
from txregistry.web.head import RequestHeaders
from txregistry.web.headerblock import Asked
from txregistry.web.kept import Lasting

_log = Logger()

# One that is decoded as it stands.
_PLAIN_PATH: Final = re.compile(rb"/(?!/)[!-$&-~]*")


@implementer(IAddress)
@frozen
class LocalAddress:
    """Where a client of a Unix socket is: on this machine.

    Attributes:
        host: What stands where others have an IP address.
    """

    host: str = LOCAL


@implementer(IConsumer)
class RegistryRequest:
    """A request, which takes its answer's body.

    Attributes:
        channel: Its connection; None: it is answered, or the connection is gone.
        requestHeaders: Its headers.
        method: The HTTP method.
        uri: Its target.
        clientproto: Such as ``HTTP/1.1``.
        path: The target without the query.
        head: The answer's headers.
        code: The answer's status.
        startedWriting: Whether the answer has begun.
        finished: Whether it is complete.
        sentLength: How many bytes of its body were written.
        body: Its body, which routes may start.
        expects_continue: Whether the client waits for ``100 Continue`` and has not
            got it.
        text_path: The path, percent-decoded.
        caller: What it may do, once the gate has let it in.
        identity: Who sent it; None: nobody has asked.
        tell: What hears of all that it does.
        began: When its header was complete, in seconds since the epoch; None: it never
            was.
        route: The name of the endpoint that it is for; empty: none.
        template: The endpoint's path with names for its parts; empty: there is none.
        parts: The parts of the path that the endpoint names.
        span: It, as a trace shows it; None: it is not traced.
        accesses: What its sender must be allowed to do; None: nothing.
        asked: What it says, if that is plain enough for its answer to be given again;
            None: it is not.
        lasting: What there is to its answer, if that can be given again.
        running: What answers it, which ends when the client leaves; None: nothing does
            that takes time.
    """

    head: AnswerHead
    body: RequestBody = None  # type: ignore[assignment]  # until the headers are in
    channel: Any
    site: Any
    method = clientproto = uri = b"-"
    path = b""
    code = OK
    startedWriting = False  # noqa: N815 - Twisted's name, as are some below
    finished = False
    sentLength = 0  # noqa: N815
    expects_continue = False
    text_path = ""
    caller: Caller = Anybody()
    identity: Identity | None = None
    tell: Tell = staticmethod(tell_nobody)
    began: float | None = None
    route = ""
    template = ""
    parts: Mapping[str, str] = MappingProxyType({})
    span: IRequestSpan | None = None
    accesses: Sequence[Access] | None = None
    asked: Asked | None = None
    lasting: Lasting | None = None
    running: Deferred[Any] | None = None

    _id: str | None = None
    _args: dict[bytes, list[bytes]] | None = None
    _client: Any = None
    _secure = False
    _dispatched = False
    _disconnected = False
    _silenced = False
    _is_bodiless = False
    _file_bytes_before: int | None = None

    def __init__(
        self,
        channel: Any,
        queued: object = False,
        headers: RequestHeaders | None = None,
    ) -> None:
        """Take its connection, and its headers; None: they are yet to be read."""
        self.channel = channel
        self.requestHeaders = RequestHeaders() if headers is None else headers
        self._pieces: list[bytes] = []

    @property
    def id(self) -> str:
        """What the client or a proxy calls it (``X-Request-Id``), or a UUID."""
        if self._id is None:
            given = self.header("x-request-id")
            if given is None or REQUEST_ID.fullmatch(given) is None:
                given = str(self.channel.site.new_id())
            self._id = given
        return self._id

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body; ``deliver_body`` hands on what came together."""
        self._pieces.append(data)

    def deliver_body(self) -> None:
        """Hand on the body's bytes, however small the pieces that they came in."""
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            self.body.data_received(b"".join(pieces))

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Run the request; called again when its body is complete."""
        if self._dispatched:
            self.body.ended()
            return
        self._dispatched = True
        self.method, self.uri, self.clientproto = command, path, version
        self.path = path.partition(b"?")[0]
        self.process()

    def process(self) -> None:
        """Hand the request to the routes."""
        self.site = self.channel.site
        self.began = self.site.seconds()
        self.head = self.site.answer_head(self.id)
        # Routes are coroutines, which keep it; what else the reactor does must not.
        token = request_id.set(self.id)
        try:
            self._run()
        finally:
            request_id.reset(token)

    def _run(self) -> None:
        try:
            # Asked about all of the server (RFC 9112, 3.2.4), we speak of its root.
            asterisk = (self.method, self.path) == (b"OPTIONS", b"*")
            self.text_path = "/" if asterisk else _decode(self.path)
            self.site.resource.render(self)
        except Exception:
            self.fail(Failure())

    def fail(self, failure: Failure) -> None:
        """Answer that something went wrong which nobody foresaw."""
        if self.finished:
            text = "{method} {path} failed after its answer"
            method = self.method.decode("latin-1")
            trace_id = None if self.span is None else self.span.trace_id
            _log.failure(
                text, failure, method=method, path=self.text_path, trace_id=trace_id
            )
        else:
            send_failure(self, failure)
            self.finish()

    def getClientAddress(self) -> Any:
        """Return the address of the client, which has a ``host``."""
        return self._client if self.channel is None else self.channel.client_address

    def isSecure(self) -> bool:
        """Say whether the connection is encrypted."""
        return bool(self._secure if self.channel is None else self.channel.is_secure)

    def _part(self) -> Any:
        """Give up the connection, and return it; work that goes on may be told of."""
        channel, self.channel = self.channel, None
        self._client, self._secure = channel.client_address, channel.is_secure
        return channel

    def client_certificate(self) -> x509.Certificate | None:
        """Return the client's certificate; see RegistryChannel."""
        certificate: x509.Certificate | None = self.channel.client_certificate()
        return certificate

    @property
    def args(self) -> dict[bytes, list[bytes]]:
        """The query's parameters."""
        if self._args is None:
            query = self.uri.partition(b"?")[2]
            self._args = parse_qs(query, 1) if query else {}
        return self._args

    def parameter(self, name: str) -> str | None:
        """Return a query parameter's first value; None: it is not there.

        Raises:
            BadRequest: It is not UTF-8.
        """
        values = self.parameters(name)
        return values[0] if values else None

    def parameters(self, name: str) -> list[str]:
        """Return all values of a query parameter.

        Raises:
            BadRequest: One is not UTF-8.
        """
        values = self.args.get(name.encode("ascii"))
        if values is None:
            return []
        try:
            return [value.decode("utf-8") for value in values]
        except UnicodeDecodeError:
            raise BadRequest(message=f"query parameter {name} is not UTF-8") from None

    def header(self, name: str) -> str | None:
        """Return a header's value; None: it is not there.

        Args:
            name: The header's name in lower case.
        """
        values = self.requestHeaders.get(name)
        return values[0] if values else None

    def headers(self, name: str) -> list[str]:
        """Return all values of a header, one a line; see ``header``."""
        return self.requestHeaders.get(name, [])

    def may_last(
        self,
        holds: Callable[[], bool] | None,
        content: bytes,
        activity: Activity | None = None,
        digest: Digest | None = None,
    ) -> None:
        """Note that the answer would be the same again; see ``fastpath.Lasting``.

        Args:
            holds: Says whether it would; None: nobody can say that quickly.
            content: The answer's body.
            activity: What was done; None: nothing that anybody is told of.
            digest: The body's, which it is checked to have; None: it has none.
        """
        if self.asked is not None and holds is not None:
            self.lasting = Lasting(holds, content, activity, digest)

    def write(self, data: bytes) -> None:
        """Write a part of the answer; with the first one goes the head."""
        if self._silenced or self._disconnected:
            return
        head = b"" if self.startedWriting else self._begin()
        if self._is_bodiless:
            data = b""
        self.sentLength += len(data)
        if head or data:
            self.channel.write(head + data)

    def _begin(self) -> bytes:
        """Begin the answer; return its head."""
        version, head = self.clientproto.decode("latin-1"), self.head
        self._is_bodiless = self.method == b"HEAD" or self.code in NO_BODY_CODES
        if not self._is_bodiless and "content-length" not in head.lines:
            # Ours all say how long they are; else the connection's end is theirs.
            self.channel.persistent = False
        if not self.channel.keep_for_next(self):
            head.set("Connection", "close")
        rendered = head.render(version, self.code)
        self.startedWriting = True
        return rendered

    @property
    def can_send_files(self) -> bool:
        """Whether the connection takes files as they are.

        Its class is asked, because Twisted's wrappers pass on what they lack to what
        they wrap: TLS over another transport would let files through unencrypted.
        """
        return hasattr(type(self.channel.transport), "send_file")

    async def send_file(self, source: Any) -> None:
        """Write the answer's body, or its only part, from a file.

        Args:
            source: Provides IFileRange; it is stopped in the end.
        """
        self._file_bytes_before = self.channel.transport.file_bytes
        try:
            if not self._silenced and not self._disconnected:
                # The file follows, and has the kernel send both.
                self.channel.writeSequence([self._begin()])
                await self.channel.send_file(
                    source.descriptor, source.offset, source.length
                )
        finally:
            self._count_file()
            source.stopProducing()

    def _count_file(self) -> None:
        """Count what was sent of a file, once."""
        before, self._file_bytes_before = self._file_bytes_before, None
        if before is not None:
            self.sentLength += self.channel.transport.file_bytes - before

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See IConsumer."""
        self.channel.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """See IConsumer. A client that went away has taken the connection along."""
        if self.channel is not None:
            self.channel.unregisterProducer()

    @property
    def gone(self) -> bool:
        """Whether the client has left, so that nobody hears an answer."""
        return self._disconnected

    def cut(self) -> None:
        """End the connection, so that nobody takes half an answer for a whole one."""
        if not self._silenced and not self._disconnected:
            self._silenced = True
            self.channel.transport.abortConnection()

    def refused(self, line: Sequence[bytes], status: int, size: int) -> None:
        """Note that the connection has answered in place of the request.

        Args:
            line: Method, target and version, as far as they are known.
            status: The HTTP status.
            size: The answer's body in bytes.
        """
        self.method, self.uri, self.clientproto = line
        self.code, self.sentLength = status, size
        self.channel.site.log(self)

    def connectionLost(self, reason: Failure) -> None:
        """Note that the client has left (called by the connection).

        What was not answered to its end goes to the log, too.
        """
        self._count_file()
        if self._dispatched and not self.finished:
            if not (self._silenced and self.startedWriting):
                self.code = CLIENT_LEFT
            self.channel.site.log(self)
        self._disconnected = True
        if self.channel is not None:
            self._part()
        if self.running is not None:
            self.running.cancel()

    def silence(self) -> None:
        """Write nothing more: the connection has answered for the request."""
        self._silenced = True

    def finish(self) -> None:
        """End the answer, unless there is nobody to hear it."""
        if self._silenced or self._disconnected or self.finished:
            return
        if not self.startedWriting:
            self.write(b"")
        if self.lasting is not None and self.code == OK and self.channel.persistent:
            self._teach(self.lasting)
        self.channel.site.log(self)
        self.finished = True
        self._part().requestDone(self)

    def _teach(self, lasting: Lasting) -> None:
        fast = self.channel.site.fast
        if self.asked is not None and fast is not None:
            exchange = exchange_of(self)
            lines = self.head.lines
            fast.kept.learn(self.asked, lasting, self.accesses, exchange, lines)


def _decode(path: bytes) -> str:
    """Decode a request's path.

    Raises:
        BadRequest: It is not one: no leading ``/``, or two, which the router would take
            for one; not UTF-8; control characters.
    """
    if _PLAIN_PATH.fullmatch(path):
        return path.decode("ascii")
    # absolute-form, RFC 9112, 3.2.2
    if path[:8].lower().startswith((b"http://", b"https://")):
        path = b"/" + path.split(b"://", 1)[1].partition(b"/")[2]
    try:
        text = unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(message="path is not UTF-8") from None
    rooted = text.startswith("/") and not text.startswith("//")
    if not rooted or any(c < " " or c == "\x7f" for c in text):
        raise BadRequest(message="malformed path")
    return text
