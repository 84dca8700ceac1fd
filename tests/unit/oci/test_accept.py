"""Tests of txregistry.oci.accept."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated, header_like
from txregistry.oci.accept import Accepted
from txregistry.oci.mediatypes import DOCKER_LIST, DOCKER_MANIFEST, OCI_MANIFEST


class AcceptedTests(SynchronousTestCase):
    """``Accept`` headers and what they say of OCI's image manifest."""

    def assert_quality(self, quality: float, *headers: str) -> None:
        """Assert how gladly headers take an OCI image manifest."""
        self.assertEqual(quality, Accepted.parse(headers).quality(OCI_MANIFEST))

    def test_no_header(self) -> None:
        """Without a header everything is accepted."""
        self.assert_quality(1.0)

    def test_named(self) -> None:
        """A type that is named is accepted."""
        self.assert_quality(1.0, OCI_MANIFEST)

    def test_not_named(self) -> None:
        """A type that is not named is not accepted."""
        self.assert_quality(0.0, DOCKER_MANIFEST)

    def test_case(self) -> None:
        """Types are in any case."""
        self.assert_quality(1.0, OCI_MANIFEST.upper())

    def test_list(self) -> None:
        """A header may name several types."""
        self.assert_quality(1.0, f"{DOCKER_LIST} , ,{OCI_MANIFEST}")

    def test_lines(self) -> None:
        """There may be several headers."""
        self.assert_quality(1.0, DOCKER_LIST, OCI_MANIFEST)

    def test_weight(self) -> None:
        """A type may be taken less gladly."""
        self.assert_quality(0.5, f"{OCI_MANIFEST}; q=0.5")

    def test_refused(self) -> None:
        """A type of weight 0 is not taken, whatever else is."""
        self.assert_quality(0.0, f"*/*, {OCI_MANIFEST};q=0")

    def test_takes(self) -> None:
        """A type of any other weight is taken."""
        accepted = Accepted.parse([f"{OCI_MANIFEST};q=0.001"])
        self.assertTrue(accepted.takes(OCI_MANIFEST))
        self.assertFalse(accepted.takes(DOCKER_MANIFEST))

    def test_anything(self) -> None:
        """``*/*`` is any type."""
        self.assert_quality(0.1, "text/html, */*;q=0.1")

    def test_any_subtype(self) -> None:
        """``application/*`` is any type of that kind, and goes before ``*/*``."""
        self.assert_quality(0.2, "*/*;q=0.9, application/*;q=0.2")
        self.assert_quality(0.0, "image/*")

    def test_most_specific(self) -> None:
        """The type itself goes before a range."""
        self.assert_quality(0.3, f"application/*, {OCI_MANIFEST};q=0.3, */*")

    def test_twice(self) -> None:
        """Of a type given twice the higher weight counts."""
        self.assert_quality(0.7, f"{OCI_MANIFEST};q=0.7, {OCI_MANIFEST};q=0.2")

    def test_parameters(self) -> None:
        """Parameters do not matter, as to the Go registry."""
        self.assert_quality(0.5, f'{OCI_MANIFEST};charset=utf-8;x="q=1,;";;q=0.5')

    def test_quoted_comma(self) -> None:
        """A comma in quotes does not end an element, nor does a quote behind a bar."""
        self.assert_quality(0.0, rf'text/html;x="\",{OCI_MANIFEST},"')

    def test_unclosed_quote(self) -> None:
        """A quote that is not closed goes on to the end; what was before it counts."""
        self.assert_quality(1.0, f'{OCI_MANIFEST}, text/html;x="a, b')

    def test_malformed(self) -> None:
        """A malformed element does not count; the others do."""
        for element in ("foo", "*/json", "/", "a/b/c", "a/b;q=2", "a/b;q=x", "a/b;q"):
            self.assert_quality(1.0, f"{element}, {OCI_MANIFEST}")
            self.assertEqual(0.0, Accepted.parse([f"{element},c/d"]).quality("a/b"))

    def test_nothing_left(self) -> None:
        """Where no element is right, it is as without a header."""
        self.assert_quality(1.0, "", "foo")

    def test_java(self) -> None:
        """What Java's HttpURLConnection sends is understood."""
        self.assert_quality(0.2, "text/html, image/gif, *; q=.2, */*; q=.2")

    def test_hostile(self) -> None:
        """Reading takes time that grows no faster than the header."""
        start = time.process_time()
        for piece in ("a", "a/b,", ";", " ", '"', "\\", ';a="', '\\"', "=", "a=b;"):
            for begin in ("", "a/b", "a/b;", 'a/b;x="'):
                Accepted.parse([begin + piece * 20_000 + "\n"])
        self.assertLess(time.process_time() - start, 3.0)

    @generated
    @given(st.lists(header_like('ab/*;q=01.,"\\ ')))
    def test_any_text(self, headers: list[str]) -> None:
        """Any header says for any type how gladly it is taken."""
        accepted = Accepted.parse(headers)
        for media_type in ("a/b", "b/a", "", "*", OCI_MANIFEST):
            self.assertTrue(0.0 <= accepted.quality(media_type) <= 1.0)
