"""Tests of the environment, by loading."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.config.cases import GOOD, ConfigTestCase
from txregistry.config import Address, ConfigError, Settings, load


class OverrideTests(ConfigTestCase):
    """Variables that change keys."""

    def with_variables(self, text: str = "", **environ: str) -> Settings:
        """Load a good configuration, with ``REGISTRY_`` put before each name."""
        variables = {f"REGISTRY_{name}": value for name, value in environ.items()}
        return self.load(GOOD + text, variables)

    def test_scalars(self) -> None:
        """A variable sets a key, whether the file has it or not."""
        for text in (
            "",
            "http: {addr: ':1', relativeurls: false}\nlog: {level: error}\n",
        ):
            settings = self.with_variables(
                text,
                HTTP_ADDR="localhost:80",
                HTTP_RELATIVEURLS="true",
                HTTP_DRAINTIMEOUT="1m",
                HTTP_SECRET="0123",
                LOG_LEVEL="debug",
                CATALOG_MAXENTRIES="7",
                HTTP_LIMITS_HEADERCOUNT="50",
            )
            self.assertEqual("localhost:80", str(settings.http.addr))
            self.assertTrue(settings.http.relativeurls)
            self.assertEqual(60.0, settings.http.draintimeout)
            self.assertEqual("0123", settings.http.secret)
            self.assertEqual("debug", settings.log.level)
            self.assertEqual(7, settings.catalog.maxentries)
            self.assertEqual(50, settings.http.limits.headercount)

    def test_section(self) -> None:
        """A section can be given whole, and then replaces the file's."""
        settings = self.with_variables(
            "http: {relativeurls: true}\n", HTTP="{prefix: /x/, headers: {A: [b]}}"
        )
        self.assertEqual("/x/", settings.http.prefix)
        self.assertFalse(settings.http.relativeurls)
        self.assertEqual({"A": ("b",)}, settings.http.headers)

    def test_order(self) -> None:
        """A section's variable comes before those of its keys."""
        settings = self.with_variables(
            STORAGE_FILESYSTEM_ROOTDIRECTORY="/x", STORAGE="filesystem"
        )
        self.assertEqual(
            {"filesystem": {"rootdirectory": "/x"}}, settings.storage.drivers
        )

    def test_beside_plain_name(self) -> None:
        """Keys can be added to a storage section that is a plain name."""
        settings = self.with_variables(
            STORAGE_DELETE_ENABLED="true",
            STORAGE_MAINTENANCE_READONLY_ENABLED="true",
            STORAGE_INMEMORY_X_Y="5",
        )
        storage = settings.storage
        self.assertTrue(storage.delete.enabled)
        self.assertTrue(storage.maintenance.readonly.enabled)
        self.assertEqual({"inmemory": {"x": {"y": 5}}}, storage.drivers)

    def test_parameters(self) -> None:
        """Parameters are found whatever their case; new ones are in lower case."""
        text = (
            "version: 0.1\nstorage: {s3: {RegionEndpoint: a, Deep: {List: [{x: 1}]}}}\n"
        )
        variables = {
            "REGISTRY_STORAGE_S3_REGIONENDPOINT": "b",
            "REGISTRY_STORAGE_S3_BUCKET": "c",
            "REGISTRY_STORAGE_S3_SECURE": "false",
            "REGISTRY_STORAGE_S3_CHUNKSIZE": "5242880",
            "REGISTRY_STORAGE_S3_DEEP_LIST_0_X": "2",
            "REGISTRY_STORAGE_S3_DEEP_LIST_1_NEW_NEWER": "[3]",
        }
        self.assertEqual(
            {
                "RegionEndpoint": "b",
                "Deep": {"List": [{"x": 2}, {"new": {"newer": [3]}}]},
                "bucket": "c",
                "secure": False,
                "chunksize": 5242880,
            },
            self.load(text, variables).storage.parameters,
        )

    def test_headers(self) -> None:
        """Headers are found whatever their case; new ones are in lower case."""
        settings = self.load(
            GOOD + "http: {headers: {X-A: [old]}}\n",
            {
                "REGISTRY_HTTP_HEADERS_x-a": "[new]",
                "REGISTRY_HTTP_HEADERS_X-B": "[b, c]",
            },
        )
        self.assertEqual({"X-A": ("new",), "x-b": ("b", "c")}, settings.http.headers)

    def test_list_of_text(self) -> None:
        """Items of a list of text are set and added by their number."""
        settings = self.with_variables(
            "http: {cors: {origins: [https://a, https://b]}}\n",
            HTTP_CORS_ORIGINS_1="https://c",
            HTTP_CORS_ORIGINS_2="https://d",
            POLICY_REPOSITORY_CLASSES_0="image",
        )
        origins = ("https://a", "https://c", "https://d")
        self.assertEqual(origins, settings.http.cors.origins)
        self.assertEqual(("image",), settings.policy.repository.classes)

    def test_long_list(self) -> None:
        """Items are set in the order of their numbers, not of their digits."""
        variables = {f"HTTP_CORS_ORIGINS_{n}": f"https://{n}" for n in range(12)}
        origins = tuple(f"https://{n}" for n in range(12))
        self.assertEqual(origins, self.with_variables(**variables).http.cors.origins)

    def test_list_of_sections(self) -> None:
        """Keys of a list's items are set through the item's number."""
        settings = self.with_variables(
            "notifications: {endpoints: [{name: a, url: 'http://x'}]}\n",
            NOTIFICATIONS_ENDPOINTS_0_URL="http://y",
            NOTIFICATIONS_ENDPOINTS_1_NAME="b",
            NOTIFICATIONS_ENDPOINTS_1_HEADERS_AUTHORIZATION="[t]",
            VALIDATION_MANIFESTS_INDEXES_PLATFORMLIST_0_OS="linux",
        )
        first, second = settings.notifications.endpoints
        self.assertEqual(("a", "http://y"), (first.name, first.url))
        self.assertEqual(
            ("b", {"authorization": ("t",)}), (second.name, second.headers)
        )
        self.assertEqual(
            "linux", settings.validation.manifests.indexes.platformlist[0].os
        )

    def test_whole_list(self) -> None:
        """A list can be given whole."""
        settings = self.with_variables(
            REDIS_ADDRS="[a:1, b:2]", HTTP_TRUSTFORWARDED="[10.0.0.0/8]"
        )
        self.assertEqual(("a:1", "b:2"), settings.redis.addrs)
        self.assertNotIn("192.0.2.1", settings.http.trustforwarded)

    def test_other_names(self) -> None:
        """Where the Go registry's names differ from the keys, they are the names."""
        settings = self.with_variables(
            NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES="true",
            HEALTH_FILECHECKERS_0_FILE="/f",
            HEALTH_HTTPCHECKERS_0_STATUSCODE="204",
            HEALTH_TCPCHECKERS_0_ADDR="a:1",
            LOG_HOOKS_0_MAILOPTIONS_SMTP_PASSWORD="p",
            LOG_HOOKS_0_MAILOPTIONS_FROM="f",
            COMPATIBILITY_SCHEMA1_TRUSTKEY="k",
            PROXY_EXEC_COMMAND="c",
            PROXY_TTL="1h",
            REDIS_TLS_ROOTCAS_0="r",
        )
        self.assertTrue(settings.notifications.events.includereferences)
        self.assertEqual("/f", settings.health.file[0].file)
        self.assertEqual(204, settings.health.http[0].statuscode)
        self.assertEqual(Address("a", 1), settings.health.tcp[0].addr)
        options = settings.log.hooks[0].options
        self.assertEqual(("p", "f"), (options.smtp.password, options.sender))
        self.assertEqual("k", settings.compatibility.schema1.signingkeyfile)
        self.assertEqual(
            ("c", 3600.0), (settings.proxy.exec.command, settings.proxy.ttl)
        )
        self.assertEqual(("r",), settings.redis.tls.rootcas)

    def test_unset(self) -> None:
        """An empty variable sets a key back to its default."""
        settings = self.with_variables(
            "http: {prefix: /x/, secret: s}\n", HTTP_PREFIX="", HTTP_SECRET=" "
        )
        self.assertEqual(("/", None), (settings.http.prefix, settings.http.secret))

    def test_not_ours(self) -> None:
        """Other variables, and the two that are no keys, are passed over."""
        for name in (
            "REGISTRY",
            "registry_http_addr",
            "MY_REGISTRY_HTTP_ADDR",
            "REGISTRY_CONFIGURATION_PATH",
            "REGISTRY_VERSION",
        ):
            self.assertEqual([], self.warnings(GOOD, {name: "{[x"}))


