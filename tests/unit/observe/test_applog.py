"""Tests of txregistry.observe.applog, entries and formats: events as lines."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txregistry.current import request_id
from txregistry.observe.applog import ApplicationLog
from txregistry.observe.formats import (
    Format,
    JSONFormat,
    LogstashFormat,
    TerminalFormat,
    TextFormat,
)
from txregistry.observe.outputs import StreamOutput

LEVELS = ("debug", "info", "warn", "error", "critical")


class LogCase(SynchronousTestCase):
    """An application log, and a logger that it observes."""

    def logger(
        self,
        write: Format,
        level: str = "debug",
        reports_caller: bool = False,
        namespace: str = "txregistry.web.app",
    ) -> Logger:
        """Make a logger; what is written of it is in ``stream``."""
        self.stream = StringIO()
        output = StreamOutput(self.stream, "a string")
        log = ApplicationLog(output, write, level, reports_caller)
        return Logger(namespace=namespace, observer=LogPublisher(log))

    def written(self) -> str:
        """Return what was written."""
        return self.stream.getvalue()

    def line(self) -> dict[str, Any]:
        """Return the one line that was written, read as JSON."""
        (line,) = self.written().splitlines()
        found = json.loads(line)
        assert isinstance(found, dict)
        return found


def failure(message: str) -> Failure:
    """Return a failure with a traceback."""
    return Failure(RuntimeError(message))


class LevelTests(LogCase):
    """Which events are written."""

    def levels(self, level: str, namespace: str) -> list[str]:
        """Log an event of each severity; return which are written."""
        log = self.logger(TextFormat({}), level, namespace=namespace)
        for each in LEVELS:
            log.emit(LogLevel.levelWithName(each), "{each}", each=each)
        return re.findall('msg="(.*?)"', self.written())

    def test_ours(self) -> None:
        """Our events are written from the level on that is asked for."""
        for index, level in enumerate(LEVELS[:4]):
            self.assertEqual(
                list(LEVELS[index:]), self.levels(level, "txregistry.web.site")
            )

    def test_others(self) -> None:
        """Twisted's events are written from warnings on, or later."""
        for namespace in ("twisted.internet", "log_legacy", "-"):
            for level in ("debug", "info", "warn"):
                written = self.levels(level, namespace)
                self.assertEqual(["warn", "error", "critical"], written)
            self.assertEqual(["error", "critical"], self.levels("error", namespace))


class TextTests(LogCase):
    """Lines of text in a pipe."""

    def test_line(self) -> None:
        """A line has time, level, message, logger, and the fields of the settings."""
        log = self.logger(TextFormat({"service": "registry", "rack": 7, "in": "a b"}))
        log.warn("{count} tries", count=3)
        self.assertRegex(
            self.written(),
            r'^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z" level=warning '
            r'msg="3 tries" logger=txregistry\.web\.app service=registry rack=7 '
            r'in="a b"\n$',
        )

    def test_forged(self) -> None:
        """Nothing that a message quotes can pass for the line's own, or a line."""
        log = self.logger(TextFormat({}))
        log.info("{path}", path='/a" level=error msg="\nb\\\x1b[31m\u2028')
        (line,) = self.written().splitlines()
        self.assertIn(r'msg="/a\" level=error msg=\"\nb\\\x1b[31m\u2028" logger=', line)

    def test_failure(self) -> None:
        """A failure is named in the line; its traceback is below, and indented."""
        log = self.logger(TextFormat({}))
        log.failure("broken", failure('x\ntime="now"'))
        first, *rest = self.written().splitlines()
        self.assertIn(r'error="RuntimeError: x\ntime=\"now\""', first)
        self.assertIn("    Traceback", rest[0])
        self.assertEqual([], [line for line in rest if not line.startswith("    ")])

    def test_caller(self) -> None:
        """The line of the code is there if it is asked for."""
        self.logger(TextFormat({}), reports_caller=True).info("here")
        self.assertRegex(self.written(), r'caller="\S*/test_applog\.py:\d+"')


class TerminalTests(LogCase):
    """Lines of text on a terminal."""

    def test_columns(self) -> None:
        """Lines are short: time of day, level, message, all in columns."""
        log = self.logger(TerminalFormat(coloured=False))
        log.info("one")
        log.error("two")
        time = r"\d\d:\d\d:\d\d"
        self.assertRegex(self.written(), f"^{time} INFO  one\n{time} ERROR two\n$")

    def test_colours(self) -> None:
        """With colours a line ends as plain as it begins, and control is escaped."""
        self.logger(TerminalFormat(coloured=True)).warn("a\x1b[2Jb")
        self.assertIn("\x1b[33mWARN \x1b[0m a\\x1b[2Jb\n", self.written())

    def test_details(self) -> None:
        """Request and failure are behind the message."""
        log = self.logger(TerminalFormat(coloured=False), reports_caller=True)
        log.failure("broken", failure("x"), request_id="0123456789")
        first, *rest = self.written().splitlines()
        self.assertRegex(first, r"CRIT  broken: RuntimeError: x 01234567 \S+:\d+$")
        self.assertTrue(rest[0].startswith("    Traceback"))


