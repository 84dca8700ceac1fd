"""Tests of txregistry.web.conditions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.oci.digest import Digest
from txregistry.web.conditions import (
    PreconditionFailed,
    matches,
    require_match,
    require_no_match,
)

DIGEST, OTHER = Digest.of(b"1"), Digest.of(b"2")


class MatchesTests(SynchronousTestCase):
    """Headers that name content by its digest."""

    def test_named(self) -> None:
        """An entity tag may be alone, one of many, on another line, or anything."""
        for headers in (
            [f'"{DIGEST}"'],
            [str(DIGEST)],
            [f'"{OTHER}","{DIGEST}"'],
            [f'"{OTHER}" ,  "{DIGEST}"'],
            [f'"{OTHER}"', f'"{DIGEST}"'],
            ["*"],
        ):
            self.assertTrue(matches(headers, DIGEST), headers)
            self.assertTrue(matches(headers, DIGEST, weakly=False), headers)

    def test_weak(self) -> None:
        """A weak tag counts for a client that has all, not for one that has a part."""
        self.assertTrue(matches([f'W/"{DIGEST}"'], DIGEST))
        self.assertFalse(matches([f'W/"{DIGEST}"'], DIGEST, weakly=False))

    def test_not_named(self) -> None:
        """Anything else names it not."""
        for headers in ([], [""], [f'"{OTHER}"'], ['""'], [f'"{DIGEST}x"'], ["W/"]):
            self.assertFalse(matches(headers, DIGEST), headers)

    def test_line_end(self) -> None:
        """A line end behind a tag is read to the end; Werkzeug 3.1.8 read for ever."""
        self.assertFalse(matches([f'"{OTHER}"\n'], DIGEST))

    @given(st.lists(st.text()))
    def test_arbitrary(self, headers: list[str]) -> None:
        """Whatever a client sends is read; what it does not name does not match."""
        if not any("*" in header for header in headers):
            self.assertFalse(matches(headers, DIGEST))


class RequireMatchTests(SynchronousTestCase):
    """If-Match."""

    def test_absent(self) -> None:
        """Who asks for nothing gets anything."""
        require_match([], DIGEST)

    def test_match(self) -> None:
        """Who asks for the content gets it."""
        require_match([f'"{DIGEST}"'], DIGEST)

    def test_other(self) -> None:
        """Who asks for another is told which there is."""
        for header in (f'"{OTHER}"', f'W/"{DIGEST}"'):
            error = self.assertRaises(
                PreconditionFailed, require_match, [header], DIGEST
            )
            self.assertEqual(
                (412, {"digest": str(DIGEST)}), (error.status, error.detail)
            )

    def test_nothing_there(self) -> None:
        """Where there is no content nothing is met, not even the asterisk."""
        for header in ("*", f'"{DIGEST}"'):
            with self.assertRaises(PreconditionFailed):
                require_match([header], None)
        require_match([], None)


class RequireNoMatchTests(SynchronousTestCase):
    """If-None-Match of a request that changes something."""

    def test_nothing_there(self) -> None:
        """It is met where there is no content."""
        for headers in (["*"], [f'"{DIGEST}"'], []):
            require_no_match(headers, None)

    def test_something_there(self) -> None:
        """It is not met by the content that it names, or by any if it names all."""
        for header in ("*", f'"{DIGEST}"', f'W/"{DIGEST}"'):
            with self.assertRaises(PreconditionFailed):
                require_no_match([header], DIGEST)
        require_no_match([f'"{OTHER}"'], DIGEST)
        require_no_match([], DIGEST)
