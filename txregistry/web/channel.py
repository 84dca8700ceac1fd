"""Channel: one HTTP/1.1 connection, strict about what it takes.

Twisted's channel runs a request when its whole body has arrived. This one runs it when
its headers have: a request is refused before its body is read, and a body streams.
The order is then: headers, dispatch, body and answer in any order, next request when
both are complete. An answer given before the body's end keeps the connection only when
little of the body is left.
"""

from __future__ import annotations

import fcntl
import struct
import termios
from collections.abc import Callable
from math import inf
from typing import Any, Final

from cryptography import x509
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.oci.errors import BadRequest, RegistryError
from txregistry.streams import IThreadSink
from txregistry.web.answers import log_refusal, raw_answer
from txregistry.web.body import RequestBody
from txregistry.web.chunks import ChunkFraming
from txregistry.web.deadlines import Deadlines
from txregistry.web.decoding import BodyDecoder, LengthFraming, MalformedBody
from txregistry.web.fastpath import LONG, UNREAD
from txregistry.web.framing import (
    CONTROLS,
    HeadersTooLarge,
    RequestTimeout,
    TargetTooLong,
    TLSNotSpoken,
    check_header,
    closes,
)
from txregistry.web.head import Head
from txregistry.web.headerblock import Asked
from txregistry.web.held import HeldRequest
from txregistry.web.lean_channel import LeanChannel
from txregistry.web.limits import Limits
from txregistry.web.request import LocalAddress
from txregistry.web.tls_connection import Identified
from txregistry.web.transfer import Transfer

# How much of a body that nobody wants is read so that the connection can be kept.
DRAINABLE: Final = 64 * 1024

# How much of the next requests is read while one runs: a sign that the client is there.
READ_AHEAD: Final = 16 * 1024

# After an answer that ends the connection, unread bytes would make the kernel reset it
# and the client lose the answer: so for a while they are read and dropped.
LINGER_SECONDS: Final = 5.0
LINGER_BYTES: Final = 64 * 1024 * 1024

# How much waits to go out, where nobody has looked (bytes): more than can.
UNKNOWN: Final = 1 << 62

HTTP: Final = b"HTTP/1.1"

# How a request begins that a fast path may have an answer to.
FAST: Final = (b"GET ", b"HEAD ")

# The first byte of a TLS client's first record (RFC 8446, 5.1): no method begins so.
TLS_HANDSHAKE: Final = b"\x16"


