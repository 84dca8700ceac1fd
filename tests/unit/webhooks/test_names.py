"""Tests of txregistry.webhooks.names: look-ups, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET, AF_INET6, EAI_NONAME, SOCK_STREAM, gaierror
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from txregistry.webhooks.names import LookUpFailed, Names

NAME = "hooks.example"
FOUND = [
    (AF_INET6, SOCK_STREAM, 6, "", ("2001:db8::1", 80, 0, 0)),
    (AF_INET, SOCK_STREAM, 6, "", ("192.0.2.1", 80)),
]
ADDRESSES = [
    IPv6Address("TCP", "2001:db8::1", 80),
    IPv4Address("TCP", "192.0.2.1", 80),
]


class NamesTests(SynchronousTestCase):
    """Names."""

    def setUp(self) -> None:
        """Know one name, which takes its time."""
        self.asked: list[str] = []
        self.threads: list[tuple[Deferred[Any], Callable[[], Any]]] = []
        self.names = Names(self.start, self.find)

    def find(self, host: str, _port: int, **_options: object) -> list[Any]:
        """Look up a name, as the system does."""
        self.asked.append(host)
        if host == NAME:
            return FOUND
        raise gaierror(EAI_NONAME, "Name or service not known")

    def start(self, work: Callable[[], Any], /) -> Deferred[Any]:
        """Start work that takes until the test says."""
        running: Deferred[Any] = Deferred(lambda _: self.fail("it cannot be stopped"))
        self.threads.append((running, work))
        return running

    def end(self) -> None:
        """Let the oldest work end."""
        running, work = self.threads.pop(0)
        execute(work).chainDeferred(running)

    def problem(self, looking: Deferred[Any]) -> str:
        """Return why a name has not been found."""
        return str(self.failureResultOf(looking, LookUpFailed).value)

    def test_found(self) -> None:
        """A name's addresses are found beside the reactor."""
        looking = self.names.look_up(NAME, 80)
        self.assertNoResult(looking)
        self.assertEqual([], self.asked)
        self.end()
        self.assertEqual(ADDRESSES, self.successResultOf(looking))

    def test_address(self) -> None:
        """An address is not looked up."""
        for host, kind in (("192.0.2.1", IPv4Address), ("2001:db8::1", IPv6Address)):
            found = self.successResultOf(self.names.look_up(host, 81))
            self.assertEqual([kind("TCP", host, 81)], found)
        self.assertEqual([], self.threads)

    def test_one_at_a_time(self) -> None:
        """While a look-up hangs no other one is begun; afterwards one is."""
        first = self.names.look_up(NAME, 80)
        problem = self.problem(self.names.look_up(NAME, 80))
        self.assertEqual("hooks.example: an earlier look-up has not ended yet", problem)
        self.end()
        self.successResultOf(first)
        second = self.names.look_up(NAME, 80)
        self.end()
        self.assertEqual(ADDRESSES, self.successResultOf(second))

    def test_cancelled(self) -> None:
        """Who waits no longer leaves a look-up that hangs as before."""
        looking = self.names.look_up(NAME, 80)
        looking.cancel()
        self.failureResultOf(looking, CancelledError)
        self.problem(self.names.look_up(NAME, 80))
        self.end()
        self.assertNoResult(self.names.look_up(NAME, 80))

    def test_unknown(self) -> None:
        """A name that nobody knows is said in one line, and can be tried again."""
        for _ in range(2):
            looking = self.names.look_up("x.invalid", 80)
            self.end()
            problem = self.problem(looking)
            self.assertEqual("x.invalid: Name or service not known", problem)

    def test_no_name(self) -> None:
        """What cannot be a name, or has no address, is said so."""
        too_long = UnicodeEncodeError("idna", "x", 0, 1, "label too long")

        def refuse(*_: object, **_options: object) -> list[Any]:
            raise too_long

        for find, expected in (
            (refuse, "x: is no name of a host"),
            (lambda *_, **_options: [], "x: has no address"),
        ):
            names = Names(self.start, find)
            looking = names.look_up("x", 80)
            self.end()
            self.assertEqual(expected, self.problem(looking))

    def test_no_thread(self) -> None:
        """A thread that does not start is not waited for the next time."""
        started: list[int] = []

        def start(_work: Callable[[], Any], /) -> Deferred[Any]:
            started.append(1)
            raise RuntimeError("can't start new thread")

        names = Names(start, self.find)
        for _ in range(2):
            self.assertRaises(RuntimeError, names.look_up, NAME, 80)
        self.assertEqual(2, len(started))
