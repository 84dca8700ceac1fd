"""Tests of traces, as somebody gets them who collects them by OTLP."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from attrs import frozen
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.real.case import RealTestCase
from tests.real.commands import need
from tests.real.daemons import free_port
from tests.real.images import make_image, make_layer, push_image, write_layout
from tests.real.receivers import Receiver, endpoint, notifications, wait_until
from tests.real.registries import Registry, installed
from tests.real.skopeo import Skopeo
from tests.real.wire import ACCEPT_ALL, Answer, Wire

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CLIENT_ID = "b7ad6b7169203331"
NAME, TAG = "some/name", "v1"
COLLECTED = "/v1/traces"
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100"}  # milliseconds
NEVER = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}


@frozen
class Collected:
    """A span as a collector gets it.

    Attributes:
        service: Whose it is.
        span: The span.
    """

    service: str
    span: Span

    @property
    def name(self) -> str:
        """What it is called."""
        return self.span.name

    @property
    def trace_id(self) -> str:
        """Its trace."""
        return self.span.trace_id.hex()

    @property
    def span_id(self) -> str:
        """What it is known by."""
        return self.span.span_id.hex()

    @property
    def parent_id(self) -> str:
        """What it is a part of; empty: nothing."""
        return self.span.parent_span_id.hex()

    @property
    def attributes(self) -> Mapping[str, object]:
        """What it tells."""
        return _read(self.span.attributes)


class TracedWire(Wire):
    """A client that traces what it does."""

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: int | None = None,
    ) -> Answer:
        """See Wire."""
        traced = {"traceparent": f"00-{TRACE_ID}-{CLIENT_ID}-01", **(headers or {})}
        return super().ask(method, target, body, traced, expect)


class TracingCase(RealTestCase):
    """A registry that is traced, and a receiver that gets spans and events."""

    def setUp(self) -> None:
        """Start the receiver."""
        self.receiver = self.server(Receiver(self.folder())).start()

    def traced(self, env: Mapping[str, str], target: str | None = None) -> Registry:
        """Start a registry.

        Args:
            env: Variables to set.
            target: Where spans go; None: to the receiver.
        """
        url = target or self.receiver.url(COLLECTED, status=200)
        settings = notifications(endpoint("hook", self.receiver.url("/hook")))
        made = Registry(
            self.folder(),
            kind="txregistry",
            settings=settings,
            env={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url, **env},
        )
        return self.server(made).start()

    def push(self, registry: Registry) -> None:
        """Push an image within a trace, and wait until all of it is told."""
        wire = TracedWire(registry.port)
        try:
            push_image(wire, NAME, TAG, make_image([make_layer({"a": b"b"})]))
        finally:
            wire.close()
        self.receiver.wait_for_events(3, "/hook")

    def collected(self) -> list[Collected]:
        """Return the spans that have come, but for questions whether it serves."""
        all_spans = [
            Collected(str(_read(of_process.resource.attributes)["service.name"]), span)
            for message in self.receiver.messages(COLLECTED)
            for of_process in ExportTraceServiceRequest.FromString(
                message.body
            ).resource_spans
            for scope in of_process.scope_spans
            for span in scope.spans
        ]
        return [each for each in all_spans if each.attributes.get("url.path") != "/v2/"]


class PushTests(TracingCase):
    """A push has a trace."""

    def test_whole(self) -> None:
        """All that a push causes is in its trace, each a part of what caused it."""
        registry = self.traced(SOON)
        self.push(registry)
        registry.stop()
        spans = self.collected()
        self.assertEqual({(TRACE_ID, "txregistry")}, {_origin(each) for each in spans})
        requests = _of_kind(spans, Span.SPAN_KIND_SERVER)
        parts = _of_kind(spans, Span.SPAN_KIND_INTERNAL)
        posts = _of_kind(spans, Span.SPAN_KIND_CLIENT)
        self.assertEqual({CLIENT_ID}, {each.parent_id for each in requests.values()})
        names = sorted(each.name for each in requests.values())
        upload = "/v2/{name}/blobs/uploads/"
        expected = [
            *["PATCH " + upload + "{session_id}"] * 2,
            *["POST " + upload] * 2,
            "PUT /v2/{name}/blobs/uploads/{session_id}",
            "PUT /v2/{name}/blobs/uploads/{session_id}",
            "PUT /v2/{name}/manifests/{tag_or_digest}",
        ]
        self.assertEqual(expected, names)
        with_parts = {requests[each.parent_id].name for each in parts.values()}
        # To begin an upload is nothing in the store.
        self.assertEqual({e for e in expected if e[:4] != "POST"}, with_parts)
        self.assertLess(
            {"filesystem:Writer", "filesystem:Batch", "filesystem:PutContent"},
            {each.name for each in parts.values()},
        )
        self.assertEqual(3, len(posts))
        pushes = sorted(requests[each.parent_id].name for each in posts.values())
        self.assertEqual(expected[-3:], pushes)
        sent = {each.headers["traceparent"] for each in self.receiver.messages("/hook")}
        self.assertEqual({f"00-{TRACE_ID}-{each}-01" for each in posts}, sent)

    def test_inside(self) -> None:
        """What a request does lies within it in time; nothing has failed."""
        registry = self.traced(SOON)
        self.push(registry)
        registry.stop()
        spans = self.collected()
        requests = _of_kind(spans, Span.SPAN_KIND_SERVER)
        for part in _of_kind(spans, Span.SPAN_KIND_INTERNAL).values():
            whole = requests[part.parent_id].span
            self.assertLessEqual(whole.start_time_unix_nano, _began(part))
            self.assertLessEqual(part.span.end_time_unix_nano, whole.end_time_unix_nano)
        failed = [e for e in spans if e.span.status.code == Status.STATUS_CODE_ERROR]
        self.assertEqual([], failed)

    def test_attributes(self) -> None:
        """The manifest's request says what was pushed, and by whom it was asked."""
        registry = self.traced(SOON)
        self.push(registry)
        registry.stop()
        (request,) = (e for e in self.collected() if "manifests" in e.name)
        expected = {
            "http.route": "/v2/{name}/manifests/{tag_or_digest}",
            "http.response.status_code": 201,
            "url.path": f"/v2/{NAME}/manifests/{TAG}",
            "client.address": "127.0.0.1",
            "txregistry.repository": NAME,
            "txregistry.reference": TAG,
        }
        self.assertLessEqual(expected.items(), request.attributes.items())

    def test_secrets(self) -> None:
        """Nothing in a trace lets its reader go on with an upload."""
        registry = self.traced(SOON)
        self.push(registry)
        registry.stop()
        self.assertNotEqual([], self.collected())
        for message in self.receiver.messages(COLLECTED):
            self.assertNotIn(b"_state=", message.body)

    def test_skopeo(self) -> None:
        """A client that does not trace makes traces, each with what it causes."""
        need("skopeo")
        registry = self.traced(SOON)
        folder = self.folder()
        write_layout(folder / "image", make_image([make_layer({"a": b"b"})]), TAG)
        destination = f"docker://{registry.address}/{NAME}:{TAG}"
        Skopeo(folder).copy(f"oci:{folder / 'image'}:{TAG}", destination)
        self.receiver.wait_for_events(3, "/hook")
        registry.stop()
        spans = self.collected()
        requests = _of_kind(spans, Span.SPAN_KIND_SERVER)
        self.assertEqual({""}, {each.parent_id for each in requests.values()})
        self.assertEqual(
            len(requests), len({each.trace_id for each in requests.values()})
        )
        self.assertGreater(len(spans), 2 * len(requests))
        for each in spans:
            if each.span_id not in requests:
                self.assertEqual(each.trace_id, requests[each.parent_id].trace_id)

    def test_restart(self) -> None:
        """An event that has waited for a restart is told within its push's trace."""
        self.receiver.stop()
        registry = self.traced(SOON, "http://127.0.0.1:1/")
        wire = TracedWire(registry.port)
        push_image(wire, NAME, TAG, make_image([make_layer({"a": b"b"})]))
        wire.close()
        registry.stop()
        self.receiver.start()
        registry.start()
        self.receiver.wait_for_events(3, "/hook")
        sent = {
            each.headers["traceparent"][3:35]
            for each in self.receiver.messages("/hook")
        }
        self.assertEqual({TRACE_ID}, sent)


