"""Tests of txregistry.service: what the settings change."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from tests.unit.reactor import QuietReactor
from tests.unit.service_case import ServiceCase, push
from txregistry import __version__
from txregistry.logs import Places
from txregistry.oci.digest import Digest

INDEX = "application/vnd.oci.image.index.v1+json"


class SettingsTests(ServiceCase):
    """What the settings change."""

    def test_delete(self) -> None:
        """Clients may delete only where they are let."""
        target = f"/v2/a/manifests/{Digest.of(b'')}"
        self.assertEqual(405, self.serve().status("DELETE", target))
        self.reactor = QuietReactor()
        visitor = self.serve(storage="inmemory: {}\ndelete: {enabled: true}")
        self.assertEqual(404, visitor.status("DELETE", target))

    def test_read_only(self) -> None:
        """Nobody writes where nobody may."""
        storage = "inmemory: {}\nmaintenance: {readonly: {enabled: true}}"
        visitor = self.serve(storage=storage)
        self.assertEqual(405, visitor.status("POST", "/v2/a/blobs/uploads/"))

    def test_http(self) -> None:
        """Prefix, host and headers are as they say."""
        visitor = self.serve(
            "http:\n  prefix: /images/\n  host: https://images.example\n"
            "  headers: {X-Mine: [yes-it-is]}\n"
        )
        answer = visitor.ask("POST", "/images/v2/a/blobs/uploads/")
        self.assertIn(b"\r\nX-Mine: yes-it-is\r\n", answer)
        location = b"\r\nLocation: https://images.example/images/v2/a/blobs/uploads/"
        self.assertIn(location, answer)

    def test_relative(self) -> None:
        """Locations are paths where they are to be."""
        visitor = self.serve("http: {relativeurls: true}")
        answer = visitor.ask("POST", "/v2/a/blobs/uploads/")
        self.assertIn(b"\r\nLocation: /v2/a/blobs/uploads/", answer)

    def test_store_unusable(self) -> None:
        """A store that cannot be used is named with the folder that it is in."""
        root = Path(self.mktemp()).absolute()
        root.write_text("no folder")
        storage = f"filesystem: {{rootdirectory: {root}}}"
        service = self.make(storage=storage)
        service.privilegedStartService()
        service.startService()
        [line] = [each for each in self.logged() if "cannot start" in each]
        self.assertIn(f"cannot start: filesystem {root}: ", line)

    def test_max_size(self) -> None:
        """Manifests are as large as they may be."""
        visitor = self.serve("validation: {manifests: {maxsize: 10}}")
        status = visitor.status("PUT", "/v2/a/manifests/b", body=b"x" * 11)
        self.assertEqual(413, status)

    def test_pages(self) -> None:
        """So are pages."""
        visitor = self.serve("catalog: {maxentries: 7}")
        self.assertEqual(400, visitor.status("GET", "/v2/_catalog?n=8"))
        self.assertEqual(200, visitor.status("GET", "/v2/_catalog?n=7"))

    def test_limits(self) -> None:
        """So are headers."""
        visitor = self.serve("http: {limits: {headersize: 600}}")
        answer = visitor.ask("GET", "/v2/", "X: " + "y" * 600)
        self.assertTrue(answer.startswith(b"HTTP/1.1 431 "))

    def test_access_log(self) -> None:
        """There is an access log unless it is switched off."""
        for text, count in (("", 1), ("log: {accesslog: {disabled: true}}", 0)):
            self.reactor = QuietReactor()
            streams = StringIO(), StringIO()
            visitor = self.serve(text, places=Places(*streams))
            visitor.status("GET", "/v2/")
            self.assertEqual(count, streams[1].getvalue().count('"GET /v2/ '))

    def test_greeting(self) -> None:
        """A line at the start says what serves where, with what; one says the end."""
        service = self.make(
            "access: {rules: [{who: '*', may: pull, on: '**'}]}\n"
            "notifications:\n  queue: {driver: memory}\n  endpoints:\n"
            "    - {name: a, url: 'http://a.example'}\n"
            "    - {name: b, disabled: true}\n"
        )
        service.privilegedStartService()
        service.startService()
        self.successResultOf(service.stopService())
        lines = self.logged()
        self.assertIn(
            f"txregistry/{__version__} serves on 0.0.0.0:5000, storage inmemory, "
            "auth none with rules, notification endpoints: 1",
            lines,
        )
        self.assertEqual("stopped", lines[-1])


class RulesTests(ServiceCase):
    """What the settings say about manifests."""

    def push_index(self, text: str, architecture: str = "arm64") -> int:
        """Push an index of an image that is not there; return the status."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                {
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "digest": str(Digest.of(b"absent")),
                    "size": 1,
                    "platform": {"architecture": architecture, "os": "linux"},
                }
            ],
        }
        self.reactor = QuietReactor()
        return push(self.serve(text), manifest)

    def test_platforms(self) -> None:
        """Images that an index names must be there: all, some, or none."""
        form = "validation: {{manifests: {{indexes: {{{}}}}}}}"
        listed = "platforms: list, platformlist: [{architecture: amd64, os: linux}]"
        self.assertEqual(400, self.push_index(""))
        self.assertEqual(400, self.push_index(form.format("platforms: all")))
        self.assertEqual(201, self.push_index(form.format("platforms: none")))
        self.assertEqual(201, self.push_index(form.format(listed)))
        self.assertEqual(400, self.push_index(form.format(listed), "amd64"))

    def test_sparse(self) -> None:
        """Where sparse manifests are taken nothing must be there."""
        text = "validation: {manifests: {sparse: true}}"
        self.assertEqual(201, self.push_index(text))

    def push_url(self, text: str, url: str = "https://good.example/layer") -> int:
        """Push an image with a layer that is elsewhere; return the status."""
        self.reactor = QuietReactor()
        visitor = self.serve(text)
        empty = str(Digest.of(b"{}"))
        target = f"/v2/a/blobs/uploads/?digest={empty}"
        self.assertEqual(201, visitor.status("POST", target, body=b"{}"))
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": empty,
                "size": 2,
            },
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": empty,
                    "size": 2,
                    "urls": [url],
                }
            ],
        }
        return push(visitor, manifest)

    def test_urls(self) -> None:
        """A layer may be only where the settings let it be."""
        form = "validation: {{manifests: {{urls: {{{}}}}}}}"
        allowed = form.format("allow: ['^https://good[.]example/']")
        denied = form.format("allow: ['.*'], deny: ['good']")
        self.assertEqual(400, self.push_url(""))
        self.assertEqual(201, self.push_url(allowed))
        self.assertEqual(400, self.push_url(allowed, "https://bad.example/layer"))
        self.assertEqual(400, self.push_url(denied))
        self.assertEqual(400, self.push_url(form.format("allow: ['.*']"), "ftp://a"))

    def test_disabled(self) -> None:
        """Where nothing is validated anything goes."""
        text = "validation: {disabled: true}"
        self.assertEqual(201, self.push_url(text, "ftp://a"))
        self.assertEqual(201, self.push_index(text))

    def test_classes(self) -> None:
        """Only the classes that are named are taken."""
        form = "policy: {{repository: {{classes: [{}]}}}}\n"
        allow = "validation: {manifests: {urls: {allow: ['.*']}}}"
        self.assertEqual(201, self.push_url(form.format("image") + allow))
        self.assertEqual(403, self.push_url(form.format("plugin") + allow))
