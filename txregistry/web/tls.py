"""TLS: connections for a server, made with what some files hold now."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.interfaces import InvalidOption
from txregistry.web.tls_context import TLSContext, TLSOptions

_log = Logger()

_DAY: Final = 86400.0


@implementer(IOpenSSLServerConnectionCreator)
class ReloadingContextFactory:
    """Makes connections with the newest certificate that the files hold.

    Connections that there are keep the one they began with. Files that cannot be used
    are refused, with a line in the log, and what they held before stays in use.
    """

    def __init__(
        self, options: TLSOptions, clock: IReactorTime, interval: float = 1.0
    ) -> None:
        """Load the files.

        Args:
            options: Which, and what to make of them.
            clock: Gives the time, in seconds since the epoch.
            interval: Seconds between two looks at the files, which are taken when a
                client comes.

        Raises:
            InvalidOption: They cannot be used.
        """
        self._options = options
        self._clock = clock
        self._interval = interval
        self._looked = clock.seconds()
        self._seen = self._look()
        self._current = TLSContext.load(options)
        self._warn()

    def serverConnectionForTLS(  # noqa: N802 - Twisted's
        self, protocol: Any
    ) -> SSL.Connection:
        """See IOpenSSLServerConnectionCreator."""
        return self._make(protocol, None)

    def connection_on(self, socket: Any, owner: Any) -> SSL.Connection:
        """Make a server's connection that reads and writes a socket itself.

        Args:
            socket: The socket; it does not block.
            owner: Is told what is found about the client's certificate.
        """
        connection = self._make(owner, socket)
        connection.set_accept_state()
        return connection

    def _make(self, owner: Any, socket: Any) -> SSL.Connection:
        now = self._clock.seconds()
        if abs(now - self._looked) >= self._interval:
            self._looked = now
            if self._look() != self._seen:
                self.reload()
        connection = SSL.Connection(self._current.context, socket)
        connection.set_app_data(owner)
        return connection

    def reload(self) -> bool:
        """Load the files, changed or not.

        Returns:
            Whether what they hold is in use now; if not, the log says why.
        """
        # Looked at first: what changes while they are read is seen by the next look.
        self._seen = self._look()
        try:
            self._current = TLSContext.load(self._options)
        except InvalidOption as error:
            _log.error(
                "the certificate in use stays: http.tls.{key}: {problem}",
                key=error.key,
                problem=error.problem,
            )
            return False
        _log.info(
            "certificate loaded: {subject}, good until {end}",
            subject=self._current.subject,
            end=_date(self._current.ends),
        )
        self._warn()
        return True

    def expires_in(self) -> float:
        """Return for how many days the certificate is good; negative: for none."""
        return (self._current.ends - self._clock.seconds()) / _DAY

    def _look(self) -> tuple[object, ...]:
        return tuple(_signature(file) for file in self._options.files)

    def _warn(self) -> None:
        now = self._clock.seconds()
        file = self._options.certificate
        if self._current.ends <= now:
            end = _date(self._current.ends)
            _log.warn("{file} expired on {end}", file=file, end=end)
        elif self._current.begins > now:
            begin = _date(self._current.begins)
            _log.warn("{file} is not valid before {begin}", file=file, begin=begin)


def _signature(file: str) -> tuple[int, ...] | None:
    """Return what changes when a file does; None: there is none that we can see."""
    try:
        stat = os.stat(file)
    except OSError:
        return None
    times = stat.st_mtime_ns, stat.st_ctime_ns
    return (stat.st_dev, stat.st_ino, stat.st_size, *times)


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
