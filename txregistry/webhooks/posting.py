"""Posting: one POST to a receiver, with bounds on time and on what it may answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from string import punctuation
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

from attrs import frozen
from hyperlink import EncodedURL
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed, ResponseNeverReceived
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

# What is read of an answer so that its connection can be used again (bytes).
_MOST_READ: Final = 64 * 1024
_MOST_REDIRECTS: Final = 5
# The others make a GET of a POST in many clients: the event would be lost on the way.
_REDIRECTS: Final = frozenset({307, 308})
_PORTS: Final = {"http": 80, "https": 443}
_LONGEST_PROBLEM: Final = 200


@frozen
class Answer:
    """What a receiver said.

    Attributes:
        status: The HTTP status.
        retry_after: In how many seconds it wants to be asked again; None: it does not
            say.
        problem: Why it is a refusal although the status alone does not say; or empty.
    """

    status: int
    retry_after: float | None = None
    problem: str = ""


class PostFailed(Exception):
    """There was no answer. Its text is one line that says why."""


class Poster:
    """Posts to one receiver.

    Attributes:
        address: The receiver's host, and its port if the URL has one.
    """

    def __init__(
        self,
        client: HTTPClient,
        url: str,
        headers: Mapping[str, Sequence[str]],
        timeout: float,
        clock: IReactorTime,
    ) -> None:
        """Prepare.

        Args:
            client: Makes connections, and keeps them for the next time.
            url: Where to post to.
            headers: What goes with each request.
            timeout: Seconds for a request and its answer.
            clock: Gives time.
        """
        self.address = urlsplit(url).netloc.rpartition("@")[2]
        self._client = client
        self._url = url
        self._headers = _encoded(headers)
        self._timeout = timeout
        self._clock = clock

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post something.

        Raises:
            PostFailed: There was no answer.
            CancelledError: The caller does not want to wait for it any more.
        """
        all_headers = self._headers.copy()
        for name, value in headers.items():
            all_headers.setRawHeaders(name.encode(), [value.encode()])
        posting = Deferred.fromCoroutine(self._post(body, all_headers))
        try:
            return await posting.addTimeout(self._timeout, self._clock, _time_out)
        except TimeoutError:
            raise PostFailed(f"no answer in {self._timeout:g} s") from None
        except Exception as error:  # agents fail as they like
            if _is_cancelled(error):
                raise CancelledError from error
            raise PostFailed(_described(error)) from error

    async def _post(self, body: bytes, headers: Headers) -> Answer:
        url = self._url
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._client.post(
                _AsItIs.from_text(url),
                data=body,
                headers=headers,
                allow_redirects=False,
                unbuffered=True,
            )
            answer = self._answer(response)
            location = _location(response)
            goes_on = answer.status in _REDIRECTS and bool(location)
            try:
                await _drained(response)
            except CancelledError:
                # What it has said counts, however long it would go on; but there is
                # no time to go elsewhere.
                if goes_on:
                    raise
            if not goes_on:
                return answer
            target = urljoin(url, location)
            if _origin(target) != _origin(url):
                return Answer(answer.status, problem="redirects to another host")
            url = target
        return Answer(answer.status, problem="redirects for ever")

    def _answer(self, response: Any) -> Answer:
        retry_after = self._seconds(_header(response, b"retry-after"))
        return Answer(int(response.code), retry_after)

    def _seconds(self, retry_after: str) -> float | None:
        """Read ``Retry-After`` (RFC 9110, 10.2.3); None: it says nothing."""
        if retry_after.isascii() and retry_after.isdigit():
            return float(retry_after[:9])
        try:
            moment = parsedate_to_datetime(retry_after)
        except (ValueError, OverflowError):
            return None
        seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        return max(seconds - self._clock.seconds(), 0.0)


class _AsItIs(EncodedURL):
    """A URL that treq takes as it is: ASCII already, a host's address maybe."""

    def to_uri(self) -> _AsItIs:
        """Return the same; the base would take an IPv6 address for a name."""
        return self


class _Drain(Protocol):
    """Reads an answer's body and forgets it; too long a one ends the connection."""

    def __init__(self) -> None:
        """Prepare."""
        self.done: Deferred[None] = Deferred(lambda _: self._stop())
        self._left = _MOST_READ

    def dataReceived(self, data: bytes) -> None:
        """See Protocol."""
        self._left -= len(data)
        if self._left < 0:
            self._stop()
            self.connectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See Protocol."""
        if not self.done.called:
            self.done.callback(None)

    def _stop(self) -> None:
        # Not loseConnection, which would wait for the other side to end TLS.
        self.transport.stopProducing()  # type: ignore[union-attr]


def _encoded(headers: Mapping[str, Sequence[str]]) -> Headers:
    encoded = Headers()
    for name, values in headers.items():
        for value in values:
            encoded.addRawHeader(name.encode(), value.encode())
    return encoded


def _header(response: IResponse, name: bytes) -> str:
    """Return a header's first value; empty: it is not there."""
    (value, *_) = response.headers.getRawHeaders(name, [b""])
    return str(value, "latin-1").strip()


def _location(response: IResponse) -> str:
    """Return where an answer sends us, in ASCII (RFC 3986, 2.1); empty: nowhere."""
    return quote(_header(response, b"location").encode("latin-1"), safe=punctuation)


def _drained(response: IResponse) -> Deferred[None]:
    drain = _Drain()
    response.deliverBody(drain)
    return drain.done


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme)


def _time_out(result: Any, _seconds: float) -> Any:
    """Return an answer that was there when the time was over.

    Raises:
        TimeoutError: There was none.
    """
    if isinstance(result, Failure):
        raise TimeoutError
    return result


def _is_cancelled(error: BaseException) -> bool:
    """Say whether an agent has failed because nobody waits for it any more."""
    if isinstance(error, ResponseNeverReceived | ResponseFailed):
        return any(_is_cancelled(each.value) for each in error.reasons)
    return isinstance(error, CancelledError | ConnectingCancelledError)


def _described(error: Exception) -> str:
    reason: object = error
    if isinstance(error, ResponseNeverReceived | ResponseFailed) and error.reasons:
        reason = error.reasons[0].value
    text = " ".join(str(reason).split()) or type(reason).__name__
    return text[:_LONGEST_PROBLEM]
