"""Tests of txregistry.auth.throttle."""

from __future__ import annotations

from typing import Final

from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.auth.doubles import ScriptedAuthenticator
from txregistry.auth.throttle import ThrottledAuthenticator
from txregistry.interfaces import IAuthenticator, Identity, LoginDelayed, LoginFailed

ADDRESS: Final = "192.0.2.1"
ALICE: Final = Identity("alice", "user")
CREDENTIALS: Final = UsernamePassword(b"alice", b"secret")


class ThrottleCase(SynchronousTestCase):
    """Tests of a throttle: three failures are free, then 1, 2, 4 … up to 10 seconds."""

    def setUp(self) -> None:
        """Make the throttle."""
        self.clock = Clock()
        self.inner = ScriptedAuthenticator()
        self.throttle = ThrottledAuthenticator(
            self.inner, self.clock, 3, 1.0, 10.0, 100.0, 2
        )

    def begin(
        self, address: str = ADDRESS, credentials: object = CREDENTIALS
    ) -> Deferred[Identity | None]:
        """Begin to log in."""
        return self.throttle.authenticate(credentials, address)

    def wrong(self, address: str = ADDRESS, times: int = 1) -> None:
        """Log in with a wrong password, and be asked for it."""
        for _ in range(times):
            waiting = self.begin(address)
            self.inner.answer(LoginFailed())
            self.failureResultOf(waiting, LoginFailed)

    def succeed(self, address: str = ADDRESS) -> None:
        """Log in well."""
        waiting = self.begin(address)
        self.inner.answer(ALICE)
        self.assertEqual(ALICE, self.successResultOf(waiting))

    def delay(self, address: str = ADDRESS) -> float:
        """Log in without being asked for the password; return the time to wait."""
        asked = len(self.inner.asked)
        failure = self.failureResultOf(self.begin(address), LoginDelayed)
        self.assertEqual(asked, len(self.inner.asked))
        return float(failure.value.seconds)


class ThrottleTests(ThrottleCase):
    """Who has to wait, and how long."""

    def test_interface(self) -> None:
        """It is an authenticator, whose challenge is the other one's."""
        verifyObject(IAuthenticator, self.throttle)
        self.assertEqual("Scripted 0 o p", self.throttle.challenge((), "o", "p"))

    def test_success(self) -> None:
        """Logins that succeed never wait."""
        for _ in range(10):
            self.succeed()

    def test_free(self) -> None:
        """Some failures are free."""
        self.wrong(times=2)
        self.succeed()

    def test_delay(self) -> None:
        """One more, and there is a second to wait; half of it later, half of it."""
        self.wrong(times=3)
        self.assertEqual(1.0, self.delay())
        self.clock.advance(0.5)
        self.assertEqual(0.5, self.delay())

    def test_doubles(self) -> None:
        """Each failure after that doubles the time, up to a longest one."""
        self.wrong(times=3)
        delays = []
        for _ in range(6):
            delays.append(self.delay())
            self.clock.advance(delays[-1])
            self.wrong()
        self.assertEqual([1.0, 2.0, 4.0, 8.0, 10.0, 10.0], delays)

    def test_long(self) -> None:
        """Somebody who never stops waits no longer than that."""
        self.wrong(times=3)
        for _ in range(2000):
            self.clock.advance(10.0)
            self.wrong()
        self.assertEqual(10.0, self.delay())

    def test_cleared(self) -> None:
        """A success makes all failures forgotten."""
        self.wrong(times=3)
        self.clock.advance(1)
        self.succeed()
        self.wrong(times=2)
        self.succeed()

    def test_forgotten(self) -> None:
        """After the window all failures are forgotten."""
        self.wrong(times=2)
        self.clock.advance(100)
        self.wrong(times=2)
        self.succeed()

    def test_not_forgotten(self) -> None:
        """Within the window they are not, and it begins anew with each failure."""
        self.wrong(times=2)
        self.clock.advance(99)
        self.wrong()
        self.clock.advance(99)
        self.wrong()
        self.assertEqual(2.0, self.delay())

    def test_anonymous(self) -> None:
        """Who shows nothing never waits, and fails for nobody."""
        self.wrong(times=3)
        waiting = self.begin(credentials=Anonymous())
        self.inner.answer(Identity())
        self.assertEqual(Identity(), self.successResultOf(waiting))
        self.assertEqual(1.0, self.delay())

    def test_other_credentials(self) -> None:
        """Credentials of another kind are neither a failure nor a success."""
        self.wrong(times=2)
        waiting = self.begin()
        self.inner.answer(None)
        self.assertIsNone(self.successResultOf(waiting))
        self.wrong()
        self.delay()

    def test_put_off(self) -> None:
        """A login that the other one puts off, or that breaks, is no failure."""
        for error in (LoginDelayed(1), ZeroDivisionError()):
            for _ in range(5):
                waiting = self.begin()
                self.inner.answer(error)
                self.failureResultOf(waiting, type(error))
        self.succeed()


