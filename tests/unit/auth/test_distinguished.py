"""Tests of txregistry.auth.distinguished."""

from __future__ import annotations

from typing import Final

from hypothesis import assume, given
from hypothesis import strategies as st
from ldaptor import ldapfilter  # type: ignore[import-untyped] # it has no types
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated, header_like
from txregistry.auth.distinguished import DistinguishedName, NotDistinguished, escape

values: Final = st.text(st.characters(codec="utf-8"), min_size=1)


class ParseTests(SynchronousTestCase):
    """``DistinguishedName.parse``."""

    def parts(self, text: str) -> list[list[tuple[str, str]]]:
        """Return the parts of a name."""
        return [list(part) for part in DistinguishedName.parse(text).parts]

    def test_parts(self) -> None:
        """A name is made of types and values."""
        self.assertEqual(
            [[("cn", "ops")], [("ou", "groups")], [("dc", "example")]],
            self.parts("cn=ops,ou=groups,dc=example"),
        )

    def test_several(self) -> None:
        """A part may have several values."""
        self.assertEqual([[("cn", "a"), ("uid", "b")]], self.parts("cn=a+uid=b"))

    def test_spaces(self) -> None:
        """Spaces around types and values do not count, but for escaped ones."""
        self.assertEqual(
            [[("cn", "a b")], [("ou", " c ")], [("o", "d\\")]],
            self.parts(r" cn = a b , ou=\ c\  ;o=d\\ "),
        )

    def test_escapes(self) -> None:
        """What is escaped stands for itself, or for bytes of UTF-8."""
        self.assertEqual(
            [[("cn", 'Käufer, "alle"+')]],
            self.parts(r"cn=K\C3\a4ufer\, \"alle\22\2b"),
        )

    def test_numbers(self) -> None:
        """A type may be a number."""
        self.assertEqual([[("2.5.4.3", "a")]], self.parts("2.5.4.3=a"))

    def test_empty_value(self) -> None:
        """A value may be empty."""
        self.assertEqual([[("cn", "")], [("o", "a")]], self.parts("cn=,o=a"))

    def test_refused(self) -> None:
        """What is no name is refused."""
        for text in (
            "",
            "cn",
            "cn=a,",
            "cn=a,,o=b",
            "cn=a+",
            "=a",
            "c n=a",
            "cn=a\\",
            "cn=a\\4",
            "cn=\\ff",
            'cn="a"',
        ):
            self.assertRaises(NotDistinguished, DistinguishedName.parse, text)

    @generated
    @given(header_like('cn=a,+\\"; 1.'))
    def test_anything(self, text: str) -> None:
        """Anything is a name, or refused."""
        try:
            found = DistinguishedName.parse(text)
        except NotDistinguished:
            return
        self.assertTrue(found.parts)

    def test_time(self) -> None:
        """No text takes long."""
        for text in ("cn=" + "\\41" * 20_000 + "\\", "cn=" + "a " * 20_000 + '"'):
            self.assertRaises(NotDistinguished, DistinguishedName.parse, text)


class CompareTests(SynchronousTestCase):
    """Names and one another."""

    def test_first_value(self) -> None:
        """The first value is what an entry is called."""
        name = DistinguishedName.parse("cn=ops,ou=groups")
        self.assertEqual("ops", name.first_value())

    def test_below(self) -> None:
        """An entry is below another one, in either case of letters, but not itself."""
        groups = DistinguishedName.parse("ou=groups,dc=example+o=x")
        for text, expected in (
            ("cn=ops,ou=groups,dc=example+o=x", True),
            ("cn=a,cn=ops,OU=Groups , o=X+DC=Example", True),
            ("ou=groups,dc=example+o=x", False),
            ("cn=ops,ou=other,dc=example+o=x", False),
            ("cn=groups,dc=example+o=x", False),
            ("dc=example+o=x", False),
        ):
            self.assertEqual(
                expected, DistinguishedName.parse(text).is_below(groups), text
            )


class EscapeTests(SynchronousTestCase):
    """``escape``."""

    def test_escaped(self) -> None:
        """All that could mean something is escaped, and letters are not."""
        self.assertEqual(r"Jürgen\2a\20\28\5c\2c1", escape("Jürgen* (\\,1"))

    @generated
    @given(values)
    def test_name(self, value: str) -> None:
        """A value, escaped into a name, is the value and nothing more."""
        name = DistinguishedName.parse(f"uid={escape(value)},ou=people")
        self.assertEqual(((("uid", value),), (("ou", "people"),)), name.parts)

    @generated
    @given(values)
    def test_filter(self, value: str) -> None:
        """A value, escaped into a filter, is compared as it is."""
        assume("\0" not in value)
        found = ldapfilter.parseFilter(f"(&(uid={escape(value)})(a=b))")
        self.assertEqual("uid", found[0].attributeDesc.value)
        self.assertEqual(value, found[0].assertionValue.value)
