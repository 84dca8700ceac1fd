"""Tests of txregistry.oci.forwarded."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated, header_like
from txregistry.oci.forwarded import origin

fields = header_like('hostpr=;,"\\:[]1. @/')


class ForwardedTests(SynchronousTestCase):
    """The standard's header (RFC 7239)."""

    def assert_origin(self, forwarded: str, *expected: str | None) -> None:
        """Assert what a ``Forwarded`` header says."""
        self.assertEqual(expected, origin({"forwarded": forwarded}))

    def test_tokens(self) -> None:
        """Values may come without quotes; names are in any case."""
        self.assert_origin(
            "For=1.2.3.4;Proto=HTTPS;Host=a.example", "https", "a.example"
        )

    def test_quoted(self) -> None:
        """A port or an IPv6 address needs quotes."""
        self.assert_origin('host="[2001:db8::1]:5000"', None, "[2001:db8::1]:5000")

    def test_escaped(self) -> None:
        """A backslash in quotes takes the next character as it is."""
        self.assert_origin(r'host="a\.b"', None, "a.b")

    def test_first(self) -> None:
        """The first proxy's element counts."""
        self.assert_origin("proto=https, proto=http;host=b", "https", None)

    def test_blanks(self) -> None:
        """Blanks do not matter."""
        self.assert_origin(" proto = https ; host = a ", "https", "a")

    def test_twice(self) -> None:
        """A name given twice spoils the header."""
        self.assert_origin("host=a;host=b", None, None)

    def test_malformed(self) -> None:
        """A malformed first element spoils the header."""
        for header in ("host", "host=", 'host="a', "host=a b", "host=a=b", ",host=a"):
            self.assert_origin(header, None, None)

    def test_preferred(self) -> None:
        """Beside it the older headers are not looked at, even if it is malformed."""
        headers = {"forwarded": "=", "x-forwarded-host": "a"}
        self.assertEqual((None, None), origin(headers))

    def test_hostile(self) -> None:
        """Reading takes time that grows no faster than the header."""
        start = time.process_time()
        for piece in ("a", " ", "a=b;", 'a="', '"', "\\", "=", ";"):
            self.assert_origin("x=" + piece * 20_000, None, None)
        self.assertLess(time.process_time() - start, 2.0)


class XForwardedTests(SynchronousTestCase):
    """The headers that proxies sent before there was a standard."""

    def test_both(self) -> None:
        """The scheme and the host come in a header each."""
        headers = {"x-forwarded-proto": "https", "x-forwarded-host": "a.example:8443"}
        self.assertEqual(("https", "a.example:8443"), origin(headers))

    def test_first(self) -> None:
        """The first proxy's words count."""
        headers = {"x-forwarded-proto": "https,http", "x-forwarded-host": " a , b"}
        self.assertEqual(("https", "a"), origin(headers))

    def test_none(self) -> None:
        """Without any header nothing is said."""
        self.assertEqual((None, None), origin({}))

    def test_scheme(self) -> None:
        """A scheme that we are not reached by is not believed."""
        for scheme in ("ftp", "javascript", "https://", ""):
            self.assertIsNone(origin({"x-forwarded-proto": scheme})[0])

    def test_host(self) -> None:
        """A host that would change a URL is not believed."""
        for host in ("a/b", "a@b", "a?b", "a#b", "a:b", "a b", "[::1", "a\r\nb", "ä"):
            self.assertIsNone(origin({"x-forwarded-host": host})[1], host)

    @generated
    @given(
        st.dictionaries(
            st.sampled_from(["forwarded", "x-forwarded-host", "x-forwarded-proto"]),
            fields,
        )
    )
    def test_any_text(self, headers: dict[str, str]) -> None:
        """Whatever is said, it makes a URL of no more than a scheme and a host."""
        scheme, host = origin(headers)
        parts = urlsplit(f"{scheme or 'http'}://{host or 'a'}/v2/")
        self.assertIn(parts.scheme, ("http", "https"))
        self.assertEqual((host or "a", "/v2/"), (parts.netloc, parts.path))
