"""ConfigTestCase: loading texts as if they were files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txregistry.config import ConfigError, Settings, load

GOOD = "version: 0.1\nstorage: inmemory\n"


class ConfigTestCase(SynchronousTestCase):
    """Base of the tests that load configurations."""

    def setUp(self) -> None:
        """Choose a file."""
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "config.yml"

    def load(self, text: str, environ: Mapping[str, str] | None = None) -> Settings:
        """Load a text as a file.

        Args:
            text: The file's content.
            environ: The environment; None: an empty one.
        """
        self.path.write_text(text, "utf-8", newline="")
        return load(str(self.path), environ or {})

    def refuse(self, text: str, environ: Mapping[str, str] | None = None) -> str:
        """Load a text that must not load.

        Returns:
            The error's text, the file named ``config.yml``.
        """
        error = self.assertRaises(ConfigError, self.load, text, environ)
        return self.short(error)

    def short(self, line: object) -> str:
        """Return an error's or a warning's text, the file named ``config.yml``."""
        return str(line).replace(str(self.path), "config.yml")

    def warnings(
        self, text: str, environ: Mapping[str, str] | None = None
    ) -> list[str]:
        """Load a text and return the warnings, the file named ``config.yml``."""
        return [self.short(line) for line in self.load(text, environ).warnings]
