"""Tests of txregistry.auth.explaining."""

from __future__ import annotations

from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from txregistry.auth.explaining import access_of, explain, identity_of
from txregistry.auth.rules import parse_rules
from txregistry.interfaces import Identity
from txregistry.oci.access import CATALOG, Access

RULES: Final = parse_rules(
    [
        {"who": "anonymous", "may": "pull", "on": "public/**"},
        {"who": "group:ops", "may": "*", "on": "lib/*"},
        {"who": "*", "not": "delete", "on": "**"},
    ]
)


class ExplainTests(SynchronousTestCase):
    """``explain``."""

    def test_decided(self) -> None:
        """The deciding rule comes first, then why those before it did not decide."""
        self.assertEqual(
            "denied by rules.2: * may not delete on **\n"
            "delete: rules.0 is not about the action:"
            " anonymous may pull on public/**\n"
            "delete: rules.1 is not about who asks: group:ops may * on lib/*",
            explain(RULES, identity_of("alice"), access_of("delete", "a")),
        )

    def test_first(self) -> None:
        """Where the first rule decides there is nothing more to say."""
        self.assertEqual(
            "allowed by rules.0: anonymous may pull on public/**",
            explain(RULES, identity_of("anonymous"), access_of("pull", "public/a")),
        )

    def test_nobody(self) -> None:
        """Where no rule matches, it says why of each."""
        self.assertEqual(
            "denied: no rule matches\n"
            "push: rules.0 is not about the action: anonymous may pull on public/**\n"
            "push: rules.1 is not about the repository: group:ops may * on lib/*\n"
            "push: rules.2 is not about the action: * may not delete on **",
            explain(RULES, identity_of("olga", ["ops"]), access_of("push", "a")),
        )


class QuestionTests(SynchronousTestCase):
    """What is asked, read from a command line."""

    def test_identity_of(self) -> None:
        """Whom a text names."""
        self.assertEqual(Identity(), identity_of("anonymous"))
        for text in ("alice", "user:alice"):
            expected = Identity("alice", "user", frozenset(["ops"]))
            self.assertEqual(expected, identity_of(text, ["ops"]))
        self.assertEqual(Identity("ci", "certificate"), identity_of("certificate:ci"))
        self.assertEqual(Identity("bot", "token"), identity_of("token:bot"))
        self.assertEqual(Identity("a:b", "user"), identity_of("a:b"))

    def test_access_of(self) -> None:
        """Which access an action is."""
        self.assertEqual(Access("repository", "a", "pull"), access_of("pull", "a"))
        self.assertEqual(CATALOG, access_of("catalog", ""))
