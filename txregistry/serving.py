"""Serving: what a registry does from its start to its end, and at signals."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from klein.resource import KleinResource
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from txregistry.heralds import Herald
from txregistry.logs import Logs
from txregistry.observe.health import Health
from txregistry.polling import poll_directly
from txregistry.web.handing import give_up_clients
from txregistry.web.listeners import Listener
from txregistry.web.site import RegistrySite

_log = Logger()

# What is there when a registry begins to serve stays; so it is looked at for garbage no
# more, and the rest not as often as Python would.
_THRESHOLDS: Final = (50_000, 50, 50)


class Part(Protocol):
    """Something that runs while requests are served."""

    async def start(self) -> None:
        """Begin; whatever it raises keeps the registry from starting."""

    async def stop(self) -> None:
        """End."""


class Crew(Protocol):
    """Other processes, which serve clients in the place of this one."""

    async def start(self, ports: Sequence[IListeningPort]) -> None:
        """Have clients served who come in there; raises why that cannot be."""

    def drain(self) -> Deferred[None]:
        """Have running requests end, and the processes too; fires when they have."""

    def hurry(self) -> None:
        """Wait for running requests no longer."""

    def reload(self) -> None:
        """See RegistryService."""

    def reopen_logs(self) -> None:
        """See RegistryService."""


class RegistryService(Service):
    """A registry that listens, serves and, at the end, drains.

    Attributes:
        failure: Why it could not start; None: it could, or has not tried.
    """

    def __init__(
        self,
        site: RegistrySite,
        listeners: Sequence[Listener],
        open_routes: Callable[[], Deferred[KleinResource]],
        reactor: Any,
        drain_timeout: float,
        herald: Herald,
        *,
        reloads: Sequence[Callable[[], object]] = (),
        parts: Sequence[Part] = (),
        health: Health | None = None,
        logs: Logs | None = None,
        crew: Crew | None = None,
    ) -> None:
        """Prepare.

        Args:
            site: Serves clients; what it serves is replaced when the store is open.
            listeners: Where to listen.
            open_routes: Opens the store and makes the routes on it.
            reactor: Gives time; is stopped when the registry cannot start.
            drain_timeout: Seconds that running requests have to end.
            herald: Says what becomes of it.
            reloads: What reads its files anew, and logs how that went.
            parts: What runs beside: started in order before the store is opened, and
                stopped in the opposite order when the last request has ended.
            health: Checks what it depends on; None: nothing does.
            logs: Take what it logs; None: somebody else does.
            crew: Serves clients; None: this process does.
        """
        self.failure: Exception | None = None
        self._site = site
        self._listeners = listeners
        self._open_routes = open_routes
        self._reactor = reactor
        self._drain_timeout = drain_timeout
        self._herald = herald
        self._reloads = reloads
        self._parts = parts
        self._running: list[Part] = []
        self._health = health or Health([], reactor)
        self._logs = logs or Logs()
        self._crew = crew
        self._serving: list[Callable[[], object]] = []
        self._listening: dict[Listener, Deferred[IListeningPort]] = {}
        self._ports: dict[Listener, IListeningPort] = {}
        self._hurry: Deferred[None] = Deferred()

    def setServiceParent(self, parent: Any) -> None:
        """See IService. twistd logs as its application says, which learns it here."""
        super().setServiceParent(parent)
        for observer in self._logs.observers:
            if isinstance(parent, Componentized):
                parent.setComponent(ILogObserver, observer)

    def when_serving(self, call: Callable[[], object]) -> None:
        """Have something done when it has begun to serve."""
        self._serving.append(call)

    def privilegedStartService(self) -> None:
        """Bind the ports, which may need rights that the process gives up next."""
        super().privilegedStartService()
        self._listen(was_opened=False)

    def startService(self) -> None:
        """Open the store and serve."""
        super().startService()
        poll_directly(self._reactor, self._site.round)
        Deferred.fromCoroutine(self._start()).addErrback(
            lambda failure: _log.failure("cannot start", failure)
        )

    def stopService(self) -> Deferred[None]:
        """Stop accepting, let running requests end for a while, then stop."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def hurry(self) -> None:
        """Wait for running requests no longer."""
        if not self._hurry.called:
            self._hurry.callback(None)

    def reload(self) -> None:
        """Read anew what can be read anew: certificates. Go on in new log files."""
        self._reopen_logs()
        self._herald.note("reloading")
        for reload in self._reloads:
            try:
                reload()
            except Exception:  # the others shall have their turn
                _log.failure("cannot reload")
        if self._crew is not None:
            self._crew.reload()

    def reopen_logs(self) -> None:
        """Go on in new log files, as somebody has put the old ones aside."""
        self._reopen_logs()
        if self._crew is not None:
            self._crew.reopen_logs()

    def _reopen_logs(self) -> None:
        self._logs.reopen()
        self._herald.note("log files were reopened")

    def _listen(self, was_opened: bool) -> None:
        for listener in self._listeners:
            if listener.was_opened == was_opened and listener not in self._listening:
                listening = listener.endpoint.listen(self._site)
                if self._crew is not None:
                    listening.addCallback(give_up_clients)
                self._listening[listener] = listening

    async def _await_ports(self) -> None:
        error: Exception | None = None
        for listener, listening in self._listening.items():
            if listener not in self._ports:
                try:
                    self._ports[listener] = await listening
                except Exception as failed:  # endpoints fail as they like
                    error = error or failed
        if error is not None:
            raise error

    async def _start(self) -> None:
        try:
            self._listen(was_opened=False)
            await self._await_ports()
            for part in self._parts:
                await part.start()
                self._running.append(part)
            self._site.resource = await self._open_routes()
            # Whoever waits there has made the service manager start us, and is served.
            self._listen(was_opened=True)
            await self._await_ports()
            if self._crew is not None:
                await self._crew.start([self._ports[each] for each in self._listeners])
        except Exception as error:  # whatever it is, nothing works without it
            self.failure = error
            self._herald.failed(error)
            self._reactor.callWhenRunning(self._reactor.stop)
            return
        self._health.start()
        addresses = [self._ports[listener].getHost() for listener in self._listeners]
        shown = [
            listener.shown(address)
            for listener, address in zip(self._listeners, addresses, strict=True)
        ]
        self._herald.started(shown, addresses)
        for call in self._serving:
            call()

    async def _stop(self) -> None:
        self._health.stop()
        await gatherResults([_stop_listening(port) for port in self._ports.values()])
        drained = self._drain()
        if not drained.called:
            self._herald.note("stopping; waiting for running requests")
        timer = self._reactor.callLater(self._drain_timeout, self.hurry)
        self._hurry.addCallback(lambda _: self._abort())
        await drained
        if timer.active():
            timer.cancel()
        while self._running:
            part = self._running.pop()
            try:
                await part.stop()
            except Exception:  # the others shall have their turn
                _log.failure("cannot stop {part}", part=type(part).__name__)
        self._herald.note("stopped")

    def _drain(self) -> Deferred[Any]:
        if self._crew is None:
            return self._site.drain()
        return self._crew.drain()

    def _abort(self) -> None:
        if self._crew is None:
            self._site.abort()
        else:
            self._crew.hurry()


