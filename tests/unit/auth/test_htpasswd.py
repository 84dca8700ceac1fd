"""Tests of txregistry.auth.htpasswd."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated
from txregistry.auth.hashes import dummy
from txregistry.auth.htpasswd import (
    Htpasswd,
    InvalidUser,
    check_user,
    parse_htpasswd,
    user_of,
)
from txregistry.auth.watched import BrokenFile

HASH: Final = dummy(4)
OTHER: Final = dummy(5)


class ParseTests(SynchronousTestCase):
    """``parse_htpasswd``."""

    def users(self, content: bytes) -> dict[bytes, bytes]:
        """Return the users in a file."""
        return dict(parse_htpasswd("users", content).hashes)

    def refused(self, content: bytes) -> str:
        """Return what a file is refused with."""
        return str(self.assertRaises(BrokenFile, parse_htpasswd, "users", content))

    def test_lines(self) -> None:
        """Each line is a user with a hash."""
        content = b"a:" + HASH + b"\nb:" + OTHER
        self.assertEqual({b"a": HASH, b"b": OTHER}, self.users(content))

    def test_costs(self) -> None:
        """The costs are those of the users' hashes."""
        content = b"a:" + OTHER + b"\na:" + HASH + b"\nb:" + OTHER
        self.assertEqual((4, 5), parse_htpasswd("users", content).costs)

    def test_nobody(self) -> None:
        """An empty file has no users."""
        self.assertEqual({}, self.users(b""))

    def test_left_out(self) -> None:
        """Empty lines, comments and white space around lines do not count."""
        content = b"\n # a:b\n#\n\t \n  a:" + HASH + b" \r\n\n"
        self.assertEqual({b"a": HASH}, self.users(content))

    def test_byte_order_mark(self) -> None:
        """A mark at the file's beginning is no part of a name."""
        self.assertEqual({b"a": HASH}, self.users(b"\xef\xbb\xbfa:" + HASH))

    def test_twice(self) -> None:
        """Of two lines for a user the later one counts."""
        content = b"a:" + HASH + b"\na:" + OTHER
        self.assertEqual({b"a": OTHER}, self.users(content))

    def test_no_colon(self) -> None:
        """A line without a colon is refused by its number."""
        self.assertEqual(
            "users:2: no colon between a user's name and a hash",
            self.refused(b"a:" + HASH + b"\nsecret"),
        )

    def test_other_hash(self) -> None:
        """A line with another hash is refused by its number, and the hash by name."""
        self.assertEqual(
            "users:3: a SHA-1 hash ({SHA}); only bcrypt is supported (htpasswd -B)",
            self.refused(b"# comment\n\na:{SHA}6dcfXufJLW3J6S/9rRe4vUlBj5g="),
        )

    def test_names(self) -> None:
        """A name that nobody can have is refused."""
        for name, problem in (
            (b"", "a user without a name"),
            (b"a ", "white space around the name"),
            (b"a\x01b", "a name with characters that are no text"),
            (b"\xff", "a name with characters that are no text"),
            (b"a" * 256, "a name of more than 255 bytes"),
        ):
            self.assertEqual(f"users:1: {problem}", self.refused(name + b":" + HASH))

    @generated
    @given(st.binary() | st.text("a:#$2y \n").map(str.encode))
    def test_anything(self, content: bytes) -> None:
        """Anything is an htpasswd file, or refused with a line."""
        try:
            self.assertIsInstance(parse_htpasswd("users", content), Htpasswd)
        except BrokenFile as error:
            self.assertIsNotNone(error.line)

    def test_secrets(self) -> None:
        """What a file says is not shown."""
        text = repr(parse_htpasswd("users", b"a:" + HASH))
        self.assertEqual("Htpasswd()", text)


class LineTests(SynchronousTestCase):
    """Single lines and names."""

    def test_user_of(self) -> None:
        """A line is for the user before its first colon; a comment is for nobody."""
        self.assertEqual(
            [b"a", b"a", None, None, None],
            [user_of(line) for line in (b" a:x", b"a:b:c", b"#a:x", b"a", b"")],
        )

    def test_check_user(self) -> None:
        """A name may have any letters and spaces, but no colon, nor # at first."""
        check_user("Jürgen Müller".encode())
        for name in (b"a:b", b"#a", b" a", b""):
            self.assertRaises(InvalidUser, check_user, name)