class CollectorTests(TracingCase):
    """What the registry does when its spans find nobody, or nobody who hurries."""

    def test_last(self) -> None:
        """What has not been sent yet when the registry stops is sent then."""
        registry = self.traced(NEVER)
        self.push(registry)
        self.assertEqual([], self.collected())
        registry.stop()
        self.assertGreater(len(self.collected()), 20)

    def test_absent(self) -> None:
        """Nobody there costs a line in the log, and not a request."""
        registry = self.traced(SOON, f"http://127.0.0.1:{free_port()}{COLLECTED}")
        for _ in range(3):
            self.push(registry)
            self.pull_quickly(registry)
        wait_until(lambda: "tracing:" in registry.log())
        began = time.monotonic()
        registry.stop()
        self.assertLess(time.monotonic() - began, 4)
        about = [line for line in registry.log().splitlines() if "tracing:" in line]
        lost = [line for line in about if ": spans are lost" in line]
        self.assertEqual(1, len(lost), about)
        self.assertIn("refused", lost[0])
        self.assertNotIn("Traceback", registry.log())

    def test_hanging(self) -> None:
        """Somebody who does not answer keeps neither a request nor the end waiting."""
        registry = self.traced(SOON, self.receiver.url(COLLECTED, do="hang"))
        self.push(registry)
        wait_until(lambda: bool(self.receiver.messages(COLLECTED)))
        self.push(registry)
        self.pull_quickly(registry)
        began = time.monotonic()
        registry.stop()
        self.assertLess(time.monotonic() - began, 8)
        self.assertIn("the last spans are lost", registry.log())

    def pull_quickly(self, registry: Registry) -> None:
        """Pull the manifest often; no answer waits for what a collector may take.

        That would be ten seconds, the exporter's timeout.
        """
        wire = Wire(registry.port)
        slowest = 0.0
        for _ in range(200):
            began = time.monotonic()
            wire.ask("GET", f"/v2/{NAME}/manifests/{TAG}", None, ACCEPT_ALL, 200)
            slowest = max(slowest, time.monotonic() - began)
        wire.close()
        self.assertLess(slowest, 5)


