"""Tests of txregistry.web.cors; answers are tried in test_app."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.cors import Cors

ORIGIN = "https://ui.example"


class CorsTests(SynchronousTestCase):
    """Which pages are let in."""

    def test_origins(self) -> None:
        """One that is named is let in, and any if a star is."""
        for origins, expected in (
            ({ORIGIN}, ORIGIN),
            ({"*"}, ORIGIN),
            ({"https://other.example"}, None),
            (set[str](), None),
        ):
            headers = Cors(frozenset(origins)).headers(ORIGIN)
            self.assertEqual(expected, headers.get("Access-Control-Allow-Origin"))

    def test_no_page(self) -> None:
        """A client that is no page needs nothing."""
        self.assertEqual({}, Cors(frozenset({"*"})).headers(None))

    def test_preflight(self) -> None:
        """A preflight is told what may be sent; for how long only if that is set."""
        headers = Cors(frozenset({"*"})).preflight(ORIGIN, None)
        self.assertEqual("*", headers["Access-Control-Allow-Headers"])
        self.assertNotIn("Access-Control-Max-Age", headers)
        headers = Cors(frozenset({"*"}), 1.5).preflight(ORIGIN, "x-a")
        self.assertEqual("x-a", headers["Access-Control-Allow-Headers"])
        self.assertEqual("1", headers["Access-Control-Max-Age"])

    def test_preflight_refused(self) -> None:
        """One of a page that is not let in is told nothing."""
        self.assertEqual({}, Cors().preflight(ORIGIN, "x-a"))
