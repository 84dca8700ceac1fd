"""Tests of txregistry.observe.accesslog and accessformats: requests as lines."""

from __future__ import annotations

import json
import os
import re
import time
from io import StringIO
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces import Exchange, Hit, IRequestWatcher
from txregistry.observe.accessformats import (
    AccessFormat,
    CombinedFormat,
    JSONAccessFormat,
    TerminalAccessFormat,
)
from txregistry.observe.accesslog import AccessLog
from txregistry.observe.outputs import StreamOutput

COMBINED = re.compile(
    r'(\S+) - (\S+) \[([^]]+)\] "(\S+) (\S+) (\S+)" (\d{3}) (\d+) "([^"]*)" "([^"]*)"\n'
)


def exchange(**changes: Any) -> Exchange:
    """Return what came of a request."""
    facts: dict[str, Any] = {
        "id": "0a1b2c3d-4e5f",
        "began": 1136239445.25,
        "seconds": 0.0123,
        "address": "192.0.2.7",
        "user": "alice",
        "method": "PUT",
        "uri": "/v2/apps/shop/manifests/1.0",
        "protocol": "HTTP/1.1",
        "referer": None,
        "agent": "docker/27",
        "route": "manifest",
        "repository": "apps/shop",
        "reference": "1.0",
        "status": 201,
        "received": 1234,
        "sent": 0,
    }
    return Exchange(**{**facts, **changes})


class FormatCase(SynchronousTestCase):
    """Formats, somewhere in a known time zone."""

    def setUp(self) -> None:
        """Move to a zone 7 hours behind UTC."""
        before = os.environ.get("TZ")
        os.environ["TZ"] = "MST7"
        time.tzset()

        def go_back() -> None:
            os.environ.pop("TZ")
            if before is not None:
                os.environ["TZ"] = before
            time.tzset()

        self.addCleanup(go_back)

    def columns(self, **changes: Any) -> tuple[str, ...]:
        """Return the columns of a line in the combined format."""
        match = COMBINED.fullmatch(CombinedFormat()(exchange(**changes)))
        assert match is not None
        return match.groups()


class CombinedTests(FormatCase):
    """The combined format."""

    def test_line(self) -> None:
        """A line is Apache's, byte for byte, with who sent the request."""
        self.assertEqual(
            "192.0.2.7 - alice [02/Jan/2006:15:04:05 -0700] "
            '"PUT /v2/apps/shop/manifests/1.0 HTTP/1.1" 201 0 "-" "docker/27"\n',
            CombinedFormat()(exchange()),
        )

    def test_unknown(self) -> None:
        """What is not known is a dash."""
        columns = self.columns(user=None, referer=None, agent=None)
        self.assertEqual(("-", "-", "-"), (columns[1], *columns[8:]))

    def test_forged(self) -> None:
        """Nothing that a client sends can pass for another column, or a line."""
        nasty = 'a" "b\\\n\x1b\xff 1'
        columns = self.columns(referer=nasty, agent=nasty)
        escaped = r"a\x22 \x22b\x5c\x0a\x1b\xff 1"
        self.assertEqual((escaped, escaped), columns[8:])

    def test_user(self) -> None:
        """A user's name is one column, whatever is in it."""
        for name, shown in (
            ("a b [c]", r"a\x20b\x20[c]"),
            ("€", r"\xe2\x82\xac"),
            ("\udc80", r"\x3f"),
        ):
            self.assertEqual(shown, self.columns(user=name)[1])

    def test_time(self) -> None:
        """Each line has its own second."""
        write = CombinedFormat()
        lines = [write(exchange(began=began)) for began in (0.0, 0.9, 1.0, 86400.0)]
        seconds = [re.findall(r"\[(.*) -0700\]", line)[0] for line in lines]
        self.assertEqual(
            [
                "31/Dec/1969:17:00:00",
                "31/Dec/1969:17:00:00",
                "31/Dec/1969:17:00:01",
                "01/Jan/1970:17:00:00",
            ],
            seconds,
        )