class JSONTests(LogCase):
    """Lines of JSON."""

    def test_line(self) -> None:
        """A line has what there is to know, and the event's own fields by name."""
        self.logger(JSONFormat({"service": "r"})).info("{a} is", a="b", n=1)
        line = self.line()
        self.assertRegex(line.pop("time"), r"^\d{4}-\d\d-\d\dT[0-9:]{8}\.\d{3}Z$")
        self.assertEqual(
            {
                "level": "info",
                "msg": "b is",
                "logger": "txregistry.web.app",
                "a": "b",
                "n": 1,
                "service": "r",
            },
            line,
        )

    def test_values(self) -> None:
        """Only fields that are JSON values are there."""
        values = {"good": {"x": [1.5, None, True]}, "f": 0.5}
        bad = {"a": object(), "b": b"x", "c": float("nan"), "d": [object()], "e": {1j}}
        self.logger(JSONFormat({})).info("x", **values, **bad)
        line = self.line()
        self.assertEqual(values, {key: line[key] for key in values})
        self.assertFalse(bad.keys() & line.keys())

    def test_clash(self) -> None:
        """A field with the name of another one is there under a longer name."""
        self.logger(JSONFormat({"msg": "theirs", "a": 2})).info("x", time=7, a=1)
        line = self.line()
        self.assertEqual((str, 7), (type(line["time"]), line["fields.time"]))
        self.assertEqual(("x", "theirs"), (line["msg"], line["fields.msg"]))
        self.assertEqual((1, 2), (line["a"], line["fields.a"]))

    def test_failure(self) -> None:
        """A failure and its traceback are fields of the one line."""
        self.logger(JSONFormat({})).failure("broken", failure("x\ny"))
        line = self.line()
        self.assertEqual("RuntimeError: x\ny", line["error"])
        self.assertIn("Traceback", line["traceback"])
        self.assertEqual("critical", line["level"])

    def test_broken_text(self) -> None:
        """What is no text at all is a line nevertheless."""
        self.logger(JSONFormat({})).info("{a}", a="\udcff\x7f\x00")
        self.assertEqual("\udcff\x7f\x00", self.line()["msg"])

    def test_logstash(self) -> None:
        """For Logstash the names are those that it knows."""
        self.logger(LogstashFormat({"service": "r"})).error("x")
        line = self.line()
        self.assertEqual("1", line["@version"])
        self.assertTrue(line["@timestamp"].endswith("Z"))
        self.assertEqual(("x", "error"), (line["message"], line["level"]))
        self.assertEqual("r", line["service"])


class RequestTests(LogCase):
    """The request that a line is about."""

    def setUp(self) -> None:
        """Make the logger."""
        self.log = self.logger(JSONFormat({}))

    def ids(self) -> list[object]:
        """Return the request ids of the lines."""
        lines = map(json.loads, self.written().splitlines())
        return [line.get("request_id") for line in lines]

    def test_none(self) -> None:
        """A line that no request causes names none."""
        self.log.info("x")
        self.assertEqual([None], self.ids())

    def test_coroutine(self) -> None:
        """A coroutine's lines name the request that it was started in."""
        waiting: Deferred[None] = Deferred()

        async def work() -> None:
            self.log.info("before")
            await waiting
            self.log.info("after")

        token = request_id.set("one")
        Deferred.fromCoroutine(work())
        request_id.reset(token)
        waiting.callback(None)
        self.log.info("other")
        self.assertEqual(["one", "one", None], self.ids())

    def test_field(self) -> None:
        """An event that names its request knows better."""
        token = request_id.set("one")
        self.log.info("x", request_id="two")
        request_id.reset(token)
        self.assertEqual(["two"], self.ids())


class LegacyTests(LogCase):
    """Events of twisted.python.log."""

    def test_fields(self) -> None:
        """They have none of the fields that are only Twisted's."""
        log = self.logger(JSONFormat({}))
        log.warn("{log_text}", log_text="old", isError=0, message=("old",), time=1)
        line = self.line()
        self.assertEqual("old", line["msg"])
        self.assertFalse({"isError", "message", "fields.time"} & line.keys())
