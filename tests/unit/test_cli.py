"""Tests of txregistry.cli: ``txregistry serve`` and ``txregistry check``."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import twisted.internet
from click.testing import CliRunner, Result
from twisted.internet.error import CannotListenError
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor
from txregistry import __version__, cli

GOOD = "version: 0.1\nstorage: {inmemory: {}}\nhttp: {addr: '127.0.0.1:5001'}\n"


class FullReactor(QuietReactor):
    """A reactor on which every port is taken."""

    def listenTCP(self, port: int, *_rest: object, **_named: object) -> None:
        """See IReactorTCP.

        Raises:
            CannotListenError: Always.
        """
        raise CannotListenError("127.0.0.1", port, OSError("in use"))


class CliCase(SynchronousTestCase):
    """The command, on a reactor that listens nowhere."""

    def setUp(self) -> None:
        """Take the reactor; keep log and signals of the tests' own process."""
        self.use(QuietReactor())
        self.path = Path(self.mktemp())
        self.patch(cli, "globalLogBeginner", self)
        self.patch(cli, "settle_memory", lambda: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def beginLoggingTo(  # noqa: N802 - Twisted's
        self,
        observers: Sequence[ILogObserver],
        redirectStandardIO: bool,  # noqa: N803
    ) -> None:
        """Begin logging as Twisted's beginner does, but until the test's end only."""
        self.assertFalse(redirectStandardIO)
        for observer in observers:
            globalLogPublisher.addObserver(observer)
            self.addCleanup(globalLogPublisher.removeObserver, observer)

    def use(self, reactor: QuietReactor) -> None:
        """Take a reactor."""
        self.reactor = reactor
        self.patch(twisted.internet, "reactor", reactor)

    def run_command(self, *arguments: str, text: str = GOOD, **environ: str) -> Result:
        """Write a configuration and run the command.

        Args:
            *arguments: The arguments; ``FILE`` stands for the configuration's path.
            text: The configuration.
            **environ: The environment's variables that matter.
        """
        self.path.write_text(text)
        named = [
            str(self.path) if argument == "FILE" else argument for argument in arguments
        ]
        return CliRunner(env=environ).invoke(cli.main, named)


class CheckTests(CliCase):
    """``txregistry check``."""

    def test_good(self) -> None:
        """A good configuration is printed as it counts, secrets masked."""
        text = GOOD.replace("{addr", "{secret: sesame, addr")
        result = self.run_command("check", "FILE", text=text)
        self.assertEqual(0, result.exit_code, result.output)
        self.assertIn("addr: 127.0.0.1:5001", result.stdout)
        self.assertNotIn("sesame", result.output)
        self.assertEqual([], self.reactor.tcpServers)

    def test_bad(self) -> None:
        """A bad one is one line on the standard error, and status 1."""
        result = self.run_command("check", "FILE", text=GOOD + "nope: 1\n")
        self.assertEqual((1, ""), (result.exit_code, result.stdout))
        self.assertTrue(result.stderr.startswith("txregistry: "))
        self.assertIn(f"{self.path}:4", result.stderr)
        self.assertEqual(1, result.stderr.count("\n"))

    def test_bad_driver(self) -> None:
        """So is one that only the driver finds fault with."""
        text = GOOD.replace("{}", "{colour: blue}")
        result = self.run_command("check", "FILE", text=text)
        self.assertEqual(1, result.exit_code)
        self.assertIn("storage.inmemory.colour", result.stderr)

    def test_warning(self) -> None:
        """What has no effect is said on the standard error; it is no fault."""
        text = GOOD + "redis: {addr: 'localhost:6379'}\n"
        result = self.run_command("check", "FILE", text=text)
        self.assertEqual(0, result.exit_code)
        self.assertIn("warning: ", result.stderr)
        self.assertIn("redis", result.stderr)

    def test_environment(self) -> None:
        """The environment's settings count, and it may name the file."""
        self.path.write_text(GOOD)
        result = self.run_command(
            "check",
            REGISTRY_CONFIGURATION_PATH=str(self.path),
            REGISTRY_HTTP_ADDR="127.0.0.1:5002",
        )
        self.assertIn("addr: 127.0.0.1:5002", result.stdout)

    def test_folder(self) -> None:
        """A folder is no file."""
        result = self.run_command("check", str(self.path.parent))
        self.assertEqual(2, result.exit_code)


class ServeTests(CliCase):
    """``txregistry serve``."""

    def test_serve(self) -> None:
        """It binds the port, serves, and ends well when the reactor stops."""
        result = self.run_command("serve", "FILE")
        self.assertEqual(0, result.exit_code, result.output)
        self.assertTrue(self.reactor.hasRun)
        self.assertEqual(200, self.reactor.connect().status("GET", "/v2/"))
        self.assertIn(":5001, storage inmemory", result.stderr)

    def test_signals(self) -> None:
        """While it runs, signals are for it."""
        before = signal.getsignal(signal.SIGTERM)
        self.run_command("serve", "FILE")
        self.assertNotEqual(before, signal.getsignal(signal.SIGTERM))

    def test_spared(self) -> None:
        """While it starts, a signal to go on in new log files does not end it."""
        self.run_command("serve", "FILE", text=GOOD + "nope: 1\n")
        for number in (signal.SIGUSR1, signal.SIGHUP):
            self.assertEqual(signal.SIG_IGN, signal.getsignal(number))

    def test_drained(self) -> None:
        """Before the process ends, what runs is waited for."""
        self.run_command("serve", "FILE")
        visitor = self.reactor.connect()
        (stopping,) = self.reactor.shut_down()
        self.assertNoResult(stopping)
        visitor.leave()
        self.successResultOf(stopping)

    def test_port_taken(self) -> None:
        """A port that is taken is one line in the log, and status 1."""
        self.use(FullReactor())
        result = self.run_command("serve", "FILE")
        self.assertEqual(1, result.exit_code)
        self.assertIn("cannot start: ", result.stderr)
        self.assertIn("5001", result.stderr)
        self.assertNotIn("Traceback", result.stderr)

    def test_bad(self) -> None:
        """A bad configuration ends it before anything is done."""
        for text in (GOOD + "nope: 1\n", GOOD.replace("{}", "{colour: blue}")):
            result = self.run_command("serve", "FILE", text=text)
            self.assertEqual(1, result.exit_code)
            self.assertFalse(self.reactor.hasRun)
            self.assertIn("txregistry: ", result.stderr)

    def test_level(self) -> None:
        """What is logged depends on the level; warnings are."""
        text = GOOD + "redis: {addr: 'localhost:6379'}\nlog: {level: warn}\n"
        result = self.run_command("serve", "FILE", text=text)
        self.assertIn("redis", result.stderr)
        self.assertNotIn("serves on", result.stderr)


class MainTests(CliCase):
    """``txregistry``."""

    def test_version(self) -> None:
        """It says which version it is."""
        result = self.run_command("--version")
        self.assertIn(__version__, result.stdout)

    def test_commands(self) -> None:
        """It says which commands there are."""
        result = self.run_command("--help")
        for name in ("serve", "check"):
            self.assertIn(name, result.stdout)
