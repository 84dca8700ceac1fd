"""Tests of docs/logs.md: its examples."""

from __future__ import annotations

import json
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.observe.test_accesslog import COMBINED
from txregistry.config import load
from txregistry.config.sections.log import Rotate

PAGE = Path(__file__).parents[2] / "docs" / "logs.md"
TEXT = re.compile(
    r'time="\S+Z" level=\w+ msg="([^"\\]|\\.)*" logger=\S+( \w+=([^" ]+|"[^"]*"))*'
)


class PageTests(SynchronousTestCase):
    """The page and the code say the same."""

    def setUp(self) -> None:
        """Read the page."""
        self.text = PAGE.read_text("utf-8")

    def lines(self, start: str) -> list[str]:
        """Return the examples of lines that begin with something."""
        return re.findall(rf"^{start}.*$", self.text, re.MULTILINE)

    def test_configuration(self) -> None:
        """Its configuration loads without a warning."""
        (example,) = re.findall(r"^```yaml\n(.*?)^```", self.text, re.M | re.S)
        path = Path(self.mktemp())
        path.write_text(example)
        self.assertEqual((), load(str(path), {}).warnings)

    def test_rotation(self) -> None:
        """What it says of rotation is the default."""
        rotate = Rotate()
        self.assertIn(f"({rotate.size >> 20} MiB)", self.text)
        self.assertIn(f"`log.rotate.keep` ({rotate.keep})", self.text)

    def test_lines(self) -> None:
        """Its lines are in the forms that it says they are."""
        texts, combined = self.lines("time="), self.lines(r"192\.0\.2\.7 ")
        objects = self.lines(r"\{\"")
        self.assertEqual((2, 1, 4), (len(texts), len(combined), len(objects)))
        for line in texts:
            self.assertIsNotNone(TEXT.fullmatch(line), line)
        for line in combined:
            self.assertIsNotNone(COMBINED.fullmatch(f"{line}\n"), line)
        for line in objects:
            self.assertIsInstance(json.loads(line), dict)
