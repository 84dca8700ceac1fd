"""Tests of txregistry.oci.links."""

from __future__ import annotations

import time
from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated, header_like, texts
from txregistry.oci.links import next_link, parse_link


class NextLinkTests(SynchronousTestCase):
    """Writing ``Link`` headers."""

    def test_sorted(self) -> None:
        """The query's keys come in order, as the Go registry writes them."""
        self.assertEqual(
            '</v2/a/tags/list?last=b&n=2>; rel="next"',
            next_link("/v2/a/tags/list", {"n": 2, "last": "b"}),
        )

    def test_escaped(self) -> None:
        """What a query cannot hold is percent-encoded."""
        self.assertIn("?t=a%2Fb%2Bc%26d%3Ee>", next_link("/", {"t": "a/b+c&d>e"}))

    def test_path(self) -> None:
        """A path cannot end the target, and what is encoded in it stays so."""
        self.assertIn("</%20%3E%22?", next_link('/%20>"', {}))

    @generated
    @given(st.dictionaries(texts, texts))
    def test_round_trip(self, parameters: dict[str, str]) -> None:
        """A client reads the parameters that were written."""
        target = parse_link(next_link("/v2/_catalog", parameters))
        assert target is not None
        found = parse_qsl(urlsplit(target).query, keep_blank_values=True)
        readable = [
            (_encodable(key), _encodable(value))
            for key, value in sorted(parameters.items())
        ]
        self.assertEqual(readable, found)


class ParseLinkTests(SynchronousTestCase):
    """Reading ``Link`` headers."""

    def assert_next(self, target: str | None, header: str) -> None:
        """Assert where a header says the next page is."""
        self.assertEqual(target, parse_link(header))

    def test_token(self) -> None:
        """The relation may come without quotes, in any case."""
        self.assert_next("/b", "</b>;REL=Next")

    def test_several_relations(self) -> None:
        """A link may have several relations."""
        self.assert_next("/b", '</b>; rel="last next"')

    def test_several_links(self) -> None:
        """Of several links the one to the next page counts."""
        self.assert_next("/b", '</a>; rel="prev", </b>; rel="next"')

    def test_quoted(self) -> None:
        """What stands in another parameter's quotes is no link."""
        self.assert_next("/b", r'</b>; title="\", </x>; rel=next"; rel=next')

    def test_first_relation(self) -> None:
        """Of a parameter given twice the first counts (RFC 8288 3.3)."""
        self.assert_next(None, "</b>; rel=prev; rel=next")

    def test_flag(self) -> None:
        """A parameter may have no value."""
        self.assert_next("/b", "</b>; crossorigin; rel=next")

    def test_none(self) -> None:
        """Without a relation there is no next page."""
        for header in ("", "</b>", "</b>; rel", "/b; rel=next", "<"):
            self.assert_next(None, header)

    def test_hostile(self) -> None:
        """Reading takes time that grows no faster than the header."""
        start = time.process_time()
        for piece in ("<", "<a>", ";a", ';a="', '"', "\\", " ", "=", ","):
            self.assert_next(None, "<a>;" + piece * 20_000)
        self.assertLess(time.process_time() - start, 2.0)

    @generated
    @given(header_like('<>/ab;=,"\\ relnxt'))
    def test_any_text(self, header: str) -> None:
        """Any header names a target or none."""
        target = parse_link(header)
        self.assertTrue(target is None or f"<{target}>" in header)


def _encodable(text: str) -> str:
    """Replace what no encoding takes."""
    return text.encode("utf-8", "replace").decode()
