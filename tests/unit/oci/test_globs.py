"""Tests of txregistry.oci.globs."""

from __future__ import annotations

import time
from itertools import product
from typing import Final

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated
from txregistry.oci.globs import Globs, InvalidGlob

# Few letters, so that much matches.
components: Final = st.text("ab-", min_size=1, max_size=5)
names: Final = st.lists(components, min_size=1, max_size=6).map("/".join)
patterns: Final = st.lists(
    st.just("**")
    | st.lists(
        st.sampled_from(["a", "b", "-", "*", "?", "${user}"]), min_size=1, max_size=5
    )
    .map("".join)
    .filter(lambda text: "**" not in text),
    min_size=1,
    max_size=5,
).map("/".join)

SHORT: Final = [
    "/".join(parts)
    for count in (1, 2, 3)
    for parts in product(("a", "b", "aa", "ab", "b-a"), repeat=count)
]


def naive(pattern: list[str], name: list[str]) -> bool:
    """Match components in the plainest way."""
    if not pattern:
        return not name
    first, *others = pattern
    if first != "**":
        return bool(name) and naive_text(first, name[0]) and naive(others, name[1:])
    if not others:
        return bool(name)
    return any(naive(others, name[begin:]) for begin in range(len(name) + 1))


def naive_text(pattern: str, text: str) -> bool:
    """Match one component in the plainest way."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(
            naive_text(pattern[1:], text[begin:]) for begin in range(len(text) + 1)
        )
    return (
        bool(text)
        and pattern[0] in ("?", text[0])
        and naive_text(pattern[1:], text[1:])
    )


class MatchTests(SynchronousTestCase):
    """What a glob matches."""

    def matched(self, glob: str, *names: str, user: str | None = None) -> list[str]:
        """Return those of some names that a glob matches."""
        globs = Globs.parse([glob])
        return [name for name in names if globs.match(name, user)]

    def test_plain(self) -> None:
        """A name matches itself and nothing else."""
        found = self.matched("a.b/c", "a.b/c", "axb/c", "a.b", "a.b/c/d", "x/a.b/c")
        self.assertEqual(["a.b/c"], found)

    def test_question_mark(self) -> None:
        """A ? is one character, but no slash."""
        self.assertEqual(["ab", "a-"], self.matched("a?", "a", "ab", "a-", "abc", "a/"))

    def test_star(self) -> None:
        """A * stays within a component."""
        found = self.matched("team/*", "team", "team/a", "team/a/b", "other/a")
        self.assertEqual(["team/a"], found)

    def test_star_within(self) -> None:
        """A * within a component may be nothing."""
        found = self.matched("a*c", "ac", "abc", "ab/c", "abcd")
        self.assertEqual(["ac", "abc"], found)

    def test_all(self) -> None:
        """A ** alone matches every name."""
        self.assertEqual(["a", "a/b", "a/b/c"], self.matched("**", "a", "a/b", "a/b/c"))

    def test_below(self) -> None:
        """A ** at the end is what lies below, and not the place itself."""
        found = self.matched("lib/**", "lib", "lib/a", "lib/a/b", "libs/a")
        self.assertEqual(["lib/a", "lib/a/b"], found)

    def test_anywhere(self) -> None:
        """A ** at the beginning is any place, and none."""
        found = self.matched("**/secret", "secret", "a/secret", "a/b/secret", "a/b")
        self.assertEqual(["secret", "a/secret", "a/b/secret"], found)

    def test_between(self) -> None:
        """A ** in between is any number of components, and none."""
        found = self.matched("a/**/z", "a/z", "a/b/z", "a/b/c/z", "az", "a/b")
        self.assertEqual(["a/z", "a/b/z", "a/b/c/z"], found)

    def test_several(self) -> None:
        """Several globs match what any of them matches."""
        globs = Globs.parse(["a", "b/${user}"])
        found = [globs.match(name, "u") for name in ("a", "b/u", "b/v", "a/b/u")]
        self.assertEqual([True, True, False, False], found)

    def test_none(self) -> None:
        """No globs match nothing."""
        self.assertFalse(Globs.parse([]).match("a", "a"))

    def test_no_name(self) -> None:
        """What no repository can be named is not matched, by ** neither."""
        self.assertEqual(
            [], self.matched("**", "", "A", "a:1", "a//b", "a/", "a\n", "ä")
        )


class UserTests(SynchronousTestCase):
    """``${user}``."""

    def match(self, name: str, user: str | None) -> bool:
        """Match a user's own repositories."""
        return Globs.parse(["users/${user}/**"]).match(name, user)

    def test_own(self) -> None:
        """It is the user's name, and nobody else's."""
        self.assertTrue(self.match("users/alice/app", "alice"))
        self.assertFalse(self.match("users/alice/app", "bob"))
        self.assertFalse(self.match("users/alice/app", "alic"))

    def test_nobody(self) -> None:
        """It is nothing for somebody without a name."""
        self.assertFalse(self.match("users/alice/app", None))

    def test_dot(self) -> None:
        """What means something in an expression stands for itself."""
        self.assertTrue(self.match("users/a.b/app", "a.b"))
        self.assertFalse(self.match("users/axb/app", "a.b"))

    def test_no_component(self) -> None:
        """A name that cannot be a component of a repository's name matches nothing."""
        for user in ("*", "**", "?", "a/b", "..", "", "Alice", "a b", "a|b", "${user}"):
            for name in ("users/alice/app", f"users/{user}/app", "users/a/b/app"):
                self.assertFalse(self.match(name, user), user)

    def test_within(self) -> None:
        """It can be a part of a component."""
        globs = Globs.parse(["team-${user}-*"])
        self.assertTrue(globs.match("team-alice-app", "alice"))


