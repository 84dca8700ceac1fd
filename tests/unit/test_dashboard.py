"""Tests of etc/grafana and etc/prometheus: they speak of metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor
from txregistry.config import load
from txregistry.observe.gauges import NotificationGauges
from txregistry.observing import make_observing
from txregistry.registry.sessions import Sessions
from txregistry.storage.memory import MemoryDriver
from txregistry.webhooks.ledger import Tally
from txregistry.webhooks.notifications import EndpointState

ROOT = Path(__file__).parents[2]
ETC = ROOT / "etc"
DOCS = ROOT / "docs" / "operations.md"
DASHBOARD = ETC / "grafana" / "txregistry.json"
ALERTS = ETC / "prometheus" / "txregistry-alerts.yml"
NAME = re.compile(r"\b(?:registry|process)_[a-z_]+\b")
PARTS = re.compile("_(?:bucket|sum|count)$")


class NameTests(SynchronousTestCase):
    """The names of metrics in files for others."""

    def text(self) -> str:
        """Return all metrics, as they are before anything has happened."""
        path = Path(self.mktemp())
        path.write_text(
            "version: 0.1\nstorage: {inmemory: {}}\n"
            "http: {debug: {prometheus: {enabled: true}}}\n"
        )
        observing = make_observing(
            load(str(path), {}), QuietReactor(), None, lambda: 1.0
        )
        observing.add_health(list)
        reactor = QuietReactor()
        observing.add_uploads(Sessions(), MemoryDriver(reactor), reactor, list)
        assert observing.metrics is not None
        state = EndpointState(Tally("a", 0, None, 0, 0, 0, 0), {200: 1})
        gauges = NotificationGauges(lambda: succeed([state]), QuietReactor())
        observing.metrics.gathering(gauges.gather)
        observing.metrics.collectors.register(gauges)
        text = self.successResultOf(Deferred.fromCoroutine(observing.metrics.text()))
        return text.decode()

    def shown(self) -> set[str]:
        """Return the names of all metrics."""
        return set(re.findall(r"^# TYPE (\S+) ", self.text(), re.M))

    def assertShown(self, expressions: list[str]) -> None:  # noqa: N802 - as trial's
        """Check that queries speak of nothing else."""
        names = {name for text in expressions for name in NAME.findall(text)}
        self.assertGreater(len(names), 5)
        missing = {PARTS.sub("", name) for name in names} - self.shown()
        self.assertEqual(set(), missing)

    def test_dashboard(self) -> None:
        """The dashboard asks for metrics that there are."""
        panels: Any = json.loads(DASHBOARD.read_text())["panels"]
        targets = [target for panel in panels for target in panel["targets"]]
        self.assertShown([target["expr"] for target in targets])

    def test_alerts(self) -> None:
        """So do the alert rules."""
        groups: Any = yaml.safe_load(ALERTS.read_text())["groups"]
        self.assertShown([rule["expr"] for group in groups for rule in group["rules"]])

    def test_docs(self) -> None:
        """The page has all metrics that are the registry's, and no others."""
        text = DOCS.read_text("utf-8").partition("\n## Metrics\n")[2]
        rows = re.findall(r"^\| (`registry_.*?) \|", text, re.MULTILINE)
        named = {name for row in rows for name in re.findall("`([a-z_]+)", row)}
        ours = {name for name in self.shown() if name.startswith("registry_")}
        self.assertEqual(sorted(ours), sorted(named - {"process_"}))

    def test_parsed(self) -> None:
        """The names are those that a parser of the format sees."""
        shown = self.shown()
        self.assertIn("registry_http_requests_total", shown)
        parsed = {each.name for each in text_string_to_metric_families(self.text())}
        # A parser calls a counter what it counts, without the ending.
        self.assertEqual(
            {each.removesuffix("_total") for each in shown},
            {each.removesuffix("_total") for each in parsed},
        )