class SwitchTests(RealTestCase):
    """What tracing needs, and when."""

    def run_check(self, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Check the configuration that there is without a file."""
        return subprocess.run(
            [installed("txregistry"), "check"],
            env={**os.environ, **env},
            cwd=self.folder(),
            capture_output=True,
            text=True,
            check=False,
        )

    def without_library(self) -> Mapping[str, str]:
        """Return an environment in which OpenTelemetry is not installed."""
        folder = self.folder()
        module = Path(folder / "opentelemetry.py")
        module.write_text("raise ModuleNotFoundError('No module of that name')\n")
        return {"PYTHONPATH": str(folder)}

    def test_missing(self) -> None:
        """Without the library there is one line, which says what to install."""
        asked = {"OTEL_TRACES_EXPORTER": "otlp"}
        done = self.run_check({**self.without_library(), **asked})
        self.assertEqual(1, done.returncode)
        (line,) = done.stderr.splitlines()
        self.assertIn("OTEL_TRACES_EXPORTER", line)
        self.assertIn("txregistry[tracing]", line)

    def test_off(self) -> None:
        """Who does not ask for traces needs no library."""
        done = self.run_check(self.without_library())
        self.assertEqual(0, done.returncode, done.stderr)

    def test_console(self) -> None:
        """Spans can go to the terminal, for a look."""
        env = {"OTEL_TRACES_EXPORTER": "console", **SOON}
        registry = Registry(self.folder(), kind="txregistry", env=env)
        self.server(registry).start()
        wire = Wire(registry.port)
        wire.ask("GET", "/v2/", expect=200)
        wire.close()
        registry.stop()
        self.assertIn('"name": "GET /v2/"', registry.log())

    def test_modules(self) -> None:
        """Nothing of the library is loaded by a registry that does not trace."""
        program = (
            "import sys, txregistry.service;"
            "print([name for name in sys.modules if 'opentelemetry' in name])"
        )
        printed = subprocess.check_output([sys.executable, "-c", program], text=True)
        self.assertEqual("[]\n", printed)


def _read(attributes: Sequence[KeyValue]) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for each in attributes:
        kind = each.value.WhichOneof("value")
        found[each.key] = None if kind is None else getattr(each.value, kind)
    return found


def _origin(collected: Collected) -> tuple[str, str]:
    return collected.trace_id, collected.service


def _began(collected: Collected) -> int:
    return collected.span.start_time_unix_nano


def _of_kind(spans: Sequence[Collected], kind: object) -> dict[str, Collected]:
    """Return the spans of a kind by their identifiers."""
    return {each.span_id: each for each in spans if each.span.kind == kind}
