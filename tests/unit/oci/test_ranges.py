"""Tests of txregistry.oci.ranges."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated, header_like
from txregistry.oci.errors import (
    RangeInvalid,
    RangeMalformed,
    RangeNotSatisfiable,
    RegistryError,
)
from txregistry.oci.ranges import ByteRange, ContentRange, parse_range

sizes = st.integers(min_value=0, max_value=2**63 - 1)
range_texts = header_like("bytes=0123456789-, ")


class ByteRangeTests(SynchronousTestCase):
    """Parts of a content."""

    def test_length(self) -> None:
        """Both ends belong to a range."""
        self.assertEqual(3, ByteRange(2, 4).length)

    def test_content_range(self) -> None:
        """A 206 says which bytes of how many it brings (RFC 9110 14.4)."""
        self.assertEqual("bytes 2-4/10", ByteRange(2, 4).content_range(10))


class RangeTests(SynchronousTestCase):
    """``Range`` headers, of a content of 100 bytes if not said otherwise."""

    def assert_range(self, header: str, first: int, last: int) -> None:
        """Assert which bytes a header asks for."""
        self.assertEqual(ByteRange(first, last), parse_range(header, 100))

    def assert_ignored(self, *headers: str) -> None:
        """Assert that the whole is served for headers."""
        for header in headers:
            self.assertIsNone(parse_range(header, 100), header)

    def assert_unsatisfiable(self, header: str, size: int = 100) -> None:
        """Assert that a header asks for nothing that there is."""
        error = self.assertRaises(RangeNotSatisfiable, parse_range, header, size)
        self.assertEqual({"Content-Range": f"bytes */{size}"}, error.headers)

    def test_first_and_last(self) -> None:
        """A range names its first and last byte."""
        self.assert_range("bytes=10-19", 10, 19)

    def test_open(self) -> None:
        """Without a last byte a range goes to the content's end."""
        self.assert_range("bytes=10-", 10, 99)

    def test_beyond(self) -> None:
        """A range that ends behind the content's end is cut."""
        self.assert_range("bytes=10-1000", 10, 99)

    def test_suffix(self) -> None:
        """A range without a first byte is the content's last bytes."""
        self.assert_range("bytes=-10", 90, 99)

    def test_long_suffix(self) -> None:
        """More last bytes than there are is all of them."""
        self.assert_range("bytes=-1000", 0, 99)

    def test_unit_case(self) -> None:
        """The unit is written in any case."""
        self.assert_range("Bytes=0-0", 0, 0)

    def test_list_of_one(self) -> None:
        """Blanks and empty elements in the list do not count."""
        self.assert_range("bytes= , 0-0 ,", 0, 0)

    def test_several(self) -> None:
        """Several ranges are answered with the whole."""
        self.assert_ignored("bytes=0-0,2-2")

    def test_other_unit(self) -> None:
        """A unit that we do not have is answered with the whole."""
        self.assert_ignored("seconds=0-1", "0-1", "=0-1")

    def test_malformed(self) -> None:
        """What is no range is answered with the whole."""
        self.assert_ignored("", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1")

    def test_other_digits(self) -> None:
        """Digits are those of ASCII."""
        self.assert_ignored("bytes=٠-١", "bytes=+0-1", "bytes=0-1_0", "bytes=²-")

    def test_backwards(self) -> None:
        """A range that ends before it begins is refused, as by the Go registry."""
        self.assert_unsatisfiable("bytes=2-1")

    def test_behind_the_end(self) -> None:
        """A range that begins behind the end cannot be satisfied."""
        self.assert_unsatisfiable("bytes=100-")

    def test_no_suffix(self) -> None:
        """The last 0 bytes cannot be satisfied."""
        self.assert_unsatisfiable("bytes=-0")

    def test_empty_content(self) -> None:
        """An empty content has no first byte."""
        self.assert_unsatisfiable("bytes=0-", 0)

    def test_suffix_of_empty_content(self) -> None:
        """The last bytes of an empty content are the whole of it."""
        self.assertIsNone(parse_range("bytes=-5", 0))

    def test_absurd_numbers(self) -> None:
        """Numbers with any number of digits are just too large, or 0."""
        self.assert_range(f"bytes={'0' * 100_000}-{'9' * 100_000}", 0, 99)
        self.assert_unsatisfiable(f"bytes={'9' * 100_000}-")

    @generated
    @given(range_texts, sizes)
    def test_any_text(self, header: str, size: int) -> None:
        """Any header asks for a part of the content, for the whole, or for nothing."""
        try:
            part = parse_range(header, size)
        except RangeNotSatisfiable:
            return
        if part is not None:
            self.assertTrue(0 <= part.first <= part.last < size)

    @generated
    @given(sizes, sizes, sizes)
    def test_satisfiable(self, one: int, other: int, size: int) -> None:
        """A range that begins in the content is served from there."""
        first, last, size = sorted([one, other, size])
        self.assertEqual(
            ByteRange(first, last), parse_range(f"bytes={first}-{last}", size + 1)
        )


class ContentRangeTests(SynchronousTestCase):
    """``Content-Range`` headers of chunks."""

    def assert_malformed(self, *headers: str) -> None:
        """Assert that headers are refused with 400."""
        for header in headers:
            error = self.assertRaises(RangeMalformed, ContentRange.parse, header)
            self.assertEqual((400, "RANGE_INVALID"), (error.status, error.code))

    def test_spec(self) -> None:
        """The specification's form has two numbers and a dash."""
        self.assertEqual(ContentRange(0, 99), ContentRange.parse("0-99"))

    def test_http(self) -> None:
        """HTTP's own form is taken too, its size not being looked at."""
        for header in ("bytes 5-9/10", "bytes 5-9/*", "Bytes 5-9", "bytes=5-9/10"):
            self.assertEqual(ContentRange(5, 9), ContentRange.parse(header))

    def test_malformed(self) -> None:
        """Anything else is malformed."""
        self.assert_malformed("", "-", "0-", "-5", "0-1-2", "0 - 1", "bytes */10")
        self.assert_malformed("0x1-2", "٠-١", "0-1\n", "0-1,2-3", "0-1/x")

    def test_backwards(self) -> None:
        """A chunk does not end before it begins."""
        error = self.assertRaises(RangeInvalid, ContentRange.parse, "5-4")
        self.assertEqual(416, error.status)

    def test_absurd_numbers(self) -> None:
        """A chunk beyond any blob's end is nowhere that an upload stands."""
        error = self.assertRaises(
            RangeInvalid, ContentRange.parse, "0-" + "9" * 100_000
        )
        self.assertEqual(416, error.status)

    @generated
    @given(sizes, sizes)
    def test_round_trip(self, one: int, other: int) -> None:
        """What is written is read as the same range."""
        first, last = sorted([one, other])
        found = ContentRange.parse(f"{first}-{last}")
        self.assertEqual(
            (first, last, last - first + 1), (found.first, found.last, found.length)
        )

    @generated
    @given(range_texts)
    def test_any_text(self, header: str) -> None:
        """Any header is a range, or an error that a client is told."""
        try:
            found = ContentRange.parse(header)
        except RegistryError:
            return
        self.assertTrue(0 <= found.first <= found.last)
