"""Tests of how the environment switches tracing on in the service."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from tests.unit.service_case import ServiceCase
from txregistry.config import ConfigError
from txregistry.observing import Tracing, make_tracing
from txregistry.storage.memory import MemoryDriver
from txregistry.storage.traced import TracedDriver

EXPORTER = "OTEL_TRACES_EXPORTER"
MODULES = "opentelemetry"


class TracingTests(ServiceCase):
    """Tracing as the environment has it."""

    def refused(self, environ: Mapping[str, str]) -> str:
        """Return why an environment is refused."""
        with self.assertRaises(ConfigError) as caught:
            make_tracing(environ, self.reactor)
        return str(caught.exception)

    def hide_library(self) -> None:
        """Let the library be one that is not installed."""
        import_really = builtins.__import__

        def import_(name: str, *arguments: Any, **more: Any) -> Any:
            if name.partition(".")[0] == MODULES:
                raise ModuleNotFoundError(f"No module named {name!r}")
            return import_really(name, *arguments, **more)

        modules = {
            name: module
            for name, module in sys.modules.items()
            if not name.startswith((MODULES, "txregistry.observe.sending"))
            and name != "txregistry.observe.tracing"
        }
        self.patch(sys, "modules", modules)
        self.patch(builtins, "__import__", import_)

    def test_off(self) -> None:
        """Unless it is asked for nothing is imported, and nothing is made."""
        self.hide_library()
        self.assertEqual(Tracing(), make_tracing({}, self.reactor))

    def test_missing(self) -> None:
        """What is asked for and not installed is refused, with what would help."""
        self.hide_library()
        expected = (
            f"environment variable {EXPORTER}: needs what pip installs with"
            " txregistry[tracing]: No module named 'opentelemetry"
        )
        self.assertIn(expected, self.refused({EXPORTER: "otlp"}))

    def test_unusable(self) -> None:
        """What there is not is refused, with the variable's name."""
        expected = f"environment variable {EXPORTER}: zipkin is none of"
        self.assertIn(expected, self.refused({EXPORTER: "zipkin"}))

    def test_on(self) -> None:
        """When it is asked for it serves, with a store that is traced, and stops."""
        self.enterContext(patch.dict(os.environ, {EXPORTER: "console"}))
        service = self.make()
        observing: Any = service._parts[0]
        driver = observing.driver(MemoryDriver(self.reactor), self.reactor)
        self.assertIsInstance(driver, TracedDriver)
        self.assertIsNotNone(service._site._tracer)

    def test_untraced(self) -> None:
        """When it is not, the store is the one that is configured."""
        self.enterContext(patch.dict(os.environ, {"OTEL_SDK_DISABLED": "true"}))
        service = self.make()
        own = MemoryDriver(self.reactor)
        observing: Any = service._parts[0]
        self.assertIs(own, observing.driver(own, self.reactor))
