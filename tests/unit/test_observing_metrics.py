"""Tests of how the environment has several processes count together."""

from __future__ import annotations

import os
from unittest.mock import patch

from tests.unit.service_case import ServiceCase
from txregistry.config import ConfigError

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
METRICS = "http: {debug: {prometheus: {enabled: true}}}\n"


class SharingTests(ServiceCase):
    """The folder that the environment names."""

    def test_none(self) -> None:
        """One that is not there keeps the registry from starting, with a line."""
        self.enterContext(patch.dict(os.environ, {VARIABLE: "/none"}))
        with self.assertRaises(ConfigError) as caught:
            self.make(METRICS)
        expected = f"environment variable {VARIABLE}: must be a folder that there is"
        self.assertEqual(expected, str(caught.exception))

    def test_no_metrics(self) -> None:
        """Without metrics nobody looks for it."""
        self.enterContext(patch.dict(os.environ, {VARIABLE: "/none"}))
        self.make("")

    def test_served(self) -> None:
        """In one that there is, a service counts from its start to its end."""
        path = self.mktemp()
        os.mkdir(path)
        left = os.path.join(path, f"gauge_livesum_{os.getpid()}.db")
        with open(left, "wb"):
            pass
        self.enterContext(patch.dict(os.environ, {VARIABLE: path}))
        service = self.make(METRICS)
        service.privilegedStartService()
        service.startService()
        self.assertIsNone(service.failure)
        self.assertFalse(os.path.exists(left))
        with open(left, "wb"):
            pass
        self.successResultOf(service.stopService())
        self.assertFalse(os.path.exists(left))