class TogetherTests(ThrottleCase):
    """Logins at the same time."""

    def test_under_way(self) -> None:
        """Those under way when the waiting begins do not make it longer."""
        waiting = [self.begin() for _ in range(20)]
        for each in waiting:
            self.inner.answer(LoginFailed())
            self.failureResultOf(each, LoginFailed)
        self.assertEqual(1.0, self.delay())

    def test_one_at_a_time(self) -> None:
        """After the waiting one login at a time is tried."""
        self.wrong(times=3)
        self.clock.advance(1)
        waiting = self.begin()
        self.assertEqual(1.0, self.delay())
        self.inner.answer(LoginFailed())
        self.failureResultOf(waiting, LoginFailed)
        self.assertEqual(2.0, self.delay())

    def test_success(self) -> None:
        """When that one succeeds, all are tried again."""
        self.wrong(times=3)
        self.clock.advance(1)
        self.succeed()
        for each in [self.begin() for _ in range(5)]:
            self.inner.answer(ALICE)
            self.successResultOf(each)

    def test_cancelled(self) -> None:
        """When that one is given up, another one is tried."""
        self.wrong(times=3)
        self.clock.advance(1)
        waiting = self.begin()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.inner.waiting.clear()
        self.succeed()


class AddressTests(ThrottleCase):
    """Which addresses are one."""

    def assert_same(self, first: str, second: str, same: bool = True) -> None:
        """Make sure that two addresses wait for one another, or do not."""
        self.wrong(first, times=3)
        if same:
            self.delay(second)
        else:
            self.succeed(second)

    def test_other(self) -> None:
        """Others do not wait."""
        self.assert_same(ADDRESS, "192.0.2.2", same=False)

    def test_network(self) -> None:
        """A /64 network of IPv6 is one address."""
        self.assert_same("2001:db8::1", "2001:db8:0:0:ffff::2")

    def test_other_network(self) -> None:
        """Another one is not."""
        self.assert_same("2001:db8::1", "2001:db8:0:1::1", same=False)

    def test_mapped(self) -> None:
        """An IPv4 address is the same when IPv6 carries it, and not with others."""
        self.assert_same(ADDRESS, f"::ffff:{ADDRESS}")
        self.succeed("::ffff:192.0.2.2")

    def test_zone(self) -> None:
        """A zone does not matter."""
        self.assert_same("fe80::1%eth0", "fe80::2")

    def test_number(self) -> None:
        """An IPv4 address is not taken for an IPv6 network with its number."""
        self.assert_same("0.0.0.1", "0:0:0:1::", same=False)

    def test_no_address(self) -> None:
        """Clients without an address never wait."""
        for address in ("", "unix", "/run/socket"):
            self.assert_same(address, address, same=False)

    def test_most(self) -> None:
        """When there are too many, who has failed the longest ago is forgotten."""
        self.wrong("192.0.2.1", times=3)
        self.wrong("192.0.2.2", times=3)
        self.wrong("192.0.2.3", times=3)
        self.succeed("192.0.2.1")
        self.delay("192.0.2.2")
        self.delay("192.0.2.3")