@implementer(IHalfCloseableProtocol)
class RegistryChannel(LeanChannel):
    """One connection of a client."""

    __slots__ = (  # see ``LeanChannel``
        "_address",
        "_answered",
        "_asked",
        "_busy_at",
        "_client_address",
        "_deadline",
        "_due",
        "_gone",
        "_heard_all",
        "_held",
        "_limits",
        "_linger",
        "_lingered",
        "_refused",
        "_secure",
        "_stall",
        "_unsent_before",
        "born",
    )

    transport: Any
    site: Any
    born: int  # in which round; see ``fastpath.Client``
    requestFactory: Any  # noqa: N815 - Twisted's

    def __init__(
        self, clock: IReactorTime, limits: Limits, deadlines: Deadlines
    ) -> None:
        """Take where time is from, the limits, and what tells when time is up."""
        super().__init__(clock, deadlines)
        self._limits = limits
        self.totalHeadersSize = limits.header_size
        self.MAX_LENGTH = limits.header_size
        self.maxHeaders = limits.header_count
        self.timeOut = limits.idle_timeout
        self.born = 0
        self._due = False
        self._refused = False
        self._gone = False
        self._answered: Any = None
        self._deadline: IDelayedCall | None = None
        self._stall: IDelayedCall | None = None
        self._linger: IDelayedCall | None = None
        self._lingered = 0
        self._held = False
        self._heard_all = False
        self._unsent_before = 0
        self._asked: Asked | None = None
        self._address: str | None = None
        self._client_address: Any = None
        self._secure: bool | None = None
        self._busy_at = -inf  # when a fast answer was given, if ever

    def callLater(
        self, delay: float, call: Callable[..., object], *arguments: object
    ) -> IDelayedCall:
        """See IReactorTime."""
        return self._clock.callLater(delay, call, *arguments)

    # Headers

    def dataReceived(self, data: bytes) -> None:
        """See IProtocol."""
        if self._linger is not None:
            self._lingered += len(data)
            if self._lingered > LINGER_BYTES:
                self._end_lingering()
            return
        fresh = bool(self.line_mode) and not self.requests and not self._buffer
        if fresh and data.startswith(TLS_HANDSHAKE):
            # docker, podman and skopeo try TLS first, and wait for the answer
            self._refuse(TLSNotSpoken())
            return
        is_ready = fresh and self._is_ready()
        if is_ready and data.startswith(FAST) and self._answer_fast(data):
            return
        self._read(data, at_one_go=is_ready)

    def _read(self, data: bytes, at_one_go: bool = False) -> None:
        """Take bytes the usual way: a plain header at one go, if it may be."""
        head = Head.read(data, self._limits) if at_one_go else None
        if head is not None:
            self._take(head, data)
            if not self._buffer or self.transport.disconnecting:
                return
            data = b""
        super().dataReceived(data)
        if self.line_mode and (self.requests or self._buffer):
            self._expect_header()

    def _is_ready(self) -> bool:
        """Say whether a request that comes now has the connection for itself."""
        return not (
            self._handlingRequest
            or self._busyReceiving
            or self._waitingForTransport
            or self._refused
            or self._deadline is not None
            or not self.persistent
            or self.transport.disconnecting
        )

    def _answer_fast(self, data: bytes) -> bool:
        """Answer as before what was asked before, if that can be done."""
        fast = self.site.fast
        if fast is None or self.client_certificate() is not None:
            return False
        asked = fast.ask(self, data, self._address or self._find_address())
        self._asked = asked if asked is not UNREAD else None
        return asked is None

    def _take(self, head: Head, data: bytes) -> None:
        """Take a request's header, and its body if that has come along.

        This does at one go what Twisted's ``lineReceived`` does line by line. What came
        behind it is in the buffer then.
        """
        request = self.requestFactory(self, headers=head.headers)
        self.requests.append(request)
        self._command, self._path, self._version = head.method, head.target, HTTP
        self.length = head.length
        end = head.size + head.length
        whole = len(data) >= end
        self._buffer = data[end if whole else head.size :]
        self._busyReceiving = True
        try:
            self.persistent = not self.site.draining
            if whole:
                self._open_body(request)
                if head.length:
                    request.body.arrived(data[head.size : end])
                super().allContentReceived()  # there is no more to it
            else:
                self._prepare(request)
                self.setRawMode()
                self._run_due()
        finally:
            self._busyReceiving = False

    def client_certificate(self) -> x509.Certificate | None:
        """Return the client's certificate; None: it showed none that holds.

        One that TLS took unseen, as ``request-client-cert`` and
        ``require-any-client-cert`` have it, is not returned.
        """
        certificate_of = getattr(self.transport, "client_certificate", None)
        return None if certificate_of is None else certificate_of()

    def isSecure(self) -> bool:
        """See HTTPChannel."""
        if self._secure is None:
            self._secure = bool(super().isSecure())
        return self._secure

    @property
    def is_secure(self) -> bool:
        """Whether it is encrypted."""
        return self.isSecure()

    @property
    def client_address(self) -> Any:
        """Where the client is, as its requests say; it has a ``host``."""
        if self._client_address is None:
            self._client_address = self._find_client()
        return self._client_address

    def _find_address(self) -> str:
        """Return the client's IP address, and remember that only."""
        self._address = str(self._find_client().host)
        return self._address

    def _find_client(self) -> Any:
        address = self.getPeer()
        return address if hasattr(address, "host") else LocalAddress()

    def answered_fast(self, size: int, now: float) -> None:
        """See ``fastpath.Client``."""
        self._busy_at = now
        if size > LONG:
            self._unsent_before = _unsent(self.transport)

    def hold(self, request: HeldRequest) -> None:
        """See ``fastpath.Client``."""
        self.requests.append(request)
        self._handlingRequest = True
        self.setRawMode()

    def go_on(self, request: HeldRequest) -> None:
        """See ``fastpath.Client``."""
        waits = self._dataBuffer or self._waitingForTransport or self._heard_all
        if waits or not self.persistent:
            self.requestDone(request)
        else:  # the same, at a fifth of what it costs
            self.requests.remove(request)
            self._handlingRequest = False
            self.setLineMode()

    def run_held(self, request: HeldRequest) -> None:
        """See ``fastpath.Client``."""
        self.requests.remove(request)
        self._handlingRequest = False
        waiting, self._dataBuffer = [request.came, *self._dataBuffer], []
        self.setLineMode()
        self._read(b"".join(waiting))

    def lineReceived(self, line: bytes) -> None:
        """Take a line of the header."""
        if self._refused:
            return
        if line[:1] in (b" ", b"\t") and self.requests:
            # obs-fold: a way to smuggle (RFC 9112, 5.2)
            self._refuse(BadRequest(message="folded header line"))
            return
        super().lineReceived(line)
        self._run_due()

    def _run_due(self) -> None:
        """Run a request whose body is yet to come."""
        if self._due and not self._refused:
            self._due = False
            request = self.requests[-1]
            self._handlingRequest = True
            self.setTimeout(None)  # until the body is wanted: now it is we who work
            request.requestReceived(self._command, self._path, self._version)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that does not end."""
        self._refuse(HeadersTooLarge() if self.requests else TargetTooLong())

    def headerReceived(self, line: bytes) -> bool:
        """Take a header, joined and without its line's end."""
        if self._refused:
            return False
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and len(value.strip()) > 18:
            # int() of thousands of digits raises, and no blob is an exabyte
            self._refuse(BadRequest(message="Content-Length is out of all measure"))
            return False
        if CONTROLS.search(line):
            self._refuse(BadRequest(message="control character in a header"))
            return False
        return bool(super().headerReceived(line))

    def allHeadersReceived(self) -> None:
        """Check the header; the request runs when its last line has been dealt with."""
        if self._refused:
            return
        self._cancel_deadline()
        request = self.requests[-1]
        try:
            check_header(request.requestHeaders, self._version)
        except RegistryError as error:
            self._refuse(error)
            return
        self.persistent = self.checkPersistence(request, self._version)
        request.expects_continue = (
            self._version == b"HTTP/1.1"  # RFC 9110, 10.1.1: older ones know no 100
            and self.length != 0
            and "expect" in request.requestHeaders
        )
        self._prepare(request)

    def _prepare(self, request: Any) -> None:
        """Prepare for a request whose header is good, and for its body."""
        self._open_body(request)
        self._due = self.length != 0
        if self._due:
            length = self.length
            self._transferDecoder = BodyDecoder(
                ChunkFraming() if length is None else LengthFraming(length),
                request.handleContentChunk,
                self._finishRequestBody,
            )

    def _open_body(self, request: Any) -> None:
        request.asked, self._asked = self._asked, None
        request.body = RequestBody(self.length, self, self._body_wanted)

    def checkPersistence(  # noqa: N802 - Twisted's
        self, request: Any, version: bytes
    ) -> bool:
        """Say whether another request may follow on the connection."""
        if version == b"HTTP/1.1" and not closes(request.requestHeaders):
            return not self.site.draining
        return False

    def _expect_header(self) -> None:
        over = self._refused or self._gone or self.transport.disconnecting
        if self._deadline is None and not over:
            self._deadline = self.callLater(
                self._limits.header_timeout, self._headers_late
            )

    def _headers_late(self) -> None:
        self._deadline = None
        if self.requests:
            self._refuse(RequestTimeout())
        else:
            self.transport.abortConnection()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # Body

    def rawDataReceived(self, data: bytes) -> None:
        """Take bytes behind the header: of the body, or of the next request."""
        if self._refused or self._linger is not None:
            return
        if self._transferDecoder is None:
            self._dataBuffer.append(data)  # of the next request
            if sum(map(len, self._dataBuffer)) > READ_AHEAD:
                self._networkProducer.pauseProducing()
            return
        request = self.requests[0]
        try:
            self._transferDecoder.dataReceived(data)
        except MalformedBody:
            request.deliver_body()
            if self._linger is None:
                self._body_malformed()
        else:
            request.deliver_body()

    def allContentReceived(self) -> None:
        """Note that the body is complete."""
        if self._refused:
            return
        self.requests[-1].deliver_body()
        if self._linger is not None:
            return  # its last bytes were refused, and the connection ends
        self._networkProducer.resumeProducing()  # to notice when the client goes away
        super().allContentReceived()
        if self._answered is not None:
            answered, self._answered = self._answered, None
            self.requestDone(answered)

    def pause_body(self) -> None:
        """See Flow."""
        if self._gone:
            return
        self.setTimeout(None)
        self._networkProducer.pauseProducing()

    def resume_body(self) -> None:
        """See Flow."""
        if self._gone:
            return
        if self._transferDecoder is not None:
            self.setTimeout(self._limits.idle_timeout)
        self._networkProducer.resumeProducing()

    def take_in(self, sink: IThreadSink) -> tuple[Transfer, Deferred[None]] | None:
        """See Flow."""
        intake, decoder = self.site.intake, self._transferDecoder
        # What has been read already and not been looked at yet comes first.
        if intake is None or decoder is None or self._buffer or self._gone:
            return None
        framing = decoder.framing
        if framing.complete or framing.malformed:
            return None
        patience = self._limits.idle_timeout
        begun: tuple[Transfer, Deferred[None]] | None
        begun = intake.begin(self.transport, framing, sink, patience)
        if begun is not None:
            self.pause_body()
        return begun

    def taken_in(self, transfer: Transfer) -> None:
        """See Flow."""
        if self._gone or self._refused or self._linger is not None:
            return
        assert self._transferDecoder is not None
        framing = self._transferDecoder.framing
        if framing.malformed:
            self._body_malformed()
        elif framing.complete:
            self._finishRequestBody(transfer.rest)
        elif transfer.lost:
            self.transport.abortConnection()
        else:
            self.resume_body()

    def _body_wanted(self) -> None:
        request = self.requests[0]
        if request.expects_continue and not request.startedWriting:
            request.expects_continue = False
            self._send100Continue()

    def _body_malformed(self) -> None:
        request = self.requests[0]
        request.silence()
        if request.startedWriting:
            self.transport.abortConnection()
        else:
            self._refuse(BadRequest(message="malformed chunked body"))
        request.body.lost("malformed chunked body")

    # Answer

    def keep_for_next(self, request: Any) -> bool:
        """Say, as an answer begins, whether the connection stays open after it."""
        if self.persistent and not request.body.complete:
            length = request.body.length
            left = length - request.body.received if isinstance(length, int) else None
            if request.expects_continue or left is None or left > DRAINABLE:
                self.persistent = False
        return bool(self.persistent)

    async def send_file(self, descriptor: int, offset: int, length: int) -> None:
        """Send a range of a file; see ``txregistry.web.transport``.

        A client that takes nothing of it for the idle timeout is cut off.
        """
        self._watch_answer()
        try:
            await self.transport.send_file(descriptor, offset, length)
        finally:
            self._unwatch_answer()

    def requestDone(self, request: Any) -> None:
        """Go on to the next request, once this one's body is complete too."""
        if request.body.complete:
            self.requests.remove(request)
            if not self.persistent:
                self.loseConnection()
            elif self._waitingForTransport:
                # The client reads no answers: with each request they would pile up.
                self._held = True
                self._networkProducer.pauseProducing()
            else:
                # How much waits behind a short one is not worth a system call.
                is_long = request.sentLength > LONG
                self._unsent_before = _unsent(self.transport) if is_long else UNKNOWN
                self._go_on()
        elif self.persistent:
            self._answered = request
            request.body.discard()
        else:
            self.requests.remove(request)
            self._begin_lingering()

    def _go_on(self) -> None:
        self._held = False
        self._handlingRequest = False
        self._networkProducer.resumeProducing()
        self.setTimeout(self._limits.idle_timeout)
        waiting, self._dataBuffer = self._dataBuffer, []
        self.setLineMode(b"".join(waiting))
        if self._heard_all and not self._handlingRequest and not self._busyReceiving:
            self.loseConnection()

    def timeoutConnection(self) -> None:
        """End a connection on which nothing moves.

        The end of an answer that looks sent may be on its way for long: it waits in the
        kernel's buffer until the client takes it.
        """
        idle = self._clock.seconds() - self._busy_at
        if self.requests and isinstance(self.requests[0], HeldRequest):
            self.setTimeout(self._limits.idle_timeout)  # it is we who work
            return
        if idle < self._limits.idle_timeout and not self.requests:
            # Fast answers do not put the timeout off, which would cost a tenth of them.
            self.setTimeout(self._limits.idle_timeout - idle)
            return
        before, self._unsent_before = self._unsent_before, _unsent(self.transport)
        if 0 < self._unsent_before < before:
            self.setTimeout(self._limits.idle_timeout)
        elif self.requests or self._unsent_before:
            self.transport.abortConnection()
        else:
            self.loseConnection()

    def loseConnection(self) -> None:
        """See ITransport. A client that does not read what is left is cut off."""
        self._cancel_deadline()
        self.setTimeout(None)
        super().loseConnection()
        self._watch_answer()

    def pauseProducing(self) -> None:
        """See IPushProducer: the client does not read as fast as it is sent to."""
        super().pauseProducing()
        self._watch_answer()

    def resumeProducing(self) -> None:
        """See IPushProducer."""
        self._unwatch_answer()
        super().resumeProducing()
        if self._held and not self._waitingForTransport:
            self._unsent_before = _unsent(self.transport)
            self._go_on()

    def _watch_answer(self) -> None:
        if self._stall is None and not self._gone:
            self._stall = self.callLater(
                self._limits.idle_timeout, self._check_answer, _unsent(self.transport)
            )

    def _unwatch_answer(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _check_answer(self, before: int) -> None:
        self._stall = None
        if _unsent(self.transport) == before:
            self.transport.abortConnection()
        else:
            self._watch_answer()

    # The end

    def drain(self) -> None:
        """Take no further request; close now, or when the running one is answered."""
        self.persistent = False
        if not self.requests:
            self.loseConnection()

    def readConnectionLost(self) -> None:
        """See IHalfCloseableProtocol: the client sends no more, but may listen yet.

        Whether it does is seen when it is written to; that a body stays without its end
        is certain.
        """
        self._heard_all = True
        if self._linger is not None:
            self._end_lingering()
        elif not self._handlingRequest or any(each.finished for each in self.requests):
            self.loseConnection()
        elif any(not each.body.complete for each in self.requests):
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        """See IHalfCloseableProtocol: we have said all."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See IProtocol."""
        self._cancel_deadline()
        self._forget_deadline()
        for call in (self._stall, self._linger):
            if call is not None:
                call.cancel()
        self._stall = self._linger = None
        self._gone = True
        super().connectionLost(reason)
        for request in self.requests:
            if request.body is not None:
                request.body.lost("the client went away")
        self.site.closed(self)

    def _refuse(self, error: RegistryError) -> None:
        if self._refused:
            return
        self._refused = True
        self._cancel_deadline()
        self.setTimeout(None)
        answer = raw_answer(error)
        request = self.requests[-1] if self.requests else self.requestFactory(self)
        line = [getattr(self, part, b"-") for part in ("_command", "_path", "_version")]
        request.refused(line, error.status, len(answer.partition(b"\r\n\r\n")[2]))
        log_refusal(request, error)
        self.requests.clear()
        self.transport.write(answer)
        self._begin_lingering()

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 - Twisted's
        """Refuse what Twisted's parser does not take."""
        too_long = self._receivedHeaderSize > self.totalHeadersSize
        if too_long or self._receivedHeaderCount > self.maxHeaders:
            self._refuse(HeadersTooLarge())
        else:
            self._refuse(BadRequest())

    def _begin_lingering(self) -> None:
        self.setTimeout(None)
        self.transport.unregisterProducer()
        if self._can_half_close():
            self.transport.loseWriteConnection()
        self._linger = self.callLater(LINGER_SECONDS, self._end_lingering)
        self.transport.resumeProducing()

    def _can_half_close(self) -> bool:
        if isinstance(self.transport, Identified):
            return True
        return not self.isSecure() and ITCPTransport.providedBy(self.transport)

    def _end_lingering(self) -> None:
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        self._linger = None
        self._refused = True
        self.transport.loseConnection()
        self._watch_answer()


def _unsent(transport: Any) -> int:
    """Return how many bytes wait to go out, here and in the kernel."""
    while not hasattr(transport, "socket") and hasattr(transport, "transport"):
        transport = transport.transport  # TLS lies over TCP
    if not hasattr(transport, "dataBuffer"):
        return 0  # not on a socket
    waiting = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    waiting += getattr(transport, "file_left", 0)
    try:
        queued = fcntl.ioctl(transport.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    except (OSError, ValueError):
        return int(waiting)
    return int(waiting + struct.unpack("i", queued)[0])
