"""Tests of the metrics with Prometheus, and beside the Go registry."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from tests.real.case import RealTestCase
from tests.real.commands import need
from tests.real.daemons import Daemon, free_port
from tests.real.images import make_image, push_image, random_layers
from tests.real.registries import Registry
from tests.real.wire import connected

NAME = "some/name"

# What only the Go registry can say, or says of itself.
_GO_ONLY = re.compile("^(go_|promhttp_|process_network_|process_virtual_memory_max)")


class MetricsCase(RealTestCase):
    """Registries with metrics, and somebody who pushes and pulls."""

    def registry_with_metrics(self, kind: str = "txregistry") -> tuple[Registry, int]:
        """Start one; return it and its debug port."""
        port = free_port()
        debug = {
            "addr": f"127.0.0.1:{port}",
            "prometheus": {"enabled": True, "path": "/metrics"},
        }
        return self.registry(kind=kind, http={"debug": debug}), port

    def use(self, registry: Registry) -> None:
        """Push an image, ask for all that there is, and for what there is not."""
        image = make_image(random_layers())
        with connected(registry.port) as wire:
            wire.ask("GET", "/v2/", expect=200)
            push_image(wire, NAME, "latest", image)
            wire.pull_manifest(NAME, "latest")
            for digest in image.blobs:
                wire.pull_blob(NAME, digest)
            wire.tags(NAME)
            wire.catalog()
            wire.ask("GET", f"/v2/{NAME}/manifests/none", expect=404)

    def metrics(self, port: int) -> str:
        """Return what a debug listener shows."""
        with connected(port) as wire:
            return wire.ask("GET", "/metrics", expect=200).body.decode()


class GoTests(MetricsCase):
    """Dashboards for the Go registry."""

    def test_names(self) -> None:
        """Every metric of the Go registry's is there, with its labels and its type."""
        need("docker-registry")
        shown = {}
        for kind in ("go", "txregistry"):
            registry, port = self.registry_with_metrics(kind)
            self.use(registry)
            shown[kind] = self.metrics(port)
        missing = {
            each for each in _series(shown["go"]) if not _GO_ONLY.match(each)
        } - _series(shown["txregistry"])
        self.assertEqual(set(), {each for each in missing if "storage" not in each})
        storage = {each for each in missing if "storage" in each}
        # The layout is the same, what is done to it not: no file is moved here, say.
        self.assertEqual(set(), {each for each in storage if "action" not in each})
        self.assertEqual(set(), _types(shown["go"]) - _types(shown["txregistry"]))


class PrometheusTests(MetricsCase):
    """Prometheus itself."""

    def test_promtool(self) -> None:
        """``promtool check metrics`` finds no fault."""
        need("promtool")
        registry, port = self.registry_with_metrics()
        self.use(registry)
        ended = subprocess.run(
            ["promtool", "check", "metrics"],
            input=self.metrics(port),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((0, "", ""), (ended.returncode, ended.stdout, ended.stderr))

    def test_rules(self) -> None:
        """``promtool check rules`` takes the alert rules."""
        need("promtool")
        rules = Path(__file__).parents[2] / "etc/prometheus/txregistry-alerts.yml"
        ended = subprocess.run(
            ["promtool", "check", "rules", rules],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(0, ended.returncode, ended.stdout + ended.stderr)

    def test_scraped(self) -> None:
        """It scrapes the registry, knows what was pushed, and finds no alert."""
        need("prometheus")
        registry, port = self.registry_with_metrics()
        folder = self.folder()
        job = {
            "job_name": "txregistry",
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
        }
        rules = Path(__file__).parents[2] / "etc/prometheus/txregistry-alerts.yml"
        (folder / "prometheus.yml").write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "scrape_configs": [job],
                    "rule_files": [str(rules)],
                }
            )
        )
        own = free_port()
        argv = [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{own}",
        ]
        prometheus = self.server(Daemon(argv, folder / "log"))
        self.use(registry)
        query = "sum(registry_content_total{kind='manifest', action='push'})"
        prometheus.wait_until(lambda: self.answer(own, query) == "1")
        self.assertEqual("1", self.answer(own, "up{job='txregistry'}"))
        self.assertIsNone(self.answer(own, "ALERTS{alertstate='firing'}"))

    def answer(self, port: int, query: str) -> str | None:
        """Ask Prometheus; return the value that comes first; None: there is none."""
        try:
            with connected(port) as wire:
                answer = wire.ask("GET", f"/api/v1/query?query={quote(query)}")
                if answer.status != 200:
                    return None
                found = answer.json()["data"]["result"]
        except OSError:
            return None
        return str(found[0]["value"][1]) if found else None


class WorkersTests(MetricsCase):
    """Several processes that are one registry."""

    def test_sum(self) -> None:
        """With a folder that they share, each shows what all have done."""
        folder = self.folder()
        tree = folder / "tree"
        shared = folder / "metrics"
        shared.mkdir()
        ports = []
        for index in range(2):
            place = folder / str(index)
            place.mkdir()
            port = free_port()
            debug = {"addr": f"127.0.0.1:{port}", "prometheus": {"enabled": True}}
            http = {"debug": debug}
            env = {"PROMETHEUS_MULTIPROC_DIR": str(shared)}
            registry = Registry(place, tree, "txregistry", http, env=env)
            self.server(registry).start()
            self.use(registry)
            ports.append(port)
        pushed = 'registry_content_total{action="push",kind="manifest"} 2.0'
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if all(pushed in self.metrics(port) for port in ports):
                return
            time.sleep(0.05)
        self.fail(self.metrics(ports[0]))


def _series(text: str) -> set[str]:
    """Return the names of series with those of their labels, and handlers' values."""
    found = set()
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, rest = line.partition("{")
            labels = dict(re.findall(r'(\w+)="([^"]*)"', rest.rpartition("}")[0]))
            shown = [
                f'{key}="{value}"' if key in ("handler", "action", "method") else key
                for key, value in sorted(labels.items())
            ]
            found.add(f"{name.split(' ')[0]}{{{','.join(shown)}}}")
    return found


def _types(text: str) -> set[str]:
    """Return the names and types of the registry's own metrics."""
    return set(re.findall(r"^# TYPE (registry_\S+ \S+)$", text, re.M))
