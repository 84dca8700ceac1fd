"""Tests of structuring, by loading."""

from __future__ import annotations

from tests.unit.config.cases import GOOD, ConfigTestCase
from txregistry.config import Address, BaseURL, TrustedProxies
from txregistry.config.sections.validation import Platform


class KeyTests(ConfigTestCase):
    """Keys."""

    def test_unknown(self) -> None:
        """An unknown key is refused with its path, its line and a similar one."""
        for text, line in (
            ("http:\n  adr: x\n", '4: http.adr: unknown key; did you mean "addr"?'),
            ("Http: {}\n", '3: Http: unknown key; did you mean "http"?'),
            ("qqqqqq: 1\n", "3: qqqqqq: unknown key"),
            ("log: {}\n'a\\nb': 1\n", "4: a\\nb: unknown key"),
            (
                "notifications:\n  endpoints:\n    - {name: x}\n    - nam: y\n",
                '6: notifications.endpoints.1.nam: unknown key; did you mean "name"?',
            ),
            ("? ''\n: 5\n", "3: unknown key"),
        ):
            self.assertEqual(f"config.yml:{line}", self.refuse(GOOD + text))

    def test_empty(self) -> None:
        """Sections and keys without a value leave the defaults."""
        text = "http:\nlog: {level: , accesslog: ~}\nvalidation: {}\n"
        self.assertEqual(self.load(GOOD), self.load(GOOD + text))

    def test_empty_text(self) -> None:
        """Empty text leaves the defaults, as in the Go registry."""
        text = 'http: {addr: "", host: "", prefix: "", secret: ""}\nlog: {level: ""}\n'
        self.assertEqual(self.load(GOOD), self.load(GOOD + text))

    def test_not_a_section(self) -> None:
        """A section that is no mapping is refused."""
        for text, line in (
            ("http: 5\n", "3: http: must be a mapping, not a number"),
            ("http: x\n", "3: http: must be a mapping, not text"),
            ("http: [x]\n", "3: http: must be a mapping, not a list"),
            ("http: true\n", "3: http: must be a mapping, not a boolean"),
            ("health: {file: {}}\n", "3: health.file: must be a list, not a mapping"),
            ("health: {file: [x]}\n", "3: health.file.0: must be a mapping, not text"),
        ):
            self.assertEqual(f"config.yml:{line}", self.refuse(GOOD + text))


