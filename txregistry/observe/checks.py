"""Checks: questions to what the registry depends on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, Protocol

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from txregistry.interfaces import (
    IStorageDriver,
    PathNotFound,
    StorageError,
    StorageFull,
)
from txregistry.registry.layout import PROBE, SECRET
from txregistry.threads import InThread, to_the_end

# Files of the registry's own, which nobody deletes while it runs.
_LANDMARKS: Final = (SECRET, PROBE)
_CONTENT: Final = b"txregistry writes this to see whether it can\n"
_LONGEST_REASON: Final = 200

# Headers that are nobody's secret.
_PLAIN: Final = ("accept", "accept-language", "user-agent")


class CheckFailed(Exception):
    """What was asked does not work. The text is one line that says why."""


class Check(Protocol):
    """A question."""

    @property
    def name(self) -> str:
        """What it is called in reports; no other has the same."""

    async def run(self) -> None:
        """Ask.

        Raises:
            CheckFailed: What is asked does not work.
        """


class StorageCheck:
    """Whether the store can be read and, if it should, written.

    A disk that has become read-only answers every question about what it holds: only
    writing shows it. What was written stays there. That it is gone the next time shows
    that the store is another one, as when a disk is unmounted and what is written goes
    into the folder under it; then nothing is written.

    A store without room for more is good: all that it holds can be pulled, and pushes
    are told what is wrong (507).
    """

    def __init__(self, name: str, driver: IStorageDriver, *, writes: bool) -> None:
        """Take what it is called, the driver, and whether to write."""
        self.name = name
        self._driver = driver
        self._writes = writes
        self._seen: set[str] = set()

    async def run(self) -> None:
        """See Check."""
        try:
            await self._exists("/")
            for path in _LANDMARKS:
                await self._look(path)
            if self._writes:
                await self._driver.put_content(PROBE, _CONTENT)
                self._seen.add(PROBE)
        except StorageFull:
            return
        except StorageError as error:
            raise CheckFailed(_line(error)) from error

    async def _look(self, path: str) -> None:
        if await self._exists(path):
            self._seen.add(path)
        elif path in self._seen:
            raise CheckFailed(f"what it held is gone: {path}")

    async def _exists(self, path: str) -> bool:
        try:
            await self._driver.stat(path)
        except PathNotFound:
            return False
        return True


class FileCheck:
    """Whether a file is absent: who puts it there takes the registry out of service."""

    def __init__(self, path: str, in_thread: InThread) -> None:
        """Take the file's path, which is the check's name, and threads."""
        self.name = path
        self._in_thread = in_thread

    async def run(self) -> None:
        """See Check."""
        try:
            await to_the_end(self._in_thread(partial(os.stat, self.name)))
        except FileNotFoundError:
            return
        except OSError as error:
            raise CheckFailed(error.strerror or _line(error)) from error
        raise CheckFailed("file exists")


class HTTPCheck:
    """Whether an HTTP server answers HEAD with the right status."""

    def __init__(
        self,
        name: str,
        agent: IAgent,
        url: str,
        headers: Mapping[str, Sequence[str]],
        status: int,
    ) -> None:
        """Prepare.

        Args:
            name: What the check is called.
            agent: Makes connections.
            url: What is asked for.
            headers: What goes with the request; to another host, or without TLS where
                there was some, only what everybody may know.
            status: The right status. Redirections are followed unless it is one.
        """
        # Not before there is such a check: it takes memory.
        from treq.client import HTTPClient
        from twisted.web.client import BrowserLikeRedirectAgent

        self.name = name
        if not 300 <= status < 400:
            secret = [name.encode() for name in headers if name.lower() not in _PLAIN]
            agent = BrowserLikeRedirectAgent(agent, sensitiveHeaderNames=secret)
        self._client = HTTPClient(agent)
        self._url = url
        self._headers = Headers()
        for key, values in headers.items():
            for value in values:
                self._headers.addRawHeader(key.encode(), value.encode())
        self._status = status

    async def run(self) -> None:
        """See Check."""
        try:
            response = await self._client.head(
                self._url,
                headers=self._headers,
                allow_redirects=False,  # the agent does that, and is more careful
            )
        except CancelledError:
            raise
        except Exception as error:  # agents fail as they like
            raise CheckFailed(f"error while checking: {_line(error)}") from error
        if response.code != self._status:
            raise CheckFailed(f"answered with status {response.code}")


class TCPCheck:
    """Whether something takes connections."""

    def __init__(self, name: str, endpoint: IStreamClientEndpoint) -> None:
        """Take what it is called, and where to connect to."""
        self.name = name
        self._endpoint = endpoint

    async def run(self) -> None:
        """See Check."""
        try:
            await self._endpoint.connect(_BriefFactory())
        except CancelledError:
            raise
        except Exception as error:  # endpoints fail as they like
            raise CheckFailed(f"cannot connect: {_line(error)}") from error


class _Brief(TwistedProtocol):
    """A connection that ends when it is there."""

    def connectionMade(self) -> None:
        """See Protocol."""
        assert self.transport is not None
        self.transport.loseConnection()


class _BriefFactory(Factory):
    """Makes such connections."""

    protocol = _Brief
    noisy = False


def _line(error: Exception) -> str:
    """Return an error's text as one line."""
    reason: object = error
    if reasons := getattr(error, "reasons", None):
        reason = reasons[0]
        reason = reason.value if isinstance(reason, Failure) else reason
    text = " ".join(str(reason).split()) or type(reason).__name__
    return text[:_LONGEST_REASON]
