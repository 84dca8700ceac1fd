"""Tests of warnings and refusals, by loading."""

from __future__ import annotations

from collections.abc import Iterator

from tests.unit.config.cases import GOOD, ConfigTestCase
from txregistry.config.fields import Status, fields_of, is_section, names_of
from txregistry.config.settings import Settings

NO_EFFECT = "is known, but this version does not act on it"


_ACTED_ON = """
    version log.level log.formatter log.fields log.reportcaller log.file
    log.rotate.size log.rotate.keep log.accesslog.disabled log.accesslog.format
    log.accesslog.file loglevel storage.* auth.* access.rules
    access.file
    storage.delete.enabled storage.redirect.disable
    storage.maintenance.readonly.enabled http.addr http.net http.socketmode
    http.listeners http.tls.certificate http.tls.key http.tls.clientcas
    http.tls.clientauth http.tls.minimumtls http.tls.ciphersuites http.host
    http.prefix http.secret http.relativeurls http.draintimeout http.headers
    http.workers http.workertimeout
    http.limits.headersize http.limits.headercount http.limits.headertimeout
    http.limits.idletimeout http.cors.origins http.cors.maxage http.trustforwarded
    http.http2.disabled catalog.maxentries tags.maxtags validation.disabled
    validation.enabled validation.manifests.urls.allow
    validation.manifests.urls.deny validation.manifests.indexes.platforms
    validation.manifests.indexes.platformlist validation.manifests.sparse
    validation.manifests.maxsize policy.repository.classes
    notifications.events.includereferences notifications.queue.driver
    notifications.queue.path notifications.queue.maxsize notifications.queue.maxage
    notifications.queue.keep notifications.endpoints
    http.debug.addr http.debug.prometheus.enabled http.debug.prometheus.path
    http.debug.prometheus.repositories
    health.storagedriver.enabled health.storagedriver.interval
    health.storagedriver.timeout health.storagedriver.threshold
    health.storagedriver.write health.file health.http health.tcp
"""


def leaves(cls: type, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Status]]:
    """Name every key with a status of its own."""
    for key, field in fields_of(cls).items():
        if field.status is Status.ACTED_ON and is_section(field.kind):
            yield from leaves(field.kind, (*path, key))
        else:
            yield ".".join((*path, key)), field.status
    names = names_of(cls)
    if names is not None:
        yield ".".join((*path, "*")), names.status


class StatusTests(ConfigTestCase):
    """The status of every key."""

    def test_acted_on(self) -> None:
        """These keys are acted on, and no others."""
        expected = _ACTED_ON.split()
        acted = [key for key, status in leaves(Settings) if status is Status.ACTED_ON]
        self.assertEqual(sorted(expected), sorted(acted))

    def test_refused(self) -> None:
        """These keys are refused, and no others."""
        expected = {"proxy.remoteurl", "http.tls.letsencrypt"}
        refused = {key for key, status in leaves(Settings) if status is Status.REFUSED}
        self.assertEqual(expected, refused)


