"""Tests of txregistry.auth.claims."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.auth.signing import (
    GRANTS,
    ISSUER,
    MISSING,
    NOW,
    SERVICE,
    claims,
    values,
)
from txregistry.auth.claims import (
    OWN_CLAIM,
    Claims,
    access_claim,
    own_claim,
    own_identity,
)
from txregistry.auth.jws import BadToken
from txregistry.interfaces import Identity
from txregistry.oci.access import Access


class ParseTests(SynchronousTestCase):
    """Claims as they come."""

    def assert_bad(self, why: str, **changes: Any) -> None:
        """Assert that claims with these changes are malformed."""
        error = self.assertRaises(BadToken, Claims.parse, claims(**changes))
        self.assertEqual(why, str(error))

    def test_good(self) -> None:
        """All that counts is read; what does not is not looked at."""
        expected = Claims(ISSUER, frozenset([SERVICE]), NOW, NOW + 300, "alice", GRANTS)
        self.assertEqual(expected, Claims.parse(claims(iat="x", jti=[], more={})))

    def test_least(self) -> None:
        """Without a beginning, a subject and access it is a token all the same."""
        for nothing in values(MISSING, None):
            found = Claims.parse(claims(nbf=nothing, sub=nothing, access=nothing))
            expected = (0, None, frozenset[Access]())
            self.assertEqual(expected, (found.not_before, found.subject, found.grants))

    def test_nobody(self) -> None:
        """An empty subject is nobody."""
        self.assertIsNone(Claims.parse(claims(sub="")).subject)

    def test_audience(self) -> None:
        """A token can be for several services."""
        found = Claims.parse(claims(aud=["a", "b"]))
        self.assertEqual({"a", "b"}, found.audience)

    def test_class(self) -> None:
        """The class of a resource, as in old tokens, is not looked at."""
        access = [{"type": "repository", "class": 1, "name": "a", "actions": ["pull"]}]
        found = Claims.parse(claims(access=access))
        self.assertEqual({Access("repository", "a", "pull")}, found.grants)

    def test_no_actions(self) -> None:
        """A resource without actions gives nothing."""
        for more in values({}, {"actions": None}, {"actions": []}):
            access = [{"type": "repository", "name": "a", **more}]
            self.assertEqual(frozenset(), Claims.parse(claims(access=access)).grants)

    def test_texts(self) -> None:
        """Texts are texts, without control characters and lone surrogates."""
        for name in ("iss", "aud", "sub"):
            for value in values(1, True, {}, "a\n", "\0", "\x7f", "\ud800", "a\udfffb"):
                self.assert_bad(f"{name} is missing or malformed", **{name: value})
        for value in values(None, MISSING, [1], [None], [["a"]]):
            self.assert_bad("aud is missing or malformed", aud=value)
        for value in values(None, MISSING, ["a"]):
            self.assert_bad("iss is missing or malformed", iss=value)

    def test_times(self) -> None:
        """Times are whole seconds, as in both Go registries."""
        for name in ("exp", "nbf"):
            for value in values(1.5, 1e9, "1", True, [1], {}):
                self.assert_bad(f"{name} is missing or malformed", **{name: value})
        for value in values(None, MISSING):
            self.assert_bad("exp is missing or malformed", exp=value)

    def test_access(self) -> None:
        """What is wrong anywhere in access spoils the token."""
        for value in values(1, "a", {}, True):
            self.assert_bad("access is malformed", access=value)
        for value in values(1, "a", None, [], True):
            self.assert_bad("access is malformed", access=[value])
        good = {"type": "repository", "name": "a", "actions": ["pull"]}
        for name in ("type", "name"):
            for value in values(None, 1, ["a"], "\n"):
                bad = {**good, name: value}
                self.assert_bad(f"{name} is missing or malformed", access=[good, bad])
        for value in values("pull", 1, {"pull": True}):
            bad = {**good, "actions": value}
            self.assert_bad("actions is malformed", access=[bad])
        bad = {**good, "actions": [None]}
        self.assert_bad("actions is missing or malformed", access=[bad])


class CheckTests(SynchronousTestCase):
    """Whose, for whom and when."""

    def check(self, now: float, **changes: Any) -> str | None:
        """Check claims with changes; return why they do not hold."""
        try:
            Claims.parse(claims(**changes)).check(ISSUER, SERVICE, now)
        except BadToken as error:
            return str(error)
        return None

    def test_good(self) -> None:
        """A token holds from its beginning to its end."""
        self.assertIsNone(self.check(NOW))
        self.assertIsNone(self.check(NOW + 300))

    def test_issuer(self) -> None:
        """Another issuer's token does not hold."""
        for issuer in ("", ISSUER.upper(), f"{ISSUER}.", "x"):
            self.assertEqual("from another issuer", self.check(NOW, iss=issuer))

    def test_audience(self) -> None:
        """A token has to be for the service, perhaps among others."""
        self.assertIsNone(self.check(NOW, aud=["x", SERVICE]))
        for audience in values("", "x", [], ["x"], f"{SERVICE} ", SERVICE[:-1]):
            self.assertEqual("for another audience", self.check(NOW, aud=audience))

    def test_leeway(self) -> None:
        """Clocks may differ by a minute."""
        self.assertIsNone(self.check(NOW + 360))
        self.assertEqual("expired", self.check(NOW + 361))
        self.assertIsNone(self.check(NOW - 60))
        self.assertEqual("not valid yet", self.check(NOW - 61))

    def test_extremes(self) -> None:
        """No number is too large or too small."""
        self.assertIsNone(self.check(NOW, exp=10**300, nbf=-(10**300)))
        self.assertEqual("expired", self.check(NOW, exp=0))
        self.assertEqual("expired", self.check(NOW, exp=-(10**300)))
        self.assertEqual("not valid yet", self.check(NOW, nbf=10**300))