class ProblemTests(ConfigTestCase):
    """Variables that are wrong."""

    def test_unknown(self) -> None:
        """A variable that leads to no key is warned about, its value not shown."""
        for name, guess in (
            ("PORT", ""),
            ("PORT_5000_TCP", ""),
            ("SERVICE_HOST", ""),
            ("", ""),
            ("_", ""),
            ("http_ADDR", '; did you mean "HTTP"?'),
            ("HTTP_ADR", '; did you mean "ADDR"?'),
            ("HTTP_ADDR_HOST", ""),
            ("HTTP_SECRET_", ""),
            ("HEALTH_FILE_0_FILE", '; did you mean "FILECHECKERS"?'),
            ("NOTIFICATIONS_EVENTS_X", '; did you mean "EVENTCONFIG"?'),
            ("HTTP_TRUSTFORWARDED_0", ""),
            ("STORAGE_INMEMORY" + "_A" * 50, ""),
        ):
            [line] = self.warnings(GOOD, {f"REGISTRY_{name}": "{not: [yaml"})
            expected = f"environment variable REGISTRY_{name}: leads to no key"
            self.assertEqual(f"{expected} and is ignored{guess}", line)

    def test_through_a_value(self) -> None:
        """A variable that leads through a parameter that is a value is ignored."""
        text = "version: 0.1\nstorage: {s3: {bucket: b}}\n"
        [line] = self.warnings(text, {"REGISTRY_STORAGE_S3_BUCKET_X": "1"})
        self.assertIn("REGISTRY_STORAGE_S3_BUCKET_X: leads to no key", line)

    def test_bad_value(self) -> None:
        """A value that the key does not take is an error that names the variable."""
        for name, value, problem in (
            ("HTTP_ADDR", "x", 'must be an address such as ":5000" or "[::1]:5000"'),
            ("HTTP_RELATIVEURLS", "maybe", "must be true or false, not text"),
            ("HTTP_RELATIVEURLS", "'true'", "must be true or false, not text"),
            ("HTTP", "{adr: x}", 'http.adr: unknown key; did you mean "addr"?'),
            ("HTTP", "x", "must be a mapping, not text"),
            ("LOG_LEVEL", "loud", "must be one of error, warn, info, debug"),
            ("TAGS_MAXTAGS", "-1", "must not be negative"),
            ("HTTP_CORS_ORIGINS_0", "[x]", "must be text, not a list"),
            ("STORAGE_FILESYSTEM", "x", "must be a mapping, not text"),
            ("HTTP_CORS_ORIGINS_X", "x", '"X" must be the number of a list\'s item'),
            ("HTTP_CORS_ORIGINS_1", "x", "there is no item 1, nor one before it"),
            ("HTTP_CORS_ORIGINS_-1", "x", '"-1" must be the number of a list\'s item'),
            ("HTTP_SECRET", "#x", "has no value but a comment (text needs quotes)"),
        ):
            text = "version: 0.1\nstorage: \n" if "STORAGE" in name else GOOD
            line = self.refuse(text, {f"REGISTRY_{name}": value})
            self.assertEqual(f"environment variable REGISTRY_{name}: {problem}", line)

    def test_bad_yaml(self) -> None:
        """A value that is not YAML is an error that does not show it."""
        for value in ("[::1]:5000", "@secret", "{secret", "*secret", '"secret'):
            line = self.refuse(GOOD, {"REGISTRY_HTTP_ADDR": value})
            start = "environment variable REGISTRY_HTTP_ADDR: "
            self.assertTrue(line.startswith(start), line)
            self.assertTrue(line.endswith("(is it text that needs quotes?)"), line)

    def test_second_driver(self) -> None:
        """A second storage driver from the environment is an error that names it."""
        variables = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/x"}
        self.assertEqual(
            "environment variable REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: storage: "
            'only one storage driver is possible, not "filesystem", "inmemory"',
            self.refuse(GOOD, variables),
        )

    def test_through_a_wrong_file(self) -> None:
        """Where the file has something else than a section, the file is wrong."""
        line = self.refuse(GOOD + "http: 5\n", {"REGISTRY_HTTP_ADDR": ":1"})
        self.assertEqual("config.yml:3: must be a mapping, not a number", line)

    def test_protection(self) -> None:
        """What would protect is refused from the environment as well."""
        for name, key in (("PROXY_REMOTEURL", "https://a.example"),):
            line = self.refuse(GOOD, {f"REGISTRY_{name}": key})
            self.assertIn(f"environment variable REGISTRY_{name}: ", line)
            self.assertIn("refusing to start without it", line)

    def test_half_of_tls(self) -> None:
        """A variable that has no effect without another one is named."""
        for name, value, problem in (
            ("HTTP_TLS_CERTIFICATE", "/x", "needs a key as well"),
            ("HTTP_TLS_CLIENTAUTH", "request-client-cert", "without a certificate"),
        ):
            line = self.refuse(GOOD, {f"REGISTRY_{name}": value})
            self.assertIn(f"environment variable REGISTRY_{name}: ", line)
            self.assertIn(problem, line)