class ValueTests(ConfigTestCase):
    """Values."""

    def problem(self, key: str, value: str) -> str:
        """Give a key a bad value; return the problem that is reported for it."""
        *sections, last = key.split(".")
        text = "".join(
            f"{'  ' * depth}{part}:\n" for depth, part in enumerate(sections)
        )
        text += f"{'  ' * len(sections)}{last}: {value}\n"
        place = f"config.yml:{3 + len(sections)}: {key}"
        line = self.refuse(GOOD + text)
        self.assertTrue(line.startswith(place), line)
        return line.removeprefix(place).lstrip(".: ")

    def test_booleans(self) -> None:
        """A boolean is a YAML boolean, not text or a number."""
        key = "http.relativeurls"
        self.assertEqual("must be true or false, not text", self.problem(key, "'true'"))
        for value in ("y", "1", "[true]", "{}", '"no"', "enabled"):
            self.assertIn("must be true or false", self.problem(key, value))
        settings = self.load(GOOD + "http: {relativeurls: yes}\n")
        self.assertIs(True, settings.http.relativeurls)

    def test_numbers(self) -> None:
        """A number is a whole number of at most 64 bits."""
        key = "catalog.maxentries"
        for value in ("x", "'5'", "1.5", "true", "[5]"):
            self.assertIn("must be a whole number", self.problem(key, value))
        self.assertEqual("is too large a number", self.problem(key, str(2**63)))

    def test_text(self) -> None:
        """Text may be any scalar and is kept as it was written."""
        for value, secret in (
            ("0123", "0123"),
            ("1e3", "1e3"),
            ("no", "no"),
            ("'~'", "~"),
        ):
            settings = self.load(GOOD + f"http: {{secret: {value}}}\n")
            self.assertEqual(secret, settings.http.secret)
        self.assertEqual("must be text, not a list", self.problem("http.secret", "[x]"))

    def test_durations(self) -> None:
        """A duration has units; a bare number counts nanoseconds."""
        for value, seconds in (
            ("1m", 60.0),
            ("2000000000", 2.0),
            ("0", 0.0),
            ("'0'", 0.0),
        ):
            settings = self.load(GOOD + f"http: {{draintimeout: {value}}}\n")
            self.assertEqual(seconds, settings.http.draintimeout)
        key = "http.draintimeout"
        for value in ("'5'", "x", "5 s", "[1s]", "true", "1.5"):
            self.assertIn("must be a duration", self.problem(key, value))
        self.assertEqual("is too long a duration", self.problem(key, "9" * 19))
        self.assertEqual("must not be negative", self.problem(key, "-1s"))

    def test_bad(self) -> None:
        """A value that cannot be used is refused, with a word on what could."""
        for key, value, part in (
            ("log.level", "loud", "must be one of error, warn, info, debug"),
            ("log.level", "[info]", "must be one of"),
            ("loglevel", "loud", "must be one of"),
            ("log.formatter", "xml", "must be one of text, json, logstash"),
            ("http.addr", "localhost", "must be an address"),
            ("http.addr", "5000", "must be an address"),
            ("http.net", "unix", "needs a path as addr"),
            ("http.socketmode", "660", 'need "net: unix"'),
            ("http.socketmode", "rw", "must be three octal digits"),
            ("http.tls.minimumtls", "tls1.1", "older versions are broken"),
            ("http.tls.minimumtls", "ssl3", "must be one of tls1.0, tls1.1, tls1.2"),
            ("http.tls.clientauth", "always", "must be one of request-client-cert"),
            ("http.net", "udp", "must be one of tcp, unix"),
            ("http.host", "r.example.com", "must be an absolute URL"),
            ("http.prefix", "/x", "must be a path such as"),
            ("http.prefix", "x/", "must be a path such as"),
            ("http.prefix", '"/a b/"', "must be a path such as"),
            ("http.prefix", "/a%20b/", "must be a path such as"),
            ("http.prefix", "/<x>/", "must be a path such as"),
            ("http.prefix", "/a//b/", "must be a path such as"),
            ("http.prefix", "//", "must be a path such as"),
            ("http.prefix", "/../a/", "must be a path such as"),
            ("http.prefix", "/a/./", "must be a path such as"),
            ("http.headers", "{Content-Length: [1]}", "must not have Content-Length"),
            ("http.headers", "{x: [a], DATE: [b]}", "must not have DATE"),
            ("http.headers", "{connection: [close]}", "must not have connection"),
            ("http.headers", "{Transfer-Encoding: [gzip]}", "Transfer-Encoding"),
            ("http.headers", "{X: nosniff}", "must be a list, not text"),
            ("http.headers", "{'a b': [x]}", "is no name for a header"),
            ("http.headers", '{X: ["a\\r\\nb"]}', "is no value for a header"),
            ("http.limits.headersize", "100", "must be 512 or more"),
            ("http.limits.headercount", "0", "must be 8 or more"),
            ("http.limits.headertimeout", "0s", "must be longer than nothing"),
            ("http.limits.idletimeout", "-1s", "must be longer than nothing"),
            ("http.cors.origins", "[example.com]", "must be origins"),
            ("http.cors.origins", "['https://a/b']", "must be origins"),
            ("http.cors.maxage", "-1s", "must not be negative"),
            (
                "http.trustforwarded",
                "maybe",
                "must be true, false or a list of networks",
            ),
            ("http.trustforwarded", "[localhost]", "must be networks"),
            ("http.trustforwarded", "[[x]]", "must be text"),
            ("tags.maxtags", "-1", "must not be negative"),
            ("validation.manifests.maxsize", "0", "must be more than 0"),
            ("validation.manifests.urls.allow", "['(']", "is no regular expression"),
            (
                "validation.manifests.urls.deny",
                "['a{9999999999}']",
                "is no regular exp",
            ),
            ("validation.manifests.urls.deny", "['[[:alpha:]]']", "is no regular exp"),
            (
                "validation.manifests.indexes.platforms",
                "some",
                "must be one of all, none",
            ),
            ("policy.repository.classes", "[helm]", "must be one of image, plugin"),
        ):
            self.assertIn(part, self.problem(key, value), f"{key}: {value}")

    def test_good(self) -> None:
        """Every key that is acted on arrives in its attribute."""
        settings = self.load(
            """
version: "0.1"
log: {level: WARN, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: /srv, deep: {list: [1, x, {y: 2.5}], none: }}
  delete: {enabled: true}
  redirect: {disable: true}
  maintenance: {readonly: {enabled: true}}
http:
  addr: "[::1]:80"
  net: tcp
  host: https://r.example.com
  prefix: /x/
  secret: s
  relativeurls: true
  draintimeout: 1s
  headers: {X-A: [1, b], x-b: [c]}
  limits: {headersize: 1000, headercount: 10, headertimeout: 2s, idletimeout: 3s}
  cors: {origins: ["*", "https://a.example:1"], maxage: 4s}
  trustforwarded: [127.0.0.1]
  http2: {disabled: true}
catalog: {maxentries: 5}
tags: {maxtags: 6}
validation:
  disabled: true
  enabled: true
  manifests:
    urls: {allow: ["^https://a/"], deny: [b]}
    indexes: {platforms: LIST, platformlist: [{architecture: arm64, os: linux}]}
    sparse: true
    maxsize: 7
policy: {repository: {classes: [image]}}
"""
        )
        self.assertEqual(
            ("warn", True), (settings.log.level, settings.log.accesslog.disabled)
        )
        storage = settings.storage
        self.assertEqual("filesystem", storage.driver)
        self.assertEqual(
            {
                "rootdirectory": "/srv",
                "deep": {"list": [1, "x", {"y": 2.5}], "none": None},
            },
            storage.parameters,
        )
        self.assertTrue(storage.delete.enabled)
        self.assertTrue(storage.redirect.disable)
        self.assertTrue(storage.maintenance.readonly.enabled)
        http = settings.http
        self.assertEqual(
            (Address("::1", 80), "tcp", "/x/"), (http.addr, http.net, http.prefix)
        )
        self.assertEqual(BaseURL("https", "r.example.com"), http.host)
        self.assertEqual(
            ("s", True, 1.0), (http.secret, http.relativeurls, http.draintimeout)
        )
        self.assertEqual({"X-A": ("1", "b"), "x-b": ("c",)}, http.headers)
        limits = http.limits
        self.assertEqual((1000, 10), (limits.headersize, limits.headercount))
        self.assertEqual((2.0, 3.0), (limits.headertimeout, limits.idletimeout))
        self.assertEqual(
            (("*", "https://a.example:1"), 4.0), (http.cors.origins, http.cors.maxage)
        )
        self.assertEqual(TrustedProxies.parse(["127.0.0.1/32"]), http.trustforwarded)
        self.assertEqual((5, 6), (settings.catalog.maxentries, settings.tags.maxtags))
        manifests = settings.validation.manifests
        self.assertTrue(settings.validation.active)
        self.assertEqual(
            ("list", (Platform("arm64", "linux"),)),
            (manifests.indexes.platforms, manifests.indexes.platformlist),
        )
        self.assertEqual((True, 7), (manifests.sparse, manifests.maxsize))
        self.assertEqual(("image",), settings.policy.repository.classes)
        self.assertEqual((), settings.warnings)

    def test_defaults(self) -> None:
        """Keys that are not given have the documented defaults."""
        settings = self.load(GOOD)
        self.assertEqual("info", settings.log.level)
        self.assertFalse(settings.storage.delete.enabled)
        http = settings.http
        [place] = http.places.values()
        self.assertEqual(Address("127.0.0.1", 5000), place.addr)
        self.assertEqual(
            (None, "/", None, 30.0),
            (http.host, http.prefix, http.secret, http.draintimeout),
        )
        self.assertIn("192.0.2.1", http.trustforwarded)
        self.assertEqual(
            (1000, 1000), (settings.catalog.maxentries, settings.tags.maxtags)
        )
        self.assertTrue(settings.validation.active)
        self.assertEqual(4194304, settings.validation.manifests.maxsize)

    def test_counts(self) -> None:
        """Page sizes that mean nothing mean the default, as in the Go registry."""
        for text in (
            "catalog: {maxentries: 0}",
            "catalog: {maxentries: -5}",
            "tags: {maxtags: 0}",
        ):
            settings = self.load(GOOD + text)
            self.assertEqual(
                (1000, 1000), (settings.catalog.maxentries, settings.tags.maxtags)
            )

    def test_loglevel(self) -> None:
        """``loglevel`` counts where ``log.level`` is not given."""
        for text, level in (
            ("loglevel: debug\n", "debug"),
            ("loglevel: debug\nlog:\n", "debug"),
            ("loglevel: debug\nlog: {level: }\n", "debug"),
            ("loglevel: debug\nlog: {level: warn}\n", "warn"),
        ):
            settings = self.load(GOOD + text)
            self.assertEqual((level, None), (settings.log.level, settings.loglevel))