class WarningTests(ConfigTestCase):
    """Keys that this version does not act on."""

    def test_warned(self) -> None:
        """A key that would do something is warned about, with its line."""
        for key, text in (
            ("middleware.storage", "middleware: {storage: [{name: cloudfront}]}"),
            ("http.h2c.enabled", "http: {h2c: {enabled: true}}"),
            ("redis", "redis: {addrs: ['a:1']}"),
            ("redis", "redis: {addr: 'a:1', pool: {maxidle: 1}}"),
            ("proxy.username", "proxy: {username: somebody}"),
            ("reporting.bugsnag", "reporting: {bugsnag: {apikey: x}}"),
            ("compatibility.schema1", "compatibility: {schema1: {enabled: true}}"),
        ):
            expected = [f"config.yml:3: {key}: {NO_EFFECT}"]
            self.assertEqual(expected, self.warnings(f"{GOOD}{text}\n"), text)

    def test_hooks(self) -> None:
        """Who expects mails is told where alerts come from."""
        text = "log: {hooks: [{type: mail, levels: [error]}]}\n"
        advice = "alert on the metrics (docs/operations.md)"
        expected = [f"config.yml:3: log.hooks: {NO_EFFECT}; {advice}"]
        self.assertEqual(expected, self.warnings(GOOD + text))

    def test_storage(self) -> None:
        """Keys beside the driver are warned about too."""
        text = """version: 0.1
storage:
  inmemory:
  cache: {blobdescriptor: inmemory}
  tag: {concurrencylimit: 8}
  maintenance:
    uploadpurging: {enabled: true, age: 168h, interval: 24h, dryrun: false}
"""
        expected = [
            f"config.yml:{line}: storage.{key}: {NO_EFFECT}"
            for line, key in (
                (4, "cache.blobdescriptor"),
                (5, "tag.concurrencylimit"),
                (7, "maintenance.uploadpurging"),
            )
        ]
        self.assertEqual(expected, self.warnings(text))

    def test_no_effect(self) -> None:
        """A key that would do nothing in the Go registry either is not warned about."""
        for text in (
            "log: {formatter: text, fields: {}, hooks: []}",
            "log: {hooks: [{type: mail, disabled: true, options: {from: x}}]}",
            "middleware: {storage: [{name: cloudfront, disabled: true}]}",
            "http: {debug: {addr: '', prometheus: {enabled: false, path: /x}}}",
            "http: {debug: {prometheus: {path: /x}}}",
            "http: {h2c: {enabled: false}, http2: {disabled: false}}",
            "http: {http2: {disabled: true}}",
            "notifications: {endpoints: [{name: a, disabled: true}]}",
            "notifications: {events: {includereferences: false}, endpoints: }",
            "redis: {}",
            "redis: {db: 0, addr: ''}",
            "health: {storagedriver: {enabled: false, interval: 10s, threshold: 3}}",
            "health: {storagedriver: {interval: 10s}}",
            "proxy:",
            "proxy: {remoteurl: ''}",
            "compatibility: {schema1: {enabled: false}}",
            "compatibility: {schema1: {enabled: false, signingkeyfile: /x}}",
            "http: {tls: {certificate: '', clientcas: [], letsencrypt: {email: ''}}}",
            "http: {tls: }",
            "auth: none",
            "auth: {None: }",
            "auth: {}",
            "auth:",
        ):
            self.assertEqual([], self.warnings(f"{GOOD}{text}\n"), text)

    def test_purging_off(self) -> None:
        """Upload purging that is off is not warned about."""
        text = "version: 0.1\nstorage: {inmemory: , maintenance: {uploadpurging: "
        self.assertEqual([], self.warnings(text + "{enabled: false}}}\n"))

    def test_environment(self) -> None:
        """A variable that sets such a key is named."""
        self.assertEqual(
            [f"environment variable REGISTRY_REDIS_ADDR: {NO_EFFECT}"],
            self.warnings(GOOD, {"REGISTRY_REDIS_ADDR": "a:1"}),
        )

    def test_host_path(self) -> None:
        """A path in the host's URL is dropped, and warned about."""
        [line] = self.warnings(f"{GOOD}http: {{host: 'https://a/b'}}\n")
        self.assertIn("http.host: has a path, which is dropped", line)
        for host in ("https://a", "https://a/"):
            self.assertEqual([], self.warnings(f"{GOOD}http: {{host: '{host}'}}\n"))

    def test_no_unit(self) -> None:
        """A duration that looks as if its unit were forgotten is warned about."""
        for text in ("http: {draintimeout: 30}", "http: {cors: {maxage: 600}}"):
            [line] = self.warnings(f"{GOOD}{text}\n")
            self.assertIn("is a number of nanoseconds without a unit", line)
        self.assertEqual([], self.warnings(GOOD + "http: {draintimeout: 5000000000}\n"))


class RefusalTests(ConfigTestCase):
    """Keys that would protect."""

    def test_proxy(self) -> None:
        """A registry that was to be a cache would be one that anybody may write to."""
        self.assertEqual(
            "config.yml:3: proxy.remoteurl: pulling through is not supported by this "
            "version; refusing to start without it",
            self.refuse(f"{GOOD}proxy: {{remoteurl: 'https://a.example'}}\n"),
        )

    def test_letsencrypt(self) -> None:
        """Let's Encrypt is refused with a word on what to do."""
        for text in ("cachefile: /x", "email: a@b", "hosts: [a]", "directoryurl: /x"):
            line = self.refuse(f"{GOOD}http:\n  tls: {{letsencrypt: {{{text}}}}}\n")
            self.assertTrue(line.startswith("config.yml:4: http.tls.letsencrypt: "))
            self.assertIn("not supported by this version; let certbot, lego", line)