_PARTS = """
    HTTP ADDR STORAGE FILESYSTEM INMEMORY DELETE ENABLED LOG LEVEL HOOKS 0 1 X AUTH
    HEADERS CORS ORIGINS REDIS TLS NOTIFICATIONS ENDPOINTS VALIDATION MANIFESTS URLS
    ALLOW MAINTENANCE READONLY TRUSTFORWARDED HEALTH FILECHECKERS PROXY TTL
"""
PARTS = st.sampled_from(_PARTS.split())
VALUES = st.sampled_from(
    ["", "true", "5", "10s", "x", ":5000", "[a, b]", "{a: b}", "~", "[[", "'", "- - a"]
) | st.text(max_size=12)


class AnyEnvironmentTests(ConfigTestCase):
    """Whatever the environment is."""

    @settings(max_examples=40, deadline=None)
    @given(
        st.dictionaries(
            st.lists(PARTS | st.text("AZ_09é", max_size=4), max_size=6).map("_".join),
            VALUES,
            max_size=5,
        )
    )
    def test_any(self, environ: dict[str, str]) -> None:
        """Any environment makes settings or a ConfigError of one line."""
        variables = {f"REGISTRY_{name}": value for name, value in environ.items()}
        variables.pop("REGISTRY_CONFIGURATION_PATH", None)
        try:
            found = load(None, variables)
        except ConfigError as error:
            self.assertEqual(1, len(str(error).splitlines()))
        else:
            for warning in found.warnings:
                self.assertEqual(1, len(str(warning).splitlines()))

    @settings(max_examples=25, deadline=None)
    @given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"])))
    def test_same_as_file(self, secret: str) -> None:
        """A text in quotes arrives from a variable as it does from a file."""
        quoted = json.dumps(secret)
        from_file = self.load(f"{GOOD}http: {{secret: {quoted}}}\n")
        from_variable = self.load(GOOD, {"REGISTRY_HTTP_SECRET": quoted})
        self.assertEqual(from_file, from_variable)
