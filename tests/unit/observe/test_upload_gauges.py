"""Tests of txregistry.observe.upload_gauges: upload sessions, counted and shown."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces import IStorageDriver, StorageError
from txregistry.observe.metrics import Metrics
from txregistry.observe.upload_gauges import INTERVAL
from txregistry.observing import Observing
from txregistry.oci.names import Name
from txregistry.registry.repository import Registry
from txregistry.registry.rules import ManifestRules
from txregistry.registry.sessions import Sessions
from txregistry.registry.uploads import Upload
from txregistry.storage.memory import MemoryDriver
from txregistry.storage.sources import RangeSource
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import on


class GaugesCase(SynchronousTestCase):
    """A registry whose upload sessions are shown."""

    def setUp(self) -> None:
        """Make it."""
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.sessions = Sessions()
        self.use(MemoryDriver(self.clock))

    def use(self, driver: IStorageDriver) -> None:
        """Take a store."""
        registry = Registry(driver, self.clock, ManifestRules(), execute, self.sessions)
        self.uploads = registry.repository(Name("a")).uploads
        self.observing = Observing(metrics=Metrics(self.clock))
        self.running: list[Any] = []
        self.observing.add_uploads(
            self.sessions, driver, self.clock, lambda: self.running
        )

    def start(self) -> str:
        """Begin a session, with no bytes yet; return its id."""
        return self.successResultOf(Deferred.fromCoroutine(self.begin())).session_id

    async def begin(self) -> Upload:
        """Begin one."""
        upload = await self.uploads.start()
        source = RangeSource(self.clock, 0, 0, lambda *_: b"", lambda: None)
        return await self.uploads.append(upload, source)

    def shown(self) -> list[str]:
        """Return the lines that the metrics have of sessions."""
        assert self.observing.metrics is not None
        text = Deferred.fromCoroutine(self.observing.metrics.text())
        lines = self.successResultOf(text).decode().splitlines()
        return [line for line in lines if line.startswith("registry_upload_sessions{")]


class GaugesTests(GaugesCase):
    """The gauges."""

    def test_counted(self) -> None:
        """They show what is in the store, counted not more than once a minute."""
        self.start()
        active = 'registry_upload_sessions{state="active"}'
        abandoned = 'registry_upload_sessions{state="abandoned"}'
        self.assertEqual([f"{active} 1.0", f"{abandoned} 0.0"], self.shown())
        self.start()
        self.clock.advance(INTERVAL - 1)
        self.assertEqual([f"{active} 1.0", f"{abandoned} 0.0"], self.shown())
        self.clock.advance(1)
        self.assertEqual([f"{active} 2.0", f"{abandoned} 0.0"], self.shown())

    def test_hangs(self) -> None:
        """Nobody waits for a store that hangs; it is given up at the end."""
        driver = FaultyDriver(MemoryDriver(self.clock))
        self.use(driver)
        driver.hang(on("list_holders"))
        self.assertEqual([], self.shown())
        self.clock.advance(INTERVAL)
        self.assertEqual([], self.shown())
        self.assertTrue(driver.is_hanging)
        self.successResultOf(Deferred.fromCoroutine(self.observing.stop()))
        self.assertFalse(driver.is_hanging)

    def test_fails(self) -> None:
        """A store that fails is one line, and the next time it is asked again."""
        driver = FaultyDriver(MemoryDriver(self.clock))
        self.use(driver)
        driver.fail(on("list_holders"), StorageError("the disk is gone"))
        with capturedLogs() as events:
            for _ in range(2):
                self.assertEqual([], self.shown())
                self.clock.advance(INTERVAL)
        expected = "upload sessions cannot be counted: StorageError('the disk is gone')"
        self.assertEqual([expected], [formatEvent(event) for event in events])


class PageTests(GaugesCase):
    """The page on the debug listener."""

    def test_page(self) -> None:
        """It shows those that this process saw, and whether a request runs for them."""
        one, other = self.start(), self.start()
        self.clock.advance(1.5)
        self.running = [type("Exchange", (), {"reference": one})]
        [pages] = self.observing.pages
        [page] = pages.pages()
        showing: Any = page.show({})
        content = self.successResultOf(Deferred.fromCoroutine(showing))
        facts = {"repository": "a", "offset": 0, "age": 1.5, "idle": 1.5}
        self.assertEqual(
            [
                {**facts, "session_id": other, "running": False},
                {**facts, "session_id": one, "running": True},
            ],
            json.loads(content.body),
        )
        self.assertEqual(
            ("/debug/uploads", "application/json"), (page.path, content.media_type)
        )
