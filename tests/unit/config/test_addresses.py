"""Tests of addresses, URLs and trusted proxies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.config import Address, BaseURL, TrustedProxies

HOSTS = st.sampled_from(["", "localhost", "10.0.0.1", "::1", "fe80::1%eth0", "a_b.c"])


class AddressTests(SynchronousTestCase):
    """``Address``."""

    def test_read(self) -> None:
        """A host and a port are read, IPv6 in brackets, no host as all interfaces."""
        for text, host, port in (
            (":5000", "", 5000),
            ("127.0.0.1:80", "127.0.0.1", 80),
            ("registry.example.com:443", "registry.example.com", 443),
            ("[::1]:5000", "::1", 5000),
            ("[::]:0", "::", 0),
            (":65535", "", 65535),
        ):
            self.assertEqual(Address(host, port), Address.parse(text))

    def test_refused(self) -> None:
        """What is not an address with a port is refused."""
        for text in (
            *("", "5000", ":", "localhost", "localhost:", ":65536", ":-1", "::1:5000"),
            *("[::1]", "[]:1", "[127.0.0.1]:1", "[x]:1", ":http", "a b:1", "é:1"),
            *(":5000\n", "\u0661:1", ":\u0661", "a/b:1", "user@host:1", ":000080"),
        ):
            self.assertRaises(ValueError, Address.parse, text)

    @given(HOSTS, st.integers(0, 65535))
    def test_round_trip(self, host: str, port: int) -> None:
        """An address reads back as it is written."""
        address = Address(host, port)
        self.assertEqual(address, Address.parse(str(address)))

    @given(st.text(":[]0123456789abcf.%", max_size=30) | st.text(max_size=20))
    def test_any_text(self, text: str) -> None:
        """Any text is an address or a ValueError."""
        try:
            address = Address.parse(text)
        except ValueError:
            return
        self.assertTrue(0 <= address.port <= 65535)


class BaseURLTests(SynchronousTestCase):
    """``BaseURL``."""

    def test_read(self) -> None:
        """Scheme, authority and path are taken apart."""
        for text, parts in (
            ("https://r.example.com", ("https", "r.example.com", "")),
            ("http://localhost:5000/", ("http", "localhost:5000", "/")),
            ("https://[::1]:443/a/b", ("https", "[::1]:443", "/a/b")),
        ):
            self.assertEqual(BaseURL(*parts), BaseURL.parse(text))
            self.assertEqual(text, str(BaseURL.parse(text)))

    def test_refused(self) -> None:
        """What is not an absolute http or https URL of a host is refused."""
        for text in (
            *(
                "",
                "r.example.com",
                "//r.example.com",
                "ftp://r",
                "https://",
                "https:///x",
            ),
            *(
                "https://u:p@r",
                "https://r?x",
                "https://r?",
                "https://r#x",
                "https://r:x",
            ),
            *(
                "https://r:99999",
                "https://[::1",
                "https://r x",
                "https://r\n",
                "https://é",
            ),
        ):
            self.assertRaises(ValueError, BaseURL.parse, text)

    @given(st.text("htps:/[]@?#.0123 \n", max_size=30) | st.text(max_size=20))
    def test_any_text(self, rest: str) -> None:
        """Any text is a URL that reads back, or a ValueError."""
        for text in (rest, f"https://{rest}"):
            try:
                url = BaseURL.parse(text)
            except ValueError:
                continue
            self.assertEqual(text, str(url))


class TrustedProxiesTests(SynchronousTestCase):
    """``TrustedProxies``."""

    def test_everyone(self) -> None:
        """Everyone is trusted, also a peer without an IP address."""
        self.assertIn("192.0.2.1", TrustedProxies())
        self.assertIn("/run/socket", TrustedProxies())

    def test_no_one(self) -> None:
        """Without everyone and without networks, no one is trusted."""
        self.assertNotIn("127.0.0.1", TrustedProxies(everyone=False))

    def test_networks(self) -> None:
        """Peers in the networks are trusted, also if they come as IPv4 in IPv6."""
        proxies = TrustedProxies.parse(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])
        for peer in ("10.1.2.3", "192.0.2.7", "2001:db8::1", "::ffff:10.0.0.1"):
            self.assertIn(peer, proxies)
        for peer in (
            "11.0.0.1",
            "192.0.2.8",
            "2001:db9::1",
            "::ffff:11.0.0.1",
            "",
            "x",
        ):
            self.assertNotIn(peer, proxies)

    def test_refused(self) -> None:
        """What is not a network is refused, and one with host bits set too."""
        for text in ("", "10.0.0.1/8", "10.0.0.0/33", "localhost", "10.0.0"):
            self.assertRaises(ValueError, TrustedProxies.parse, [text])
