"""Tests of txregistry.tap and the plugin: ``twistd txregistry``."""

from __future__ import annotations

import atexit
import os
from pathlib import Path

import twisted.internet
from twisted.application.service import IService, IServiceMaker
from twisted.logger import capturedLogs, formatEvent
from twisted.plugin import IPlugin, getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.reactor import QuietReactor
from txregistry.service import RegistryService
from txregistry.tap import Options, makeService

GOOD = "version: 0.1\nstorage: {inmemory: {}}\nhttp: {addr: '127.0.0.1:5001'}\n"


class TapTests(SynchronousTestCase):
    """What twistd asks for."""

    def setUp(self) -> None:
        """Take a reactor that listens nowhere, and an environment without settings."""
        self.reactor = QuietReactor()
        self.patch(twisted.internet, "reactor", self.reactor)
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("REGISTRY_")
        }
        self.patch(os, "environ", clean)
        self.path = Path(self.mktemp())

    def options(self, text: str) -> Options:
        """Write a configuration; return the options that name it."""
        self.path.write_text(text)
        options = Options()
        options.parseOptions(["--config", str(self.path)])
        return options

    def refusal(self, options: Options) -> str:
        """Return what is said as the process ends at once."""
        error = self.assertRaises(SystemExit, makeService, options)
        return str(error.code)

    def test_service(self) -> None:
        """A good configuration makes a service that is there when the reactor runs."""
        service = makeService(self.options(GOOD))
        verifyObject(IService, service)
        assert isinstance(service, RegistryService)
        service.privilegedStartService()
        service.startService()
        self.assertEqual(200, self.reactor.connect().status("GET", "/v2/"))
        self.assertEqual(1, len(self.reactor.whenRunningHooks))

    def test_failure(self) -> None:
        """A registry that could not start makes twistd's process end with status 1."""
        ends: list[tuple[object, ...]] = []
        self.patch(atexit, "register", lambda *call: ends.append(call))
        self.patch(os, "_exit", lambda status: ends.append((status,)))
        service = makeService(self.options(GOOD))
        assert isinstance(service, RegistryService)
        [(tell, arguments, _)] = self.reactor.triggers["after"]["shutdown"]
        tell(*arguments)
        self.assertEqual([], ends)
        service.failure = OSError()
        tell(*arguments)
        [(end, *statuses)] = ends
        assert callable(end)
        end(*statuses)
        self.assertEqual((1,), ends[1])

    def test_default(self) -> None:
        """Without an option the environment names the file."""
        self.path.write_text(GOOD)
        os.environ["REGISTRY_CONFIGURATION_PATH"] = str(self.path)
        options = Options()
        options.parseOptions([])
        makeService(options).privilegedStartService()
        self.assertEqual(5001, self.reactor.tcpServers[0][0])

    def test_bad_configuration(self) -> None:
        """A bad configuration ends the process with one line that names the place."""
        text = self.refusal(self.options(GOOD + "nope: 1\n"))
        self.assertTrue(text.startswith("txregistry: "), text)
        self.assertIn(f"{self.path}:4", text)
        self.assertNotIn("\n", text)

    def test_bad_driver(self) -> None:
        """So does one that only the driver finds fault with."""
        text = self.refusal(self.options(GOOD.replace("{}", "{colour: blue}")))
        self.assertIn("storage.inmemory.colour", text)

    def test_no_file(self) -> None:
        """So does a file that is not there."""
        options = Options()
        options.parseOptions(["-c", str(self.path)])
        self.assertIn(str(self.path), self.refusal(options))

    def test_unknown_option(self) -> None:
        """An unknown option is refused."""
        self.assertRaises(UsageError, Options().parseOptions, ["--nope"])

    def test_warnings(self) -> None:
        """What has no effect is said in the log."""
        with capturedLogs() as events:
            makeService(self.options(GOOD + "redis: {addr: 'localhost:6379'}\n"))
        lines = [formatEvent(event) for event in events]
        self.assertTrue(any("redis" in line for line in lines), lines)

    def test_plugin(self) -> None:
        """Twisted's plugin system finds the service by its name."""
        makers = [
            maker for maker in getPlugins(IServiceMaker) if IPlugin.providedBy(maker)
        ]
        (maker,) = (each for each in makers if each.tapname == "txregistry")
        self.assertIs(Options, maker.options)