class OwnClaimTests(SynchronousTestCase):
    """What our token service tells our registry besides."""

    def identity(self, own: object) -> Identity:
        """Return whom a token with this claim of ours is for."""
        return own_identity(Claims.parse(claims()), {OWN_CLAIM: own})

    def test_round_trip(self) -> None:
        """An identity comes back as it was, with what the token grants."""
        for kind in ("anonymous", "user", "token", "certificate"):
            identity = Identity("alice", kind, frozenset(["a", "b"]))
            found = self.identity(own_claim(identity))
            self.assertEqual(Identity("alice", kind, identity.groups, GRANTS), found)

    def test_none(self) -> None:
        """Without the claim it is a token like others."""
        found = own_identity(Claims.parse(claims()), {})
        self.assertEqual(Identity("alice", "token", frozenset(), GRANTS), found)

    def test_malformed(self) -> None:
        """What we would not have written is not taken."""
        for own in values(
            *(None, 1, "a", [], {"kind": None}, {"kind": "root"}, {"kind": ["user"]}),
            *({"groups": "a"}, {"groups": [1]}, {"groups": ["\n"]}, {"groups": {}}),
        ):
            self.assertRaises(BadToken, self.identity, own)


class AccessClaimTests(SynchronousTestCase):
    """What a token of ours says in access."""

    def test_joined(self) -> None:
        """Actions on one thing are joined, and are read as they were."""
        accesses = [
            Access("repository", "a", "pull"),
            Access("registry", "catalog", "*"),
            Access("repository", "a", "push"),
        ]
        written = access_claim(accesses)
        first = {"type": "repository", "name": "a", "actions": ["pull", "push"]}
        second = {"type": "registry", "name": "catalog", "actions": ["*"]}
        self.assertEqual([first, second], written)
        grants = Claims.parse(claims(access=written)).grants
        self.assertEqual(frozenset(accesses), grants)
