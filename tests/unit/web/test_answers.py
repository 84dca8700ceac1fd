"""Tests of txregistry.web.answers: errors on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from werkzeug.exceptions import Gone, RequestTimeout

from txregistry.interfaces import PathNotFound, StorageError, StorageFull
from txregistry.oci.errors import (
    BlobUnknown,
    Denied,
    ManifestBlobUnknown,
    ManifestUnknown,
    NameUnknown,
    RegistryError,
    Several,
    StorageExhausted,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from txregistry.testing.wire import Answer, Wire
from txregistry.web.answers import raw_answer, send_bytes
from txregistry.web.app import Frame, make_resource
from txregistry.web.endpoints import Endpoint


class FailingRoutes:
    """An endpoint that fails."""

    def __init__(self, error: Exception, first: Callable[[Any], None]) -> None:
        """Take what it fails with, and what it does to a request before."""
        self._error = error
        self._first = first

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        return [Endpoint("fail", "GET", "/", self._fail, None)]

    def _fail(self, request: Any) -> None:
        self._first(request)
        raise self._error


def nothing(_request: Any) -> None:
    """Do nothing to a request."""


class EnvelopeTests(SynchronousTestCase):
    """The error envelope."""

    def test_one(self) -> None:
        """An error has a code, a message and, if there is one, a detail."""
        expected = {
            "code": "BLOB_UNKNOWN",
            "message": "blob unknown to registry",
            "detail": "sha256:1",
        }
        self.assertEqual({"errors": [expected]}, BlobUnknown("sha256:1").to_document())
        without = {key: expected[key] for key in ("code", "message")}
        self.assertEqual({"errors": [without]}, BlobUnknown().to_document())

    def test_several(self) -> None:
        """Several errors are all in it, in order."""
        error = Several([ManifestBlobUnknown("1"), Denied(), ManifestBlobUnknown("2")])
        content: Any = error.to_document()
        codes = [each["code"] for each in content["errors"]]
        self.assertEqual(
            ["MANIFEST_BLOB_UNKNOWN", "DENIED", "MANIFEST_BLOB_UNKNOWN"], codes
        )

    def test_raw(self) -> None:
        """To what never was a request the envelope is a whole answer by itself."""
        head, _, body = raw_answer(BlobUnknown()).partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 404 Not Found\r\n"))
        self.assertIn(b"Docker-Distribution-Api-Version: registry/2.0\r\n", head)
        self.assertIn(b"Connection: close", head)
        self.assertIn(f"Content-Length: {len(body)}".encode(), head)
        self.assertEqual(BlobUnknown().to_document(), json.loads(body))

    def test_unknown_status(self) -> None:
        """A status that HTTP does not know has a phrase all the same."""
        error = RegistryError()
        error.status = 599
        self.assertIn(b"HTTP/1.1 599 Unknown\r\n", raw_answer(error))

    def test_status_unknown_to_twisted(self) -> None:
        """What the registry answers and Twisted has no words for is named."""
        self.assertIn(b"429 Too Many Requests\r\n", raw_answer(TooManyRequests()))


class FailureTests(SynchronousTestCase):
    """What becomes of a route's failure."""

    def fail_with(
        self,
        error: Exception,
        first: Callable[[Any], None] = nothing,
        header: bytes = b"",
    ) -> Wire:
        """Ask a route that fails; return the connection."""
        resource = make_resource([FailingRoutes(error, first)], Frame())
        wire = Wire(resource)
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + header + b"\r\n")
        return wire

    def answer(self, error: Exception) -> Answer:
        """Ask a route that fails; return the answer."""
        return self.fail_with(error).answer()

    def test_ours(self) -> None:
        """An error of the registry's has its status, headers and envelope."""
        answer = self.answer(Denied("x", headers={"Retry-After": "7"}))
        self.assertEqual((403, "7"), (answer.status, answer.header("retry-after")))
        self.assertEqual(Denied("x").to_document(), json.loads(answer.body))

    def test_several(self) -> None:
        """Of several errors the first one's status is the answer's."""
        answer = self.answer(Several([Denied(), BlobUnknown()]))
        self.assertEqual(403, answer.status)

    def test_storage_full(self) -> None:
        """A full store is a 507."""
        answer = self.answer(StorageFull())
        self.assertEqual(507, answer.status)
        self.assertIn(b"UNAVAILABLE", answer.body)

    def test_storage_broken(self) -> None:
        """A store that does not work is a 503, and one line in the log says why."""
        with capturedLogs() as events:
            answer = self.answer(StorageError("disk: read-only: /the/path"))
        self.assertEqual(503, answer.status)
        self.assertIn(b"UNAVAILABLE", answer.body)
        self.assertNotIn(b"/the/path", answer.body)
        lines = [formatEvent(event) for event in events]
        self.assertEqual(["GET /: disk: read-only: /the/path"], lines)
        self.assertEqual([], self.flushLoggedErrors())

    def logged(self, error: Exception) -> list[tuple[str, str]]:
        """Return level and text of what a failure's answer logs."""
        with capturedLogs() as events:
            self.answer(error)
        return [(event["log_level"].name, formatEvent(event)) for event in events]

    def test_refusal(self) -> None:
        """Why a request is refused is one line in the log."""
        for error, level, reason in (
            (Denied(), "info", f"403 DENIED, {Denied.message}"),
            (Denied({"a": "b"}), "info", f'403 DENIED, {Denied.message}: {{"a": "b"}}'),
            (StorageFull(), "warn", f"507 UNAVAILABLE, {StorageExhausted.message}"),
            (Unavailable("x"), "info", f"503 UNAVAILABLE, {Unavailable.message}: x"),
            (
                Several([ManifestBlobUnknown("1"), Denied("2")]),
                "info",
                f"400 MANIFEST_BLOB_UNKNOWN, {ManifestBlobUnknown.message}: 1; "
                f"DENIED, {Denied.message}: 2",
            ),
        ):
            self.assertEqual([(level, f"GET / refused: {reason}")], self.logged(error))

    def test_code(self) -> None:
        """The line has the code by itself; that of several is the first one's."""
        for error in (Denied(), Several([Denied(), BlobUnknown()])):
            with capturedLogs() as events:
                self.answer(error)
            self.assertEqual(("DENIED", 403), (events[0]["code"], events[0]["status"]))

    def test_routine(self) -> None:
        """What clients try is logged for those who look for faults only."""
        for error in (BlobUnknown(), ManifestUnknown(), NameUnknown(), Unauthorized()):
            ((level, line),) = self.logged(error)
            self.assertEqual("debug", level)
            self.assertIn(error.code, line)

    def test_wrong_password(self) -> None:
        """A password that does not hold is logged; a token is, too, for who looks."""
        for scheme, level in ((b"Basic YTpi", "info"), (b"Bearer abc", "debug")):
            header = b"Authorization: " + scheme + b"\r\n"
            with capturedLogs() as events:
                self.fail_with(Unauthorized(), header=header)
            self.assertEqual([level], [event["log_level"].name for event in events])
            self.assertNotIn("YTpi", formatEvent(events[0]))

    def test_long_reason(self) -> None:
        """However much there is to say, the line has an end."""
        ((_, line),) = self.logged(Several([Denied("x" * 50)] * 50))
        self.assertLess(len(line), 600)

    def test_request_id(self) -> None:
        """Line and answer name the same request."""
        with capturedLogs() as events:
            answer = self.answer(Denied())
        self.assertEqual(events[0]["request_id"], answer.header("x-request-id"))

    def test_anything_else(self) -> None:
        """Anything else is a 500 that says nothing, and a traceback in the log.

        A path that nobody expected to be missing is a mistake of ours.
        """
        for error in (PathNotFound("/the/secret", "disk"), ValueError("the secret")):
            answer = self.answer(error)
            self.assertEqual(500, answer.status)
            self.assertEqual(RegistryError().to_document(), json.loads(answer.body))
            self.assertEqual(1, len(self.flushLoggedErrors(type(error))))

    def test_router(self) -> None:
        """What the router refuses in other ways is a 400."""
        for error in (Gone(), RequestTimeout()):
            self.assertEqual(400, self.answer(error).status)

    def test_connection_kept(self) -> None:
        """After a refusal the next request is answered on the same connection."""
        wire = self.fail_with(Denied())
        self.assertEqual(403, wire.answer().status)
        self.assertEqual(403, wire.request("GET", "/").status)

    def test_begun(self) -> None:
        """An answer that has begun is cut, whatever it fails with."""

        def begin(request: Any) -> None:
            send_bytes(request, 200, b"half", {"Content-Length": "8"})

        for error in (Denied(), StorageFull()):
            wire = self.fail_with(error, begin)
            self.assertTrue(wire.transport.disconnecting)
            self.assertTrue(wire.transport.value().endswith(b"\r\n\r\nhalf"))