class JSONTests(FormatCase):
    """The JSON format."""

    def test_line(self) -> None:
        """A line has all that is known, and the fields of the settings."""
        (line,) = JSONAccessFormat({"service": "r"})(exchange()).splitlines()
        self.assertEqual(
            {
                "time": "2006-01-02T22:04:05.250Z",
                "logger": "access",
                "request_id": "0a1b2c3d-4e5f",
                "remote": "192.0.2.7",
                "user": "alice",
                "method": "PUT",
                "uri": "/v2/apps/shop/manifests/1.0",
                "protocol": "HTTP/1.1",
                "route": "manifest",
                "repository": "apps/shop",
                "reference": "1.0",
                "status": 201,
                "bytes_in": 1234,
                "bytes_out": 0,
                "duration": 0.0123,
                "referer": None,
                "user_agent": "docker/27",
                "service": "r",
            },
            json.loads(line),
        )

    def test_unknown(self) -> None:
        """What is not known is null."""
        names = ("user", "repository", "reference", "referer")
        changes = dict.fromkeys((*names, "agent"))
        line = json.loads(JSONAccessFormat({})(exchange(**changes)))
        shown = [line[name] for name in (*names, "user_agent")]
        self.assertEqual([None] * 5, shown)

    def test_text(self) -> None:
        """What a client sends comes back as it was, and is one line."""
        nasty = 'a" "b\\\n\x1b\xff€\u2028'
        text = JSONAccessFormat({})(exchange(agent=nasty, uri=nasty, user=nasty))
        line = json.loads(text)
        self.assertEqual(1, len(text.splitlines()))
        found = {line[name] for name in ("user_agent", "uri", "user")}
        self.assertEqual({nasty}, found)

    def test_clash(self) -> None:
        """A field of the settings with a name of ours has a longer one."""
        line = json.loads(JSONAccessFormat({"user": "x", "a": [1]})(exchange()))
        self.assertEqual(("alice", "x"), (line["user"], line["fields.user"]))
        self.assertEqual([1], line["a"])


class TerminalTests(FormatCase):
    """The form for a terminal."""

    def test_line(self) -> None:
        """A line is short."""
        self.assertEqual(
            "15:04:05 201   PUT    /v2/apps/shop/manifests/1.0 "
            "12 ms 1.2 kB alice 0a1b2c3d\n",
            TerminalAccessFormat(coloured=False)(exchange()),
        )

    def test_colours(self) -> None:
        """Its status has a colour, and nothing that a client sends has one."""
        write = TerminalAccessFormat(coloured=True)
        for status, code in ((200, 32), (304, 36), (404, 33), (500, 31), (100, 2)):
            line = write(exchange(status=status, uri="/\x1b[31m", user=None, sent=5))
            self.assertIn(f"\x1b[{code}m{status}  \x1b[0m", line)
            self.assertIn(r"/\x1b[31m", line)

    def test_size(self) -> None:
        """Sizes are of three digits or so."""
        write = TerminalAccessFormat(coloured=False)
        for size, shown in ((0, "0 B"), (999, "999 B"), (5_300_000_000, "5.3 GB")):
            self.assertIn(f" ms {shown} ", write(exchange(sent=size, received=0)))
        self.assertIn(" 5000.0 TB ", write(exchange(received=5 * 10**15)))


class LogTests(SynchronousTestCase):
    """The log."""

    def test_interface(self) -> None:
        """It watches requests, and writes each when it has ended."""
        stream = StringIO()
        write: AccessFormat = CombinedFormat()
        log = AccessLog(StreamOutput(stream, "a string"), write)
        verifyObject(IRequestWatcher, log)
        log.began("manifest", "PUT")
        self.assertEqual("", stream.getvalue())
        log.ended(exchange())
        self.assertEqual(write(exchange()), stream.getvalue())

    def test_alike(self) -> None:
        """The lines of requests that are alike are those that each would have."""
        hits = [
            Hit("an id", 1136239445.25, 0.0123, "192.0.2.7"),
            Hit('the "other"', 1136239446.5, 1.5, "2001:db8::1"),
        ]
        formats = (
            CombinedFormat(),
            JSONAccessFormat({}),
            JSONAccessFormat({"environment": "test"}),
            TerminalAccessFormat(coloured=True),
        )
        for write in formats:
            for like in (exchange(), exchange(user=None, agent=None, referer="/\xe9")):
                stream = StringIO()
                log = AccessLog(StreamOutput(stream, "a string"), write)
                for hit in hits:
                    log.ended(evolve(like, **hit._asdict()))
                expected = stream.getvalue()
                log.ended_alike(like, hits)
                log.told()
                self.assertEqual(2 * expected, stream.getvalue())

    def test_none_alike(self) -> None:
        """Of no requests there is no line."""
        stream = StringIO()
        log = AccessLog(StreamOutput(stream, "a string"), CombinedFormat())
        log.ended_alike(exchange(), [])
        log.told()
        self.assertEqual("", stream.getvalue())
