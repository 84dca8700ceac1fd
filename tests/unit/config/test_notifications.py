"""Tests of txregistry.config.sections.notifications: its keys, by loading."""

from __future__ import annotations

from tests.unit.config.cases import GOOD, ConfigTestCase
from txregistry.config import Settings
from txregistry.config.sections.notifications import Endpoint, Notifications


class NotificationsCase(ConfigTestCase):
    """Configurations with ``notifications``."""

    def section(self, text: str) -> Notifications:
        """Load what stands under ``notifications``."""
        return self.load(f"{GOOD}notifications: {text}").notifications

    def endpoint(self, text: str = "") -> Endpoint:
        """Load an endpoint with a name, a URL, and some more."""
        members = ", ".join(filter(None, ["name: a", "url: 'http://x'", text]))
        (endpoint,) = self.section(f"{{endpoints: [{{{members}}}]}}").endpoints
        return endpoint

    def refused(self, key: str, value: str) -> str:
        """Return why a key does not take a value."""
        first, *others = reversed(key.split("."))
        text = f"{{{first}: {value}}}"
        for each in others:
            text = f"[{text}]" if each == "0" else f"{{{each}: {text}}}"
        line = self.refuse(f"{GOOD}notifications: {text}")
        start = f"config.yml:3: notifications.{key}: "
        self.assertTrue(line.startswith(start), line)
        self.assertEqual(1, len(line.splitlines()))
        return line.removeprefix(start)


class DefaultTests(NotificationsCase):
    """What holds where nothing is said."""

    def test_nothing(self) -> None:
        """Nobody is told anything."""
        settings: Settings = self.load(GOOD)
        self.assertEqual({}, settings.notifications.active)
        self.assertFalse(settings.notifications.events.includereferences)

    def test_queue(self) -> None:
        """Events wait for a week, and are kept for a day."""
        queue = self.section("{}").queue
        self.assertEqual((None, ""), (queue.driver, queue.path))
        self.assertEqual((7 * 86400.0, 86400.0), (queue.maxage, queue.keep))
        self.assertEqual(1 << 30, queue.maxsize)

    def test_endpoint(self) -> None:
        """An endpoint gets each event alone, as the Go registry's third line has it."""
        expected = Endpoint(
            name="a",
            url="http://x",
            timeout=1.0,
            threshold=10,
            backoff=1.0,
            maxbackoff=300.0,
            envelope="v2",
            batch=1,
        )
        self.assertEqual(expected, self.endpoint())


