"""Tests of txregistry.auth.rules."""

from __future__ import annotations

from typing import Any, Final

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.auth.rules import Decision, Rules, RulesPolicy, parse_rules
from txregistry.interfaces import IAccessPolicy, Identity, InvalidOption
from txregistry.oci.access import CATALOG, Access

NOBODY: Final = Identity()
ALICE: Final = Identity("alice", "user")
OPS: Final = Identity("olga", "user", frozenset(["ops", "all"]))
CI: Final = Identity("ci", "certificate")
BEARER: Final = Identity("bot", "token")

EXAMPLE: Final[list[Any]] = [
    {"who": "anonymous", "may": ["pull"], "on": "public/**"},
    {"who": "authenticated", "may": ["pull", "push"], "on": "users/${user}/**"},
    {"who": "group:ops", "may": "*", "on": "**"},
    {
        "who": ["user:alice", "certificate:ci"],
        "may": ["push", "pull"],
        "on": ["team/*", "lib/**"],
    },
    {"who": "*", "not": ["delete"], "on": "**"},
]


def access(action: str, name: str = "a/b") -> Access:
    """Return an access to a repository."""
    return Access("repository", name, action)


class RulesCase(SynchronousTestCase):
    """Tests of rules."""

    def allowed(
        self, rules: list[Any], identity: Identity, *accesses: Access
    ) -> list[bool]:
        """Return which accesses rules allow; both ways to ask answer the same."""
        parsed = parse_rules(rules)
        found = [parsed.allow(identity, each) for each in accesses]
        decided = [parsed.decide(identity, each).allowed for each in accesses]
        self.assertEqual(found, decided)
        return found

    def actions(self, rules: list[Any], identity: Identity, name: str = "a/b") -> str:
        """Return the actions on a repository that rules allow."""
        return " ".join(
            action
            for action in ("pull", "push", "delete")
            if self.allowed(rules, identity, access(action, name)) == [True]
        )


class DecideTests(RulesCase):
    """What rules decide."""

    def test_no_rules(self) -> None:
        """Where there are no rules nobody may do anything."""
        self.assertEqual("", self.actions([], OPS))

    def test_two_lines(self) -> None:
        """Anonymous pull with authenticated push is two rules."""
        rules = [
            {"who": "*", "may": "pull", "on": "**"},
            {"who": "authenticated", "may": "push", "on": "**"},
        ]
        self.assertEqual("pull", self.actions(rules, NOBODY))
        self.assertEqual("pull push", self.actions(rules, ALICE))

    def test_example(self) -> None:
        """The rules of the documentation do what it says."""
        for identity, name, expected in (
            (NOBODY, "public/a/b", "pull"),
            (NOBODY, "team/a", ""),
            (ALICE, "public/a", ""),
            (ALICE, "users/alice/app", "pull push"),
            (ALICE, "users/bob/app", ""),
            (ALICE, "team/a", "pull push"),
            (ALICE, "team/a/b", ""),
            (CI, "lib/a/b", "pull push"),
            (OPS, "team/a", "pull push delete"),
            (OPS, "any", "pull push delete"),
            (BEARER, "users/bot/app", "pull push"),
            (BEARER, "lib/a", ""),
        ):
            self.assertEqual(expected, self.actions(EXAMPLE, identity, name), name)

    def test_first(self) -> None:
        """The first rule that matches decides, be there others after it."""
        deny = {"who": "*", "not": "push", "on": "a/*"}
        allow = {"who": "*", "may": "*", "on": "**"}
        self.assertEqual("pull delete", self.actions([deny, allow], ALICE))
        self.assertEqual("pull push delete", self.actions([allow, deny], ALICE))

    def test_who(self) -> None:
        """Each way to name somebody means those and no others."""
        everybody = (NOBODY, ALICE, OPS, CI, BEARER)
        for who, expected in (
            ("anonymous", [NOBODY]),
            ("authenticated", [ALICE, OPS, CI, BEARER]),
            ("*", [*everybody]),
            ("user:alice", [ALICE]),
            ("group:ops", [OPS]),
            ("certificate:ci", [CI]),
            ("token:bot", [BEARER]),
            ("user:ci", []),
            ("certificate:alice", []),
            ("group:alice", []),
            (["user:alice", "group:all", "token:x"], [ALICE, OPS]),
        ):
            rules = [{"who": who, "may": "pull", "on": "**"}]
            found = [each for each in everybody if self.actions(rules, each)]
            self.assertEqual(expected, found, who)

    def test_catalog(self) -> None:
        """The catalog is allowed by its name, or with everything everywhere."""
        for rule, expected in (
            ({"may": "catalog"}, True),
            ({"may": ["catalog", "pull"], "on": "a"}, True),
            ({"may": "*", "on": "**"}, True),
            ({"may": "*", "on": ["a", "**"]}, True),
            ({"may": "*", "on": "a/**"}, False),
            ({"may": ["pull", "push", "delete"], "on": "**"}, False),
        ):
            rules = [{"who": "*", **rule}]
            self.assertEqual([expected], self.allowed(rules, ALICE, CATALOG), rule)

    def test_no_catalog(self) -> None:
        """A rule that denies everything in one place says nothing of the catalog."""
        rules = [
            {"who": "*", "not": "*", "on": "a/**"},
            {"who": "*", "may": "*", "on": "**"},
        ]
        self.assertEqual([True], self.allowed(rules, ALICE, CATALOG))

    def test_everything(self) -> None:
        """To be allowed everything is to be allowed each thing."""
        some = [{"who": "*", "may": ["pull", "push"], "on": "**"}]
        all_of_them = [*some, {"who": "*", "may": "delete", "on": "a/*"}]
        self.assertEqual([False], self.allowed(some, ALICE, access("*")))
        self.assertEqual([True], self.allowed(all_of_them, ALICE, access("*")))

    def test_unknown(self) -> None:
        """What rules do not know is denied."""
        rules = [{"who": "*", "may": "*", "on": "**"}]
        for each in (
            access("squash"),
            access(""),
            access("catalog"),
            Access("registry", "other", "*"),
            Access("registry", "catalog", "pull"),
            Access("plugin", "a/b", "pull"),
            access("pull", "UPPER"),
            access("pull", "host:5000/a"),
        ):
            self.assertEqual([False], self.allowed(rules, ALICE, each), each)

    def test_text(self) -> None:
        """A decision says which rule made it, and what that one says."""
        rules = parse_rules(EXAMPLE)
        for identity, wanted, expected in (
            (
                CI,
                access("push", "lib/x"),
                Decision(
                    True,
                    3,
                    "allowed by rules.3:"
                    " user:alice, certificate:ci may push, pull on team/*, lib/**",
                ),
            ),
            (
                CI,
                access("delete"),
                Decision(False, 4, "denied by rules.4: * may not delete on **"),
            ),
            (
                CI,
                access("*", "lib/x"),
                Decision(False, 4, "denied by rules.4: * may not delete on **"),
            ),
            (CI, access("pull"), Decision(False, None, "denied: no rule matches")),
            (
                CI,
                Access("plugin", "a", "pull"),
                Decision(False, None, "denied: no rule is about such a thing"),
            ),
        ):
            self.assertEqual(expected, rules.decide(identity, wanted))

    def test_catalog_text(self) -> None:
        """A rule of the catalog is on no repository."""
        rules = parse_rules([{"who": "user:alice", "may": "catalog"}])
        self.assertEqual(
            "allowed by rules.0: user:alice may catalog",
            rules.decide(ALICE, CATALOG).text,
        )


