"""Tests of loading."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.config.cases import GOOD, ConfigTestCase
from tests.unit.config.shipped import SHIPPED
from txregistry.config import Address, ConfigError, load


class PathTests(ConfigTestCase):
    """Which file is read."""

    def test_default(self) -> None:
        """Without any path, the embedded default is read."""
        settings = load(None, {})
        self.assertEqual("filesystem", settings.storage.driver)
        self.assertEqual(
            {"rootdirectory": "./registry-data"}, settings.storage.parameters
        )
        self.assertTrue(settings.storage.delete.enabled)
        self.assertEqual(Address("127.0.0.1", 5000), settings.http.addr)
        self.assertEqual((), settings.warnings)

    def test_argument(self) -> None:
        """The path that is given goes before the environment's."""
        self.path.write_text(GOOD)
        settings = load(str(self.path), {"REGISTRY_CONFIGURATION_PATH": "/nowhere"})
        self.assertEqual("inmemory", settings.storage.driver)

    def test_variable(self) -> None:
        """The environment's path is read where none is given."""
        self.path.write_text(GOOD)
        settings = load(None, {"REGISTRY_CONFIGURATION_PATH": str(self.path)})
        self.assertEqual("inmemory", settings.storage.driver)
        self.assertEqual((), settings.warnings)

    def test_empty_variable(self) -> None:
        """An empty path in the environment is none."""
        settings = load(None, {"REGISTRY_CONFIGURATION_PATH": ""})
        self.assertEqual("filesystem", settings.storage.driver)

    def test_embedded_error(self) -> None:
        """An error in what the environment adds to the default names the variable."""
        variables = {"REGISTRY_HTTP_NET": "udp"}
        error = self.assertRaises(ConfigError, load, None, variables)
        expected = "environment variable REGISTRY_HTTP_NET: must be one of tcp, unix"
        self.assertEqual(expected, str(error))

    def test_unreadable(self) -> None:
        """A file that cannot be read is refused in one line."""
        for path, problem in (
            ("/nowhere/config.yml", "cannot be read: No such file or directory"),
            (str(Path("/")), "cannot be read: Is a directory"),
            ("a\0b", "is no path"),
        ):
            error = self.assertRaises(ConfigError, load, path, {})
            self.assertEqual(problem, error.problem)
            self.assertEqual(1, len(str(error).splitlines()))
            self.assertTrue(str(error).isprintable())

    def test_not_text(self) -> None:
        """A file that is not UTF-8 is refused at its line."""
        self.path.write_bytes(b"version: 0.1\n# \xff\n")
        error = self.assertRaises(ConfigError, load, str(self.path), {})
        self.assertEqual("config.yml:2: is not UTF-8", self.short(error))

    def test_byte_order_mark(self) -> None:
        """A byte order mark is passed over."""
        self.path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
        self.assertEqual("inmemory", load(str(self.path), {}).storage.driver)

    def test_too_large(self) -> None:
        """A file beyond any sense is refused without reading it."""
        self.assertIn("is larger than", self.refuse("#" * ((1 << 20) + 1)))


class VersionTests(ConfigTestCase):
    """``version``."""

    def test_missing(self) -> None:
        """A file without a version is refused."""
        for text, line in (("", 1), ("storage: inmemory\n", 1), ("#\n\nlog:\n", 3)):
            expected = f"config.yml:{line}: version: is missing; it must be 0.1"
            self.assertEqual(expected, self.refuse(text))

    def test_other(self) -> None:
        """Any other version is refused."""
        for value, problem in (
            (
                "0.2",
                '"0.2" is not supported; it must be 0.1, the only version there is',
            ),
            (
                "0.10",
                '"0.10" is not supported; it must be 0.1, the only version there is',
            ),
            ("[0.1]", "must be 0.1, the only version there is"),
        ):
            line = self.refuse(f"storage: inmemory\nversion: {value}\n")
            self.assertEqual(f"config.yml:2: version: {problem}", line)

    def test_not_a_mapping(self) -> None:
        """A file that is no mapping is refused."""
        self.assertEqual(
            "config.yml:1: must be a mapping, not text", self.refuse("version 0.1")
        )


class ShippedTests(ConfigTestCase):
    """The configurations that come with the Go registry."""

    def test_load(self) -> None:
        """Each loads, or refuses because of what would protect and nothing else."""
        for name, (text, refused) in SHIPPED.items():
            if refused is None:
                self.load(text)
            else:
                line = self.refuse(text)
                self.assertIn(f"{refused}: ", line, name)
                self.assertIn("is not supported by this version", line, name)

    def test_without(self) -> None:
        """The refused ones load when the section is taken out."""
        for text, refused in SHIPPED.values():
            if refused is not None:
                start = text.index(f"{refused.partition('.')[0]}:\n")
                settings = self.load(text[:start] + text[text.index("health:") :])
                self.assertEqual(Address("", 5000), settings.http.addr)


_SNIPPETS = r"""
    [ ] { } : - , & * &a *a *a: <<:*a ~ !!int !x !!str " ' | > ? @ # % true 5 0x none
    http storage auth .inf 1:30 \U99999999 \ud800 99999999999999999999 é = y --- ...
"""
SNIPPETS = st.sampled_from(
    [
        *_SNIPPETS.split(),
        *(
            " ",
            ": ",
            "\n",
            "\n- ",
            "- ",
            "&a ",
            "<<: *a",
            "\n---\n",
            "%YAML 1.1\n",
            "\t",
        ),
        *("\0", "\x85", "\u2028", "\ufeff", "\r", "[" * 40, "{a: " * 40, "!!int "),
    ]
)
SEEDS = st.sampled_from([text for text, _ in SHIPPED.values()])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Take a shipped configuration, and put or cut something here and there."""
    text = draw(SEEDS)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.sampled_from([0, 0, 1, 2, 20]))
        text = text[:start] + draw(SNIPPETS) + text[end:]
    return text


class AnyTextTests(ConfigTestCase):
    """Whatever stands in the file."""

    def check(self, content: bytes) -> None:
        """Load a content: it must make settings, or a ConfigError of one line."""
        self.path.write_bytes(content)
        try:
            found = load(str(self.path), {})
        except ConfigError as error:
            self.assertTrue(str(error).isprintable())
        else:
            found.effective()
            repr(found)

    @settings(max_examples=40, deadline=None)
    @given(st.text(max_size=200))
    @example('version: 0.1\nstorage: "\\ud800"\n')
    @example("version: 0.1\nstorage: &a {x: *a}\n")
    def test_text(self, text: str) -> None:
        """Any text is settings or a ConfigError."""
        self.check(text.encode("utf-8", "replace"))
        self.check(f"{GOOD}{text}".encode("utf-8", "replace"))

    @settings(max_examples=25, deadline=None)
    @given(st.binary(max_size=100))
    def test_bytes(self, content: bytes) -> None:
        """Any bytes are settings or a ConfigError."""
        self.check(content)

    @settings(max_examples=40, deadline=None)
    @given(mutated())
    def test_mutated(self, text: str) -> None:
        """Any damage to a good configuration makes settings or a ConfigError."""
        self.check(text.encode("utf-8", "replace"))