class EndpointTests(NotificationsCase):
    """``notifications.endpoints``."""

    def test_go(self) -> None:
        """The example of the Go registry's documentation is read as it stands."""
        endpoint = self.endpoint(
            "headers: {Authorization: [Bearer x]}, timeout: 500ms, threshold: 5,"
            " backoff: 1s, disabled: true, ignoredmediatypes:"
            " [application/octet-stream], ignore: {mediatypes: [a/b], actions: [pull]}"
        )
        self.assertEqual({"Authorization": ("Bearer x",)}, endpoint.headers)
        numbers = (endpoint.timeout, endpoint.threshold, endpoint.backoff)
        self.assertEqual((0.5, 5, 1.0), numbers)
        self.assertEqual(("application/octet-stream",), endpoint.ignoredmediatypes)
        self.assertEqual(("a/b",), endpoint.ignore.mediatypes)
        self.assertEqual(("pull",), endpoint.ignore.actions)
        self.assertTrue(endpoint.disabled)

    def test_active(self) -> None:
        """Endpoints that are disabled are told nothing; others keep their places."""
        section = self.section(
            "{endpoints: [{name: a, disabled: true}, {name: b}, {name: c}]}"
        )
        names = {index: each.name for index, each in section.active.items()}
        self.assertEqual({1: "b", 2: "c"}, names)

    def test_hidden(self) -> None:
        """What may hold a password is not shown."""
        endpoint = self.endpoint(
            "headers: {Authorization: [Basic hidden]}, secrets: [hidden]"
        )
        self.assertNotIn("hidden", repr(endpoint))
        self.assertNotIn("http://x", repr(endpoint))

    def test_urls(self) -> None:
        """A URL may have a port, a user, a query."""
        for url in (
            "https://hooks.example:8443/in?a=b",
            "http://user:p%40ss@[::1]:80/",
            "HTTP://x",
        ):
            section = self.section(f"{{endpoints: [{{name: a, url: '{url}'}}]}}")
            self.assertEqual(url, section.endpoints[0].url)

    def test_no_url(self) -> None:
        """Anything else is refused, and not shown: it may hold a password."""
        for url in (
            "x",
            "ftp://x",
            "http://",
            "http:///in",
            "http://x:port/",
            "http://x:99999/",
            "http://x:0/",
            "http://[::1",
            "http://x/a b",
            "http://é/",
            '"http://x/\\n"',
        ):
            quoted = url if url.startswith('"') else f"'{url}'"
            problem = self.refused("endpoints.0.url", quoted)
            expected = 'must be a URL such as "https://example.com/hook"'
            self.assertEqual(expected, problem)

    def test_numbers(self) -> None:
        """Numbers have bounds."""
        not_negative = "must not be negative"
        from_to = "must be from 1 to 1000"
        for key, value, problem in (
            ("timeout", "-1s", not_negative),
            ("threshold", "-1", not_negative),
            ("backoff", "-1s", not_negative),
            ("maxbackoff", "0", "must be more than nothing"),
            ("batch", "0", from_to),
            ("batch", "1001", from_to),
        ):
            self.assertEqual(problem, self.refused(f"endpoints.0.{key}", value))

    def test_zero(self) -> None:
        """0 is taken where the Go registry takes it."""
        endpoint = self.endpoint("timeout: 0, threshold: 0, backoff: 0")
        numbers = (endpoint.timeout, endpoint.threshold, endpoint.backoff)
        self.assertEqual((0.0, 0, 0.0), numbers)

    def test_envelope(self) -> None:
        """There are four envelopes."""
        for envelope in ("v1", "v2", "cloudevents", "binary"):
            self.assertEqual(envelope, self.endpoint(f"envelope: {envelope}").envelope)
        problem = "must be one of v1, v2, cloudevents, binary"
        self.assertEqual(problem, self.refused("endpoints.0.envelope", "v3"))

    def test_binary_batch(self) -> None:
        """In binary mode a message is one event."""
        text = "{endpoints: [{envelope: binary, batch: 2}]}"
        line = self.refuse(f"{GOOD}notifications: {text}")
        problem = "must be 1 with the envelope binary"
        expected = f"config.yml:3: notifications.endpoints.0.batch: {problem}"
        self.assertEqual(expected, line)
        self.assertEqual(1, self.endpoint("envelope: binary, batch: 1").batch)
        self.assertEqual(9, self.endpoint("envelope: cloudevents, batch: 9").batch)


class QueueTests(NotificationsCase):
    """``notifications.queue``."""

    def test_bounds(self) -> None:
        """Numbers have bounds."""
        for key, value, problem in (
            ("maxsize", "1048575", "must be 1048576 or more"),
            ("maxage", "0", "must be more than nothing"),
            ("keep", "-1s", "must not be negative"),
            ("driver", "redis", "must be one of sqlite, memory"),
        ):
            self.assertEqual(problem, self.refused(f"queue.{key}", value))

    def test_memory_path(self) -> None:
        """What is in memory has no path."""
        text = "notifications: {queue: {driver: memory, path: x}}"
        line = self.refuse(GOOD + text)
        problem = "has no effect with the driver memory"
        expected = f"config.yml:3: notifications.queue.path: {problem}"
        self.assertEqual(expected, line)

    def test_keep_nothing(self) -> None:
        """What all have got need not be kept."""
        self.assertEqual(0.0, self.section("{queue: {keep: 0}}").queue.keep)

    def test_events(self) -> None:
        """The Go registry's variable for the details of events is known."""
        variable = "REGISTRY_NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES"
        settings = self.load(GOOD, {variable: "true"})
        self.assertTrue(settings.notifications.events.includereferences)
