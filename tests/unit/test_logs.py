"""Tests of txregistry.logs: the logs as the settings say."""

from __future__ import annotations

import json
import os
from io import StringIO
from pathlib import Path

from twisted.logger import Logger, LogPublisher, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.observe.test_accesslog import exchange
from txregistry.config import ConfigError, load
from txregistry.logs import Logs, Places, open_logs

GOOD = "version: 0.1\nstorage: inmemory\n"


class Terminal(StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """See IO."""
        return True


class LogsCase(SynchronousTestCase):
    """Logs of a configuration."""

    def setUp(self) -> None:
        """Take a folder, and streams."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.streams: tuple[StringIO, StringIO] = (StringIO(), StringIO())

    def open(self, text: str, places: Places | None = None) -> Logs:
        """Open the logs of a configuration; FOLDER in it is the folder."""
        config = self.folder / "config.yml"
        config.write_text(GOOD + text.replace("FOLDER", str(self.folder)))
        return open_logs(load(str(config), {}), places or Places(*self.streams))

    def log(self, logs: Logs) -> None:
        """Log an event and a request."""
        for observer in logs.observers:
            Logger(namespace="txregistry.x", observer=LogPublisher(observer)).info("hi")
        for watcher in logs.watchers:
            watcher.ended(exchange())

    def shown(self, text: str) -> tuple[str, str]:
        """Return what goes to the streams as a configuration says."""
        self.log(self.open(text))
        application, access = self.streams
        return application.getvalue(), access.getvalue()


class FormTests(LogsCase):
    """What lines look like."""

    def test_default(self) -> None:
        """Unless the settings say otherwise lines are text and combined."""
        application, access = self.shown("")
        self.assertIn(' level=info msg="hi" logger=txregistry.x\n', application)
        self.assertTrue(access.startswith("192.0.2.7 - alice ["))

    def test_json(self) -> None:
        """Where the log is JSON the access log is, too."""
        application, access = self.shown("log: {formatter: json, fields: {a: b}}")
        lines = json.loads(application), json.loads(access)
        self.assertEqual(("hi", "PUT"), (lines[0]["msg"], lines[1]["method"]))
        self.assertEqual(["b", "b"], [line["a"] for line in lines])

    def test_logstash(self) -> None:
        """For Logstash it is, too."""
        application, access = self.shown("log: {formatter: logstash}")
        self.assertEqual("hi", json.loads(application)["message"])
        self.assertEqual("PUT", json.loads(access)["method"])

    def test_mixed(self) -> None:
        """The access log can be of another form."""
        text = "log: {formatter: json, accesslog: {format: combined}}"
        application, access = self.shown(text)
        self.assertEqual("hi", json.loads(application)["msg"])
        self.assertTrue(access.startswith("192.0.2.7 - alice ["))

    def test_level(self) -> None:
        """Lines below the level are left out; those for requests have none."""
        application, access = self.shown("log: {level: warn}")
        self.assertEqual(("", 1), (application, access.count("\n")))

    def test_caller(self) -> None:
        """Callers are reported where they are to be."""
        application, _ = self.shown("log: {reportcaller: true}")
        self.assertIn("test_logs.py:", application)

    def test_disabled(self) -> None:
        """The access log can be off."""
        self.assertEqual("", self.shown("log: {accesslog: {disabled: true}}")[1])

    def test_terminal(self) -> None:
        """On a terminal lines are short, unless the settings ask for a form."""
        self.patch(os, "environ", {"TERM": "xterm"})
        for text, starts in (
            ("", ("\x1b[2m", "\x1b[2m")),
            ("log: {accesslog: {format: combined}}", ("\x1b[2m", "192.")),
            ("log: {formatter: json}", ("{", "{")),
        ):
            self.streams = Terminal(), Terminal()
            shown = self.shown(text)
            self.assertTrue(shown[0].startswith(starts[0]), shown)
            self.assertTrue(shown[1].startswith(starts[1]), shown)

    def test_no_colours(self) -> None:
        """Who wants no colours gets none."""
        for environ in ({"TERM": "dumb"}, {}, {"TERM": "xterm", "NO_COLOR": "1"}):
            self.patch(os, "environ", environ)
            self.streams = Terminal(), Terminal()
            self.assertNotIn("\x1b", "".join(self.shown("")))


class PlaceTests(LogsCase):
    """Where lines go."""

    def test_files(self) -> None:
        """The settings may name files."""
        text = "log: {file: FOLDER/a, accesslog: {file: FOLDER/b}}"
        self.assertEqual(("", ""), self.shown(text))
        self.assertIn("hi", (self.folder / "a").read_text())
        self.assertIn("PUT", (self.folder / "b").read_text())

    def test_rotation(self) -> None:
        """Files are put aside as the settings say."""
        logs = self.open("log: {rotate: {size: 4096, keep: 1}, file: FOLDER/a}")
        for _ in range(150):
            self.log(logs)
        names = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(["a", "a.1", "config.yml"], names)

    def test_one_file(self) -> None:
        """Both may go to the same one."""
        text = "log: {file: FOLDER/a, accesslog: {file: FOLDER/../FOLDERNAME/a}}"
        logs = self.open(text.replace("FOLDERNAME", self.folder.name))
        self.log(logs)
        self.assertEqual(1, len(logs.outputs))
        self.assertEqual(2, (self.folder / "a").read_text().count("\n"))

    def test_given_file(self) -> None:
        """Whoever opens them may name one file for both."""
        self.log(self.open("", Places(str(self.folder / "a"))))
        self.assertEqual(2, (self.folder / "a").read_text().count("\n"))

    def test_somebody_elses(self) -> None:
        """If the log is somebody else's, requests are events of Twisted's logger."""
        logs = self.open("", Places(None, is_ours=False))
        self.assertEqual([], list(logs.observers))
        with capturedLogs() as events:
            self.log(logs)
        (line,) = [formatEvent(event) for event in events]
        self.assertTrue(line.startswith("192.0.2.7 - alice ["))

    def test_no_streams(self) -> None:
        """Without streams files are written, and what has none goes nowhere."""
        logs = self.open("log: {file: FOLDER/a}", Places(None, None))
        self.log(logs)
        self.assertEqual(2, (self.folder / "a").read_text().count("\n"))
        with capturedLogs() as events:
            self.log(self.open("", Places(None, None)))
        self.assertEqual([], events)

    def test_linked(self) -> None:
        """A file and a link to it are one file."""
        (self.folder / "b").symlink_to("a")
        logs = self.open("log: {file: FOLDER/b, accesslog: {file: FOLDER/a}}")
        self.assertEqual(1, len(logs.outputs))

    def test_unwritable(self) -> None:
        """A file that cannot be written is named with its key, and why."""
        for text, key in (
            ("log: {file: /nowhere/a}", "log.file"),
            ("log: {accesslog: {file: FOLDER}}", "log.accesslog.file"),
        ):
            error = self.assertRaises(ConfigError, self.open, text)
            self.assertRegex(str(error), rf"config\.yml:3: {key}: /\S+ cannot be wr")
            self.assertNotIn("\n", str(error))

    def test_reopen(self) -> None:
        """Files that were put aside are left, and new ones begun."""
        logs = self.open("log: {file: FOLDER/a}")
        self.log(logs)
        (self.folder / "a").rename(self.folder / "old")
        logs.reopen()
        self.log(logs)
        for name in ("a", "old"):
            self.assertEqual(1, (self.folder / name).read_text().count("hi"))

    def test_cannot_reopen(self) -> None:
        """A file that cannot be begun anew goes on, which the log says."""
        logs = self.open("log: {file: FOLDER/a}")
        (self.folder / "a").rename(self.folder / "old")
        (self.folder / "a").mkdir()
        with capturedLogs() as events:
            logs.reopen()
        self.log(logs)
        (line,) = [formatEvent(event) for event in events]
        self.assertIn("going on in the old one", line)
        self.assertIn("hi", (self.folder / "old").read_text())