class PolicyTests(SynchronousTestCase):
    """``RulesPolicy``."""

    def test_current(self) -> None:
        """The policy is what the rules are at the time."""
        rules = [Rules(())]
        policy = RulesPolicy(lambda: rules[-1])
        verifyObject(IAccessPolicy, policy)
        self.assertFalse(policy.may(NOBODY, access("pull", "public/a")))
        rules.append(parse_rules(EXAMPLE))
        self.assertTrue(policy.may(NOBODY, access("pull", "public/a")))


class ParseTests(SynchronousTestCase):
    """What are rules."""

    def refused(self, value: object) -> str:
        """Return the error that a value is refused with."""
        return str(self.assertRaises(InvalidOption, parse_rules, value, "auth.rules"))

    def rule_refused(self, **changes: object) -> str:
        """Return the error for a rule behind a good one, some parts of it changed."""
        good = {"who": "*", "may": "pull", "on": "**"}
        bad = {
            key: value
            for key, value in {**good, **changes}.items()
            if value is not ParseTests
        }
        return self.refused([good, bad])

    def test_no_list(self) -> None:
        """What is no list of tables is refused."""
        self.assertEqual("auth.rules: has to be a list of rules", self.refused({}))
        self.assertEqual(
            "auth.rules.1: has to be a table with who, may or not, and on",
            self.refused([EXAMPLE[0], "x"]),
        )

    def test_missing(self) -> None:
        """A part that is missing is named."""
        missing = ParseTests
        self.assertEqual("auth.rules.1.who: is missing", self.rule_refused(who=missing))
        self.assertEqual("auth.rules.1.on: is missing", self.rule_refused(on=missing))
        self.assertEqual("auth.rules.1.may: is missing", self.rule_refused(may=[]))
        self.assertEqual("auth.rules.1.on: is missing", self.rule_refused(on=None))

    def test_verb(self) -> None:
        """A rule allows or denies, and not both."""
        either = "auth.rules.1: has to have either may or not"
        self.assertEqual(either, self.rule_refused(may=ParseTests))
        self.assertEqual(either, self.rule_refused(**{"not": "push"}))

    def test_unknown(self) -> None:
        """A part that there is not is refused, and those that there are are named."""
        self.assertEqual(
            "auth.rules.1.were: unknown; known are: who, may, not, on",
            self.rule_refused(were="**"),
        )

    def test_texts(self) -> None:
        """A part that is no text is refused."""
        for part in ("who", "may", "on"):
            for value in (5, {"a": "b"}, ["*", None], [["*"]], True):
                self.assertEqual(
                    f"auth.rules.1.{part}: has to be a text or a list of texts",
                    self.rule_refused(**{part: value}),
                )

    def test_who(self) -> None:
        """Who is nobody is refused."""
        forms = (
            "there are: anonymous, authenticated, *,"
            " user:NAME, group:NAME, certificate:NAME, token:NAME"
        )
        for text in ("alice", "users:alice", "", ":alice"):
            self.assertEqual(
                f"auth.rules.1.who: {text!r} is nobody; {forms}",
                self.rule_refused(who=["*", text]),
            )
        for text in ("user:", "user: alice"):
            self.assertEqual(
                f"auth.rules.1.who: {text!r} has no name, or spaces around it",
                self.rule_refused(who=text),
            )

    def test_action(self) -> None:
        """What is no action is refused."""
        self.assertEqual(
            "auth.rules.1.may: 'read' is no action;"
            " there are: pull, push, delete, catalog, *",
            self.rule_refused(may=["pull", "read"]),
        )

    def test_glob(self) -> None:
        """What is no glob is refused."""
        self.assertEqual(
            "auth.rules.1.on: has a / without something on either side",
            self.rule_refused(on="/public"),
        )

    def test_catalog(self) -> None:
        """A rule of the catalog alone is on no repository."""
        self.assertEqual(
            "auth.rules.1.on: the catalog is about no repository",
            self.rule_refused(may="catalog"),
        )
