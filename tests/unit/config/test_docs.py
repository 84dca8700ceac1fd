"""Tests of docs/configuration.md."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.config.cases import ConfigTestCase
from tests.unit.config.test_review import leaves
from txregistry.config.fields import Status
from txregistry.config.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


class PageTests(ConfigTestCase):
    """The page and the code say the same."""

    def setUp(self) -> None:
        """Read the page."""
        super().setUp()
        self.text = PAGE.read_text("utf-8")

    def test_keys(self) -> None:
        """Every key that is acted on is a row of a table, with its variable."""
        for key, status in leaves(Settings):
            if status is not Status.ACTED_ON or key == "version":
                continue
            key = _named(key)
            variable = "REGISTRY_" + key.upper().replace(".", "_")
            variable = variable.replace("_EVENTS_", "_EVENTCONFIG_")  # Go's field name
            variable = re.sub("(HEALTH_(FILE|HTTP|TCP))", r"\1CHECKERS", variable)
            rows = rf"^\| (\+ )?`{re.escape(key)}`<br>`{re.escape(variable)}"
            self.assertEqual(1, len(re.findall(rows, self.text, re.MULTILINE)), key)

    def test_no_other_keys(self) -> None:
        """Every row of a table is a key that is acted on."""
        acted = {
            _named(key) for key, status in leaves(Settings) if status is Status.ACTED_ON
        }
        rows = re.findall(r"^\| (?:\+ )?`([a-z0-9.<>]+)`(?:<br>| \|)", self.text, re.M)
        self.assertEqual(sorted(acted), sorted(rows))

    def test_ignored(self) -> None:
        """Every key that has no effect is covered by the list of those."""
        listed = self.text.partition("## Keys that are read")[2].partition("## Keys")[0]
        covered = tuple(re.findall("`([a-z0-9.]+)`", listed))
        for key, status in leaves(Settings):
            if status is Status.IGNORED:
                self.assertTrue(
                    f"{key}.".startswith(tuple(f"{c}." for c in covered)), key
                )

    def test_examples(self) -> None:
        """Every example in YAML loads without a warning."""
        examples = re.findall(r"^```yaml\n(.*?)^```", self.text, re.M | re.S)
        self.assertTrue(examples)
        for example in examples:
            self.assertEqual((), self.load(example).warnings)

    def test_default(self) -> None:
        """The embedded default is shown as it is."""
        package = Path(__file__).parents[3] / "txregistry" / "config" / "default.yml"
        text = package.read_text("utf-8").partition("\n")[2]
        self.assertIn(f"```yaml\n{text}```", self.text)


def _named(key: str) -> str:
    """Return a key as the page has it: with a word for what is a name."""
    named = key.replace("auth.*", "auth.<controller>")
    return named.replace(".*", ".<driver>")
