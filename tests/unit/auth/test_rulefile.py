"""Tests of txregistry.auth.rulefile."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import execute
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from tests.unit.auth.files import FileTestCase, long_after
from tests.unit.oci.generated import generated
from txregistry.auth.rulefile import open_rule_file, parse_rule_file
from txregistry.auth.rules import Rules, RulesPolicy
from txregistry.auth.watched import BrokenFile
from txregistry.interfaces import Identity
from txregistry.oci.access import Access

PULL: Final = Access("repository", "public/a", "pull")
TEXT: Final = """
rules:
  - {who: anonymous, may: [pull], on: "public/**"}
  - who: [user:007, group:on]
    not: "*"
    on:
      - "**"
"""


class ParseTests(FileTestCase):
    """``parse_rule_file``."""

    def refused(self, text: str | bytes) -> str:
        """Return the error that a content is refused with."""
        content = text.encode() if isinstance(text, str) else text
        return str(self.assertRaises(BrokenFile, parse_rule_file, "r.yml", content))

    def test_rules(self) -> None:
        """Rules are read, and all scalars are texts."""
        rules = parse_rule_file("r.yml", TEXT.encode()).rules
        self.assertEqual(
            ["anonymous may pull on public/**", "user:007, group:on may not * on **"],
            [str(rule) for rule in rules],
        )

    def test_none(self) -> None:
        """An empty list is no rules."""
        self.assertEqual(Rules(()), parse_rule_file("r.yml", b"rules: []"))

    def test_other_documents(self) -> None:
        """A document of another form is refused."""
        for text in ("", "a", "[]", "rule: []", "rules: []\nmore: []"):
            problem = "r.yml: has to be a table with the one key rules"
            self.assertEqual(problem, self.refused(text))
        self.assertEqual(
            "r.yml: rules: has to be a list of rules", self.refused("rules:")
        )

    def test_bad_rule(self) -> None:
        """A rule that is none is refused with its place."""
        self.assertEqual(
            "r.yml: rules.1.on: is empty",
            self.refused(TEXT.replace('- "**"', '- ""')),
        )

    def test_yaml(self) -> None:
        """What is not YAML is refused, with the line where there is one."""
        for text, line in (
            ("rules: [", 1),
            ("rules:\n- {who: a, who: b}", 2),
            ("rules: &a [*a]", 1),
            ("rules: *a", 1),
            ("a: b\n---\na: b", 2),
            ("? [a]\n: b", 1),
        ):
            self.assertTrue(
                self.refused(text).startswith(f"r.yml:{line}: not valid YAML: "), text
            )
        for content in (b"\0", b"\xff"):
            self.assertEqual("r.yml: not valid YAML", self.refused(content))

    def test_deep(self) -> None:
        """What is nested deeper than any rule is refused where it is too deep."""
        problem = "not valid YAML: nested deeper than 32 levels"
        for text, line in (
            ("[" * 1500, 1),
            ("[\n" * 1000, 33),
            ("rules: " + "[" * 32 + "]" * 32, 1),
            ("{a: " * 33, 1),
        ):
            self.assertEqual(f"r.yml:{line}: {problem}", self.refused(text), text)

    def test_not_too_deep(self) -> None:
        """As deep as the bound is not too deep, however often."""
        inner = "[" * 28 + "]" * 28
        rule = f"- {{who: {inner}}}\n"
        self.assertIn("r.yml: rules.0: ", self.refused("rules:\n" + rule * 40))

    def test_one_line(self) -> None:
        """Every error is one line."""
        for text in (
            "a: 'b\n\nc",
            "rules: [{who: 'a\n\nb'}]",
            "rules:\n- 'a\n\n b': c",
        ):
            self.assertNotIn("\n", self.refused(text))

    @generated
    @given(st.binary() | st.text("rules:[]{}who may on,'\"*&\n- ").map(str.encode))
    def test_anything(self, content: bytes) -> None:
        """Anything is a rule file, or refused."""
        try:
            self.assertIsInstance(parse_rule_file("r.yml", content), Rules)
        except BrokenFile as error:
            self.assertEqual(1, len(str(error).splitlines()))


class ReloadTests(FileTestCase):
    """A rule file that changes."""

    def setUp(self) -> None:
        """Open a file with rules."""
        super().setUp()
        self.clock = Clock()
        path = self.write(TEXT)
        file = open_rule_file(path, execute, self.clock, long_after)
        self.policy = RulesPolicy(file.current)

    def may(self) -> bool:
        """Say whether anybody may pull what is public, a second later."""
        self.clock.advance(1)
        self.policy.may(Identity(), PULL)
        return self.policy.may(Identity(), PULL)

    def test_changed(self) -> None:
        """New rules are in force within a second or so."""
        self.assertTrue(self.may())
        self.write("rules: []")
        self.assertFalse(self.may())

    def test_broken(self) -> None:
        """Broken rules are logged, and the old ones stay in force."""
        self.write("rules: [{}]")
        with capturedLogs() as logs:
            self.assertTrue(self.may())
            self.assertTrue(self.may())
        self.assertEqual([LogLevel.error], [event["log_level"] for event in logs])

    def test_first(self) -> None:
        """A file that is broken at first is refused."""
        path = self.write("rules: [{}]")
        error = self.assertRaises(BrokenFile, open_rule_file, path, execute, self.clock)
        self.assertEqual("rules.0: has to have either may or not", error.problem)