class NamesTests(ConfigTestCase):
    """Sections whose keys are names: ``storage`` and ``auth``."""

    def test_plain_name(self) -> None:
        """A plain name is a driver without parameters."""
        storage = self.load("version: 0.1\nstorage: inmemory\n").storage
        self.assertEqual(("inmemory", {}), (storage.driver, storage.parameters))

    def test_no_parameters(self) -> None:
        """A driver without a value has no parameters."""
        storage = self.load("version: 0.1\nstorage: {inmemory: , delete: }\n").storage
        self.assertEqual(("inmemory", {}), (storage.driver, storage.parameters))

    def test_none(self) -> None:
        """No driver is refused at the section's line, or the file's beginning."""
        for text, line in (
            ("version: 0.1\n", 1),
            ("# x\n\nversion: 0.1\n", 3),
            ("version: 0.1\nstorage:\n", 2),
            ("version: 0.1\nstorage: ''\n", 2),
            ("version: 0.1\nstorage:\n  delete: {enabled: true}\n", 2),
        ):
            expected = f"config.yml:{line}: storage: a storage driver is needed"
            self.assertEqual(expected, self.refuse(text))

    def test_two_drivers(self) -> None:
        """More than one driver is refused at the second one's line."""
        self.assertEqual(
            "config.yml:4: storage: only one storage driver is possible, "
            'not "filesystem", "s3"',
            self.refuse("version: 0.1\nstorage:\n  s3: {}\n  filesystem: {}\n"),
        )

    def test_misspelt(self) -> None:
        """Something like a known key beside a driver is taken for a slip."""
        self.assertEqual(
            'config.yml:3: storage.delte: unknown key; did you mean "delete"?',
            self.refuse("version: 0.1\nstorage:\n  delte: {}\n  filesystem: {}\n"),
        )

    def test_bad_parameters(self) -> None:
        """A driver's parameters are a mapping."""
        self.assertEqual(
            "config.yml:2: storage.s3: must be a mapping, not text",
            self.refuse("version: 0.1\nstorage: {s3: x}\n"),
        )

    def test_two_controllers(self) -> None:
        """More than one access controller is refused."""
        line = self.refuse(GOOD + "auth: {silly: {}, htpasswd: {}}\n")
        self.assertIn("auth: only one access controller is possible", line)
