"""Tests of how the registry ends."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator

from tests.real.case import RealTestCase
from tests.real.downloads import SlowDownload
from tests.real.images import MIB, digest_of
from tests.real.registries import Registry
from tests.real.wire import connected

_OCTETS = {"Content-Type": "application/octet-stream"}


def refuses(port: int) -> bool:
    """Say whether nothing listens on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


class ShutdownTests(RealTestCase):
    """SIGTERM ends the registry in good order, a second one at once."""

    def push_large(self, registry: Registry) -> tuple[str, bytes]:
        """Push a blob that no buffer holds, and return its path and content."""
        content = os.urandom(64 * MIB)
        digest = digest_of(content)
        with connected(registry.port) as wire:
            wire.push_blob("app", digest, content)
        return f"/v2/app/blobs/{digest}", content

    def begin_stop(self, registry: Registry) -> None:
        """Send SIGTERM, and wait until nothing listens any more."""
        registry.daemon.signal(signal.SIGTERM)
        end = time.monotonic() + 10
        while not refuses(registry.port):
            self.assertLess(time.monotonic(), end, "it still listens")
            time.sleep(0.02)

    def test_download_finishes(self) -> None:
        """A download that runs at SIGTERM comes whole; new clients are refused."""
        registry = self.registry(http={"draintimeout": "60s"})
        target, content = self.push_large(registry)
        with SlowDownload(registry.port, target) as download:
            download.read_head()
            self.begin_stop(registry)
            self.assertTrue(registry.daemon.running)
            self.assertEqual(content, download.read_body(len(content)))
        self.assertEqual(0, registry.daemon.wait(10))

    def test_upload_finishes(self) -> None:
        """An upload that runs at SIGTERM is taken to its end, and kept."""
        registry = self.registry(http={"draintimeout": "60s"})
        content = os.urandom(8 * MIB)
        with connected(registry.port) as wire:
            location = wire.begin_upload("app")

            def pieces() -> Iterator[bytes]:
                yield content[:MIB]
                self.begin_stop(registry)
                yield content[MIB:]

            digest = digest_of(content)
            joint = "&" if "?" in location else "?"
            target = f"{location}{joint}digest={digest}"
            wire.ask("PUT", target, pieces(), _OCTETS, expect=201)
        self.assertEqual(0, registry.daemon.wait(10))
        registry.start()
        with connected(registry.port) as wire:
            self.assertEqual(content, wire.pull_blob("app", digest))

    def test_idle_connection(self) -> None:
        """A connection without a request on it does not hold up the end."""
        registry = self.registry(http={"draintimeout": "60s"})
        with connected(registry.port) as wire:
            wire.ask("GET", "/v2/", expect=200)
            registry.daemon.signal(signal.SIGTERM)
            self.assertEqual(0, registry.daemon.wait(10))

    def test_second_signal(self) -> None:
        """A second SIGTERM ends it at once, whatever runs."""
        registry = self.registry(http={"draintimeout": "60s"})
        target, _ = self.push_large(registry)
        with SlowDownload(registry.port, target) as download:
            download.read_head()
            self.begin_stop(registry)
            time.sleep(0.5)
            self.assertTrue(registry.daemon.running)
            registry.daemon.signal(signal.SIGTERM)
            registry.daemon.wait(5)

    def test_timeout(self) -> None:
        """What still runs after http.draintimeout is cut off."""
        registry = self.registry(http={"draintimeout": "1s"})
        target, _ = self.push_large(registry)
        with SlowDownload(registry.port, target) as download:
            download.read_head()
            registry.daemon.signal(signal.SIGTERM)
            registry.daemon.wait(10)
