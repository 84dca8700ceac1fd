"""Tests of txregistry.oci.names."""

from __future__ import annotations

import contextlib
import re

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import digests, generated, header_like
from txregistry.oci.digest import Digest
from txregistry.oci.errors import DigestInvalid, NameInvalid, TagInvalid
from txregistry.oci.names import Name, Tag, parse_tag_or_digest

# As they stand in the specification (Pulling manifests).
SPEC_NAME = re.compile(
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
)
SPEC_TAG = re.compile("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")

# What is generated repeats what it may without a bound three times at the most: longer
# names are no other ones, and Hypothesis takes 0.2 s for each.
FEW = re.compile(SPEC_NAME.pattern.replace("]+", "]{1,3}").replace(")*", "){0,3}"))


class NameTests(SynchronousTestCase):
    """Repository names."""

    def refused(self, text: str) -> NameInvalid:
        """Return the error that a text is refused with."""
        error: NameInvalid = self.assertRaises(NameInvalid, Name.parse, text)
        return error

    def test_separators(self) -> None:
        """A dot, one or two underscores or any dashes join a component's parts."""
        for text in ("a", "library/nginx", "a.b", "a_b", "a__b", "a---b", "0/1/2"):
            self.assertEqual(text, str(Name.parse(text)))

    def test_malformed(self) -> None:
        """Anything else is refused."""
        for text in (
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "ä",
        ):
            self.refused(text)

    def test_newline(self) -> None:
        """A newline at the end is not overlooked."""
        self.refused("a\n")

    def test_longest(self) -> None:
        """A name of 255 characters is a name."""
        self.assertEqual(255, len(str(Name.parse("a" * 255))))

    def test_too_long(self) -> None:
        """A name of 256 characters is refused, and not quoted whole."""
        self.assertEqual({"name": "a" * 255}, self.refused("a" * 256).detail)

    @generated
    @given(st.from_regex(FEW, fullmatch=True) | header_like("ab0._-/"))
    def test_grammar(self, text: str) -> None:
        """A text is a name if the specification's expression and length say so."""
        expected = SPEC_NAME.fullmatch(text) is not None and len(text) <= 255
        try:
            found = str(Name.parse(text)) == text
        except NameInvalid:
            found = False
        self.assertEqual(expected, found)


class TagTests(SynchronousTestCase):
    """Tags."""

    def test_longest(self) -> None:
        """A tag of 128 characters is a tag."""
        self.assertEqual(128, len(str(Tag.parse("a" * 128))))

    def test_too_long(self) -> None:
        """A tag of 129 characters is refused."""
        self.assertRaises(TagInvalid, Tag.parse, "a" * 129)

    def test_newline(self) -> None:
        """A newline at the end is not overlooked."""
        self.assertRaises(TagInvalid, Tag.parse, "latest\n")

    @generated
    @given(st.from_regex(SPEC_TAG, fullmatch=True) | header_like("aZ9_.-"))
    def test_grammar(self, text: str) -> None:
        """A text is a tag if the specification's expression says so."""
        try:
            found = str(Tag.parse(text)) == text
        except TagInvalid:
            found = False
        self.assertEqual(SPEC_TAG.fullmatch(text) is not None, found)


class TagOrDigestTests(SynchronousTestCase):
    """The last segment of a manifest's URL."""

    def test_tag(self) -> None:
        """A text without a colon is a tag."""
        self.assertEqual(Tag("sha256"), parse_tag_or_digest("sha256"))

    @generated
    @given(digests)
    def test_digest(self, digest: Digest) -> None:
        """A digest's text is a digest."""
        self.assertEqual(digest, parse_tag_or_digest(str(digest)))

    def test_bad_digest(self) -> None:
        """A text with a colon that is no digest is not taken for a tag."""
        self.assertRaises(DigestInvalid, parse_tag_or_digest, "sha256:abc")

    @generated
    @given(header_like("sha256:_.-"))
    @example("")
    def test_any_text(self, text: str) -> None:
        """Any text is one of them, or an error that a client is told."""
        with contextlib.suppress(DigestInvalid, TagInvalid):
            self.assertEqual(text, str(parse_tag_or_digest(text)))