def _stop_listening(port: IListeningPort) -> Deferred[Any]:
    return maybeDeferred(port.stopListening).addErrback(
        lambda failure: _log.failure("cannot stop listening", failure)
    )


def settle_memory() -> None:
    """Have garbage looked for where there will be some: call it when serving begins."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def spare_from_signals() -> None:
    """Let SIGUSR1 and SIGHUP do nothing until ``stop_on_signals`` says what they do.

    Both are sent to go on in new log files, and would end a process that is starting.
    """
    for number in (signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def stop_on_signals(reactor: Any, service: RegistryService) -> None:
    """Stop at the first SIGTERM or SIGINT, and at once at the second; reload at SIGHUP.

    SIGUSR1, and SIGHUP too, let it go on in new log files.

    When the terminal goes away in which we run, SIGHUP is a reason to stop.

    Call it when the reactor runs, which installs handlers of its own before.
    """
    seen = []
    at_terminal = _has_terminal()

    def stop(number: int, _frame: object) -> None:
        seen.append(number)
        call = reactor.stop if len(seen) == 1 else service.hurry
        reactor.callFromThread(call)

    def hang_up(number: int, frame: object) -> None:
        if at_terminal and not _has_terminal():
            stop(number, frame)
        else:
            reactor.callFromThread(service.reload)

    def reopen(_number: int, _frame: object) -> None:
        reactor.callFromThread(service.reopen_logs)

    signal.signal(signal.SIGUSR1, reopen)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, hang_up)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