class ParseTests(SynchronousTestCase):
    """What is a glob."""

    def test_refused(self) -> None:
        """What is none is refused with what is wrong."""
        slash = "has a / without something on either side"
        stars = "has ** beside something else than /"
        for text, problem in (
            ("", "is empty"),
            ("a" * 256, "is longer than 255 characters"),
            ("/a", slash),
            ("a/", slash),
            ("a//b", slash),
            ("a**", stars),
            ("***", stars),
            ("A", "has 'A', which no repository's name has"),
            ("a/[b]", "has '[', which no repository's name has"),
            ("${name}", "has '$', which no repository's name has"),
            ("a\n", "has '\\n', which no repository's name has"),
        ):
            error = self.assertRaises(InvalidGlob, Globs.parse, ["a", text])
            self.assertEqual(problem, str(error))

    @generated
    @given(st.text("a*?/${user}|()[]\\") | st.text())
    def test_anything(self, text: str) -> None:
        """Any text is a glob, or refused."""
        try:
            globs = Globs.parse([text])
        except InvalidGlob:
            return
        globs.match("a/b", "a")


class NaiveTests(SynchronousTestCase):
    """Against a matcher that is too simple to be wrong."""

    @settings(generated, max_examples=200)
    @given(patterns, names)
    @example("**/a*/**/b", "a/a/b/b")
    @example("**/a/**/b/**", "a/b/a/a")
    @example("*a*b*", "aabba")
    def test_same(self, pattern: str, name: str) -> None:
        """Both say the same, of this name and of all short ones."""
        globs = Globs.parse([pattern])
        plain = pattern.replace("${user}", "a").split("/")
        for each in (name, *SHORT):
            expected = naive(plain, each.split("/"))
            self.assertEqual(expected, globs.match(each, "a"), each)

    def test_time(self) -> None:
        """No glob takes long, however it is made for that."""
        cases = (
            ("*a" * 60 + "*b", "b" + "a" * 254),
            ("?*" * 60 + "b", "b" + "a" * 254),
            ("**/*a*/" * 20 + "b", "b/" + "/".join(["aa"] * 80) + "/a"),
            ("**/a/" * 25 + "**/b/c", "b/c/" + "a/" * 120 + "a"),
            ("**/" * 60 + "b", "b/" + "a/" * 120 + "a"),
        )
        for glob, name in cases:
            globs = Globs.parse([glob])
            begin = time.process_time()
            self.assertFalse(globs.match(name, None))
            self.assertLess(time.process_time() - begin, 0.1, glob)
