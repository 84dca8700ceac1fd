"""Tests of Settings: places and errors."""

from __future__ import annotations

from tests.unit.config.cases import ConfigTestCase
from txregistry.config import Origin

TEXT = """version: 0.1
storage:
  s3:
    bucket: b
    list: [1,
      2]
"""


class LocateTests(ConfigTestCase):
    """``Settings.locate`` and ``Settings.error``."""

    def test_written(self) -> None:
        """A key that was written is found at its line."""
        settings = self.load(TEXT)
        for key, line in (
            ("storage", 2),
            ("storage.s3", 3),
            ("storage.s3.bucket", 4),
            ("storage.s3.list.1", 6),
        ):
            self.assertEqual(Origin(str(self.path), line), settings.locate(key))

    def test_not_written(self) -> None:
        """A key that was not written is found at the nearest one above it."""
        settings = self.load(TEXT)
        for key, line in (
            ("storage.s3.region", 3),
            ("storage.s3.bucket.x", 4),
            ("storage.s3.list.2", 5),
            ("storage.s3.list.x", 5),
            ("http.addr", 1),
            ("", 1),
        ):
            self.assertEqual(line, settings.locate(key).line, key)

    def test_variable(self) -> None:
        """A key from the environment is found there."""
        name = "REGISTRY_STORAGE_S3_BUCKET"
        settings = self.load(TEXT, {name: "c"})
        self.assertEqual(name, settings.locate("storage.s3.bucket").variable)

    def test_error(self) -> None:
        """An error that only a key's user can see is one line as any other."""
        settings = self.load(TEXT)
        error = settings.error("storage.s3.bucket", "does not exist")
        self.assertEqual(
            "config.yml:4: storage.s3.bucket: does not exist", self.short(error)
        )
        self.assertEqual(
            ("storage.s3.bucket", "does not exist", str(self.path), 4, None),
            (error.key, error.problem, error.file, error.line, error.variable),
        )
