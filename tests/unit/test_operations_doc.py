"""Tests of docs/operations.md: the debug listener, and health."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.unit.service_case import ServiceCase
from txregistry.config import load
from txregistry.registry.layout import PROBE

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
DEBUG = "http: {debug: {addr: '127.0.0.1:5001', prometheus: {enabled: true}}}\n"


class PageTests(ServiceCase):
    """The page and the code say the same."""

    def setUp(self) -> None:
        """Read the sections."""
        super().setUp()
        self.text = PAGE.read_text("utf-8").partition("\n## Metrics\n")[0]

    def test_examples(self) -> None:
        """Every example of a configuration makes a service, without a warning."""
        blocks = re.findall(r"^```yaml\n(.*?)^```", self.text, re.M | re.S)
        examples = [block for block in blocks if not block.startswith("#")]
        self.assertEqual((4, 5), (len(examples), len(blocks)))
        for example in examples:
            self.make(example)
            path = Path(self.mktemp())
            path.write_text(f"version: 0.1\nstorage: inmemory\n{example}")
            self.assertEqual((), load(str(path), {}).warnings)

    def test_probes(self) -> None:
        """The probes of the pod ask for pages that there are."""
        (block,) = re.findall(
            r"^```yaml\n(# of the pod\n.*?)^```", self.text, re.M | re.S
        )
        (container,) = yaml.safe_load(block)["containers"]
        self.serve(DEBUG)
        visitor = self.reactor.connect(1)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = container[probe]["httpGet"]["path"]
            self.assertEqual(200, visitor.status("GET", path), probe)

    def test_pages(self) -> None:
        """Every page of the debug listener is in the table."""
        self.serve(DEBUG)
        body = self.reactor.connect(1).ask("GET", "/").partition(b"\r\n\r\n")[2]
        table = self.text.partition("| page |")[2].partition("\n\n")[0]
        shown = re.findall(r"`(/[a-z/]+)`", table.replace("`/` ", ""))
        pages = [line.split()[0] for line in body.decode().splitlines()]
        self.assertEqual(sorted(pages), sorted(shown))

    def test_words(self) -> None:
        """What the page shows of a check is what there is to see."""
        self.assertIn(PROBE, self.text)
        self.assertIn("see /debug/health", self.text)
        for line in re.findall("^health check .*", self.text, re.M):
            self.assertRegex(line, " storagedriver_filesystem (fails: |is good again$)")
