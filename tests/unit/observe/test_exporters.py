"""Tests of where the environment wants traces to go."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.observe.exporters import Asked, UnusableVariable, asked

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
EXPORTER = "OTEL_TRACES_EXPORTER"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
TRACES_PROTOCOL = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
URL = "http://127.0.0.1:4318"


class AskedTests(SynchronousTestCase):
    """What the standard variables mean."""

    def test_nothing(self) -> None:
        """There are no traces unless they are asked for."""
        self.assertIsNone(asked({"OTEL_SERVICE_NAME": "some", ENDPOINT: ""}))

    def test_endpoint(self) -> None:
        """An endpoint, for traces or for everything, asks for them."""
        self.assertEqual(Asked(ENDPOINT, ["otlp"]), asked({ENDPOINT: URL}))
        both = {ENDPOINT: URL, TRACES_ENDPOINT: URL}
        self.assertEqual(Asked(TRACES_ENDPOINT, ["otlp"]), asked(both))

    def test_exporters(self) -> None:
        """Exporters are named, in any case, and each counts once."""
        found = asked({EXPORTER: " OTLP, console,otlp,"})
        self.assertEqual(Asked(EXPORTER, ["otlp", "console"]), found)

    def test_console(self) -> None:
        """Named exporters count, not what an endpoint implies."""
        found = asked({EXPORTER: "console", ENDPOINT: URL, PROTOCOL: "grpc"})
        self.assertEqual(Asked(EXPORTER, ["console"]), found)

    def test_none(self) -> None:
        """``none`` switches them off."""
        self.assertIsNone(asked({EXPORTER: "none", ENDPOINT: URL}))

    def test_disabled(self) -> None:
        """OTEL_SDK_DISABLED switches them off, whatever else is said."""
        environ = {"OTEL_SDK_DISABLED": "True", EXPORTER: "zipkin"}
        self.assertIsNone(asked(environ))
        self.assertIsNotNone(asked({"OTEL_SDK_DISABLED": "no", ENDPOINT: URL}))

    def test_unknown_exporter(self) -> None:
        """An exporter that there is not is refused."""
        with self.assertRaises(UnusableVariable) as caught:
            asked({EXPORTER: "otlp,zipkin"})
        expected = "OTEL_TRACES_EXPORTER: zipkin is none of otlp, console, none"
        self.assertEqual(expected, str(caught.exception))

    def test_protocol(self) -> None:
        """A protocol that is not spoken is refused; the one for traces counts first."""
        with self.assertRaises(UnusableVariable) as caught:
            asked({ENDPOINT: URL, PROTOCOL: "grpc"})
        self.assertEqual(PROTOCOL, caught.exception.variable)
        mended = {ENDPOINT: URL, PROTOCOL: "grpc", TRACES_PROTOCOL: "http/protobuf"}
        self.assertEqual(Asked(ENDPOINT, ["otlp"]), asked(mended))
