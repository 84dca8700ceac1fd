"""Tests of txregistry.tap and the plugin: ``twistd txregistry``."""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import twisted.internet
from twisted.application.service import Application, IService, IServiceMaker
from twisted.logger import ILogObserver, capturedLogs, formatEvent
from twisted.plugin import IPlugin, getPlugins
from twisted.python.usage import UsageError
from twisted.scripts import twistd
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.reactor import QuietReactor
from txregistry import tap
from txregistry.observe.applog import ApplicationLog
from txregistry.serving import RegistryService
from txregistry.tap import Options, makeService

JSON = (
    "version: 0.1\nstorage: {inmemory: {}}\nlog: {formatter: json}\n"
    "http: {addr: '127.0.0.1:5001'}\n"
)
GOOD = "version: 0.1\nstorage: {inmemory: {}}\nhttp: {addr: '127.0.0.1:5001'}\n"


class TapTests(SynchronousTestCase):
    """What twistd asks for."""

    def setUp(self) -> None:
        """Take a reactor that listens nowhere, and an environment without settings."""
        self.patch(sys, "stdout", StringIO())
        self.patch(tap, "settle_memory", lambda: None)
        self.reactor = QuietReactor()
        self.patch(twisted.internet, "reactor", self.reactor)
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("REGISTRY_")
        }
        self.patch(os, "environ", clean)
        for number in (signal.SIGHUP, signal.SIGUSR1):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
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

    def observer(self, text: str, *arguments: str) -> object:
        """Return the application's log observer, as twistd finds it."""
        of_twistd: Any = vars(twistd)["ServerOptions"]()  # of the platform
        of_twistd.parseOptions(arguments)
        options = self.options(text)
        options.parent = of_twistd
        application = Application("registry")
        service = makeService(options)
        service.setServiceParent(application)
        return application.getComponent(ILogObserver, None)

    def test_observer(self) -> None:
        """Twistd logs as the settings say, into the file that it was given."""
        logfile = Path(self.mktemp())
        observer = self.observer(JSON, "--logfile", str(logfile))
        assert isinstance(observer, ApplicationLog)
        observer({"log_namespace": "txregistry", "log_format": "hi"})
        self.assertEqual("hi", json.loads(logfile.read_text())["msg"])

    def test_log_file(self) -> None:
        """The settings' file goes before twistd's."""
        logfile, ours = Path(self.mktemp()), Path(self.mktemp())
        text = JSON.replace("json", f"json, file: {ours}")
        observer = self.observer(text, "--logfile", str(logfile))
        assert isinstance(observer, ApplicationLog)
        self.assertTrue(ours.exists())
        self.assertFalse(logfile.exists())

    def test_daemon(self) -> None:
        """A daemon, which has no streams, logs to twistd's usual file."""
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = self.path.absolute()
        os.chdir(folder)
        self.observer(GOOD)
        self.assertTrue(Path("twistd.log").exists())

    def test_foreground(self) -> None:
        """In the foreground it logs to the streams."""
        self.assertIsInstance(self.observer(GOOD, "-n"), ApplicationLog)
        self.assertIsInstance(self.observer(GOOD, "-n", "-l", "-"), ApplicationLog)

    def test_others(self) -> None:
        """With --syslog, or --logger, the log is not ours."""
        self.assertIsNone(self.observer(JSON, "--syslog"))
        maker = "twisted.logger.LogPublisher"
        self.assertIsNone(self.observer(JSON, "--logger", maker))

    def test_unwritable(self) -> None:
        """A log file that cannot be written ends the process with a line."""
        text = self.refusal(self.options(GOOD + "log: {file: /nowhere/log}\n"))
        self.assertIn("log.file: /nowhere/log cannot be written: No such", text)

    def test_plugin(self) -> None:
        """Twisted's plugin system finds the service by its name."""
        makers = [
            maker for maker in getPlugins(IServiceMaker) if IPlugin.providedBy(maker)
        ]
        (maker,) = (each for each in makers if each.tapname == "txregistry")
        self.assertIs(Options, maker.options)
