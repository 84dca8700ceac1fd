"""Tests of txregistry.auth.hashes."""

from __future__ import annotations

from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from txregistry.auth.hashes import (
    DEFAULT_COST,
    LOWEST_COST,
    NotBcrypt,
    cost_of,
    dummy,
    make_hash,
    parse_hash,
    verify,
)

# Of 80 times "x", by Apache's htpasswd 2.4.71: htpasswd -nbB -C 5.
BY_APACHE: Final = b"$2y$05$ExVDG/Dc8UqvrMfh.ljUqODSToDWKCYrSkPrbTbyOD.YyrYaUcfJy"

# Of "secret", by golang.org/x/crypto 0.52; and with meaningless bits set in its salt,
# which verifies there too.
BY_GO: Final = b"$2a$04$HKkI4R9lN2kCXQB.PB0gt.lLLhj6.eiFmYhrmK9eFzHs3zGC97LC2"
BY_GO_PADDED: Final = b"$2a$04$HKkI4R9lN2kCXQB.PB0gt/lLLhj6.eiFmYhrmK9eFzHs3zGC97LC2"

OTHERS: Final = {
    b"$apr1$Ucf2GB.T$MJc7l2uapeu0ZNOAczeZy1": "MD5 hash (apr1)",
    b"$1$abcdefgh$irWbblnpmw.5z7wgBnprh0": "MD5 hash (crypt)",
    b"{SHA}6dcfXufJLW3J6S/9rRe4vUlBj5g=": "SHA-1 hash ({SHA})",
    b"{SSHA}6dcfXufJLW3J6S/9rRe4vUlBj5g=": "salted SHA-1 hash",
    b"$5$q80AIfsBh6AVWfk0$tDmPTLppsQZvWDsjTQEF3AK4xcwRR2ojSrE": "SHA-256",
    b"$6$msU6LkcpeUGiN6VC$VQeKvkDHzSPUgHAt48J0HdmvAilue9Y6PyS": "SHA-512",
    b"$y$j9T$abc$def": "yescrypt",
    b"$7$CU..../....2Q9obwLhin8qvQl6sisAO/$E1HizYWxBmnIH4sdPkd": "scrypt",
    b"$argon2id$v=19$m=65536,t=3,p=4$abc$def": "Argon2",
    b"d3NHGrJZD5EV2": "DES hash (crypt)",
    b"": "no password",
    b"secret password": "plain password",
    b"$2x$04$HKkI4R9lN2kCXQB.PB0gt.lLLhj6.eiFmYhrmK9eFzHs3zGC97LC2": "obsolete",
    b"$2$04$HKkI4R9lN2kCXQB.PB0gt.lLLhj6.eiFmYhrmK9eFzHs3zGC97LC2": "obsolete",
    BY_GO[:-1]: "damaged bcrypt",
    BY_GO + b"x": "damaged bcrypt",
    BY_GO + b":comment": "damaged bcrypt",
    BY_GO.replace(b"$04$", b"$03$"): "damaged bcrypt",
    BY_GO.replace(b"$04$", b"$32$"): "damaged bcrypt",
    BY_GO.replace(b"$04$", b"$4$"): "damaged bcrypt",
}


class ParseHashTests(SynchronousTestCase):
    """``parse_hash``."""

    def test_bcrypt(self) -> None:
        """Hashes of bcrypt are taken, by whichever letter they are known."""
        for letter in (b"a", b"b", b"y"):
            stored = BY_GO.replace(b"$2a$", b"$2" + letter + b"$")
            self.assertTrue(verify(b"secret", parse_hash(stored)))

    def test_padded(self) -> None:
        """Bits of the salt that mean nothing do not matter, as in Go."""
        self.assertTrue(verify(b"secret", parse_hash(BY_GO_PADDED)))

    def test_others(self) -> None:
        """Other hashes are refused by name, and not shown."""
        for stored, kind in OTHERS.items():
            error = self.assertRaises(NotBcrypt, parse_hash, stored)
            self.assertIn(kind, error.kind)
            self.assertNotIn(stored.decode() or "?", str(error))


class VerifyTests(SynchronousTestCase):
    """``verify``, and what it verifies."""

    def test_right(self) -> None:
        """The password fits, and no other one does."""
        stored = make_hash(b"secret", LOWEST_COST)
        self.assertEqual(
            [True, False, False],
            [verify(password, stored) for password in (b"secret", b"Secret", b"")],
        )

    def test_cost(self) -> None:
        """A hash is made with the cost that was asked for."""
        self.assertEqual(5, cost_of(make_hash(b"secret", 5)))

    def test_long(self) -> None:
        """Of a long password 72 bytes count, as for Apache's htpasswd and for Go."""
        fits = {size: verify(b"x" * size, BY_APACHE) for size in (71, 72, 73, 80, 900)}
        expected = {71: False, 72: True, 73: True, 80: True, 900: True}
        self.assertEqual(expected, fits)

    def test_dummy(self) -> None:
        """No password fits a dummy, which has the cost asked for and looks genuine."""
        stored = dummy(LOWEST_COST)
        self.assertEqual(stored, parse_hash(stored))
        self.assertEqual((4, 10), (cost_of(stored), cost_of(dummy(DEFAULT_COST))))
        self.assertFalse(verify(b"", stored))
