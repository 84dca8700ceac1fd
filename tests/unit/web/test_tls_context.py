"""Tests of what TLS is made of: certificates, keys, versions, ciphers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from tests.certificates import Authority
from tests.unit.web.tls_case import Client, TLSCase, client_context
from txregistry.interfaces import InvalidOption
from txregistry.web.ciphers import DEFAULT, Ciphers
from txregistry.web.tls_context import TLSContext

# What is left in OpenSSL of the names that the Go registry knows, old and new.
SUITES: Mapping[str, str] = {
    **{name: name for name in DEFAULT.tls13},
    **{
        f"TLS_ECDHE_{key}_WITH_{iana}": f"ECDHE-{key}-{openssl}"
        for key in ("ECDSA", "RSA")
        for iana, openssl in (
            ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
            ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
            ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
            ("AES_128_CBC_SHA256", "AES128-SHA256"),
            ("AES_128_CBC_SHA", "AES128-SHA"),
            ("AES_256_CBC_SHA", "AES256-SHA"),
        )
    },
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_RSA_WITH_AES_128_CBC_SHA256": "AES128-SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
}


class CiphersTests(TLSCase):
    """``Ciphers.parse``."""

    def test_default(self) -> None:
        """Nothing means our own choice, all of it with forward secrecy."""
        self.assertEqual(DEFAULT, Ciphers.parse(()))
        self.assertTrue(all(name.startswith("ECDHE-") for name in DEFAULT.tls12))

    def test_order(self) -> None:
        """The order is kept; names of TLS 1.3 are taken apart."""
        ciphers = Ciphers.parse(
            (
                "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                "TLS_CHACHA20_POLY1305_SHA256",
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            )
        )
        self.assertEqual(
            Ciphers(
                ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"),
                ("TLS_CHACHA20_POLY1305_SHA256",),
            ),
            ciphers,
        )

    def test_none_of_13(self) -> None:
        """A list without names of TLS 1.3 leaves that version as it is."""
        ciphers = Ciphers.parse(("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",))
        self.assertEqual(DEFAULT.tls13, ciphers.tls13)

    def test_refused(self) -> None:
        """A name that is unknown, or of a cipher that is gone, is refused."""
        for name, problem in (
            ("ECDHE-RSA-AES128-GCM-SHA256", "no known cipher suite"),
            ("TLS_RSA_WITH_RC4_128_SHA", "broken"),
            ("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", "broken"),
        ):
            names = ("TLS_AES_128_GCM_SHA256", name)
            error = self.assertRaises(InvalidOption, Ciphers.parse, names)
            self.assertEqual("ciphersuites.1", error.key)
            self.assertIn(problem, error.problem)


class PairTests(TLSCase):
    """Certificates and keys, good and bad."""

    def refused(self, **options: Any) -> tuple[str, str]:
        """Return key and problem of the error that options end in."""
        error = self.assertRaises(
            InvalidOption, TLSContext.load, self.options(**options)
        )
        self.assertNotIn("\n", error.problem)
        return error.key, error.problem.replace(str(self.folder), "DIR")

    def replace(self, path: str, content: bytes) -> None:
        """Write a file."""
        Path(path).write_bytes(content)

    def test_kinds(self) -> None:
        """Keys of all the kinds that TLS knows work."""
        for kind in ("ec", "rsa", "ed25519"):
            self.write(self.authority.issue(f"{kind}.example", kind=kind))
            client = self.connect(self.contexts())
            self.assertEqual(f"{kind}.example", client.shown_name)

    def test_one_file(self) -> None:
        """Certificate and key may lie in one file, in either order."""
        issued = self.authority.issue()
        for parts in ((issued.pem, issued.key_pem()), (issued.key_pem(), issued.pem)):
            self.replace(self.certificate, b"".join(parts))
            self.key = self.certificate
            TLSContext.load(self.options())

    def test_chain(self) -> None:
        """What lies between the certificate and the root is sent along."""
        between = Authority("between", self.authority)
        self.write(between.issue())
        client = self.connect(self.contexts())
        chain = client.tls.get_peer_cert_chain() or []
        self.assertEqual(
            [client.shown.to_cryptography(), between.certificate],
            [each.to_cryptography() for each in chain],
        )

    def test_missing(self) -> None:
        """A file that is not there is named, with its option."""
        Path(self.key).unlink()
        self.assertEqual(
            ("key", "DIR/server.key: No such file or directory"), self.refused()
        )
        Path(self.certificate).unlink()
        self.assertEqual(
            ("certificate", "DIR/server.crt: No such file or directory"), self.refused()
        )

    def test_no_pem(self) -> None:
        """A file that holds something else is named."""
        for content in (b"", b"hello", b"\x30\x82\x01\x00", b"-----BEGIN", b"\xff\xfe"):
            self.replace(self.key, content)
            self.assertEqual(
                ("key", "DIR/server.key has no private key in PEM form"), self.refused()
            )
        self.replace(
            self.certificate,
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        )
        self.assertEqual(
            (
                "certificate",
                "DIR/server.crt is not a file of certificates in PEM form",
            ),
            self.refused(),
        )

    def test_encrypted(self) -> None:
        """A key with a passphrase is refused; nobody is asked for it."""
        issued = self.authority.issue()
        self.write(issued)
        self.replace(self.key, issued.key_pem(b"sesame"))
        self.assertEqual(
            (
                "key",
                "DIR/server.key is encrypted; write the key without a passphrase",
            ),
            self.refused(),
        )

    def test_other_key(self) -> None:
        """A key of another certificate is refused."""
        self.replace(self.key, self.authority.issue().key_pem())
        self.assertEqual(
            (
                "key",
                "DIR/server.key does not belong to the certificate in DIR/server.crt",
            ),
            self.refused(),
        )

    def test_wrong_order(self) -> None:
        """A chain in the wrong order is recognized."""
        issued = self.authority.issue()
        self.write(issued)
        self.replace(self.certificate, self.authority.pem + issued.pem)
        key, problem = self.refused()
        self.assertEqual("key", key)
        self.assertIn("belongs to certificate 2 in DIR/server.crt", problem)

    def test_short_key(self) -> None:
        """A key that OpenSSL finds too short is refused, in its words."""
        self.write(self.authority.issue(kind="short"))
        self.assertEqual(
            ("certificate", "DIR/server.crt cannot be used: ee key too small"),
            self.refused(),
        )

    def test_broken_key(self) -> None:
        """A key whose public part alone is right is found out by trying it."""
        issued = self.authority.issue(kind="rsa")
        self.write(issued)
        numbers: Any = issued.key.private_numbers()  # type: ignore[union-attr]
        bad = type(numbers)(
            numbers.p,
            numbers.q,
            numbers.d + 2,
            numbers.dmp1 + 2,
            numbers.dmq1 + 2,
            numbers.iqmp,
            numbers.public_numbers,
        ).private_key(unsafe_skip_rsa_key_validation=True)
        self.replace(self.key, type(issued)(issued.certificate, bad).key_pem())
        key, problem = self.refused()
        self.assertEqual("certificate", key)
        self.assertIn("no client can connect", problem)

    def test_bad_client_ca(self) -> None:
        """Of several files with authorities, the one that is bad is named."""
        good, bad = self.authority.write(self.folder), str(self.folder / "none.crt")
        self.assertEqual(
            ("clientcas.1", "DIR/none.crt: No such file or directory"),
            self.refused(client_cas=(good, bad)),
        )

    def test_expired(self) -> None:
        """A certificate out of its time can be used: a client may not mind."""
        self.write(self.authority.issue(days=-0.5))
        self.connect(self.contexts())

    def test_no_fitting_cipher(self) -> None:
        """Cipher suites that do not fit the certificate are found out by trying."""
        self.write(self.authority.issue(kind="rsa"))
        names = ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",)
        client = self.connect(self.contexts(cipher_suites=names))
        self.assertEqual("TLSv1.3", client.tls.get_protocol_version_name())


class OfferTests(TLSCase):
    """Versions, ciphers and protocols."""

    def speak(
        self, options: dict[str, Any], context: SSL.Context
    ) -> tuple[str, str | None]:
        """Return version and cipher that a client gets."""
        tls = self.connect(self.contexts(**options), context=context).tls
        return tls.get_protocol_version_name(), tls.get_cipher_name()

    def no_terms(self, options: dict[str, Any], context: SSL.Context) -> None:
        """Check that a client gets none."""
        self.assertRaises(SSL.Error, self.speak, options, context)

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3 are spoken, older ones are not."""
        self.assertEqual("TLSv1.3", self.speak({}, client_context())[0])
        context = client_context(newest=SSL.TLS1_2_VERSION)
        self.assertEqual("TLSv1.2", self.speak({}, context)[0])
        for newest in (SSL.TLS1_1_VERSION, SSL.TLS1_VERSION):
            self.no_terms({}, client_context(newest=newest))

    def test_minimum(self) -> None:
        """With tls1.3 as the minimum, TLS 1.2 is not spoken."""
        options = {"minimum": "tls1.3"}
        self.assertEqual("TLSv1.3", self.speak(options, client_context())[0])
        self.no_terms(options, client_context(newest=SSL.TLS1_2_VERSION))

    def test_only_13(self) -> None:
        """Suites of TLS 1.3 alone leave no TLS 1.2 over."""
        options = {"cipher_suites": ("TLS_AES_256_GCM_SHA384",)}
        self.assertEqual(
            ("TLSv1.3", "TLS_AES_256_GCM_SHA384"), self.speak(options, client_context())
        )
        self.no_terms(options, client_context(newest=SSL.TLS1_2_VERSION))
        self.no_terms(options, client_context(suites="TLS_AES_128_GCM_SHA256"))

    def test_default_ciphers(self) -> None:
        """Ciphers without forward secrecy or authentication are not offered."""
        self.write(self.authority.issue(kind="rsa"))
        for cipher in ("AES128-GCM-SHA256", "AES256-SHA", "ECDHE-RSA-AES128-SHA"):
            context = client_context(SSL.TLS1_2_VERSION, f"{cipher}:@SECLEVEL=0")
            self.no_terms({}, context)

    def test_each_cipher(self) -> None:
        """Every suite that can be named is the one that is spoken, and no other is."""
        issued = {kind: self.authority.issue(kind=kind) for kind in ("ec", "rsa")}
        for name, openssl in SUITES.items():
            kind = "ec" if "ECDSA" in name or name in DEFAULT.tls13 else "rsa"
            self.write(issued[kind])
            newest = 0 if name in DEFAULT.tls13 else SSL.TLS1_2_VERSION
            options = {"cipher_suites": (name,)}
            self.assertEqual(openssl, self.speak(options, client_context(newest))[1])

    def test_our_preference(self) -> None:
        """The server's order counts, not the client's."""
        theirs = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
        context = client_context(SSL.TLS1_2_VERSION, theirs)
        self.assertEqual("ECDHE-ECDSA-AES128-GCM-SHA256", self.speak({}, context)[1])
        suites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"
        context = client_context(suites=suites)
        self.assertEqual("TLS_AES_128_GCM_SHA256", self.speak({}, context)[1])

    def test_chacha(self) -> None:
        """A client that would rather have ChaCha20 gets it, unless a list is set."""
        suites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
        cipher = self.speak({}, client_context(suites=suites))[1]
        self.assertEqual("TLS_CHACHA20_POLY1305_SHA256", cipher)
        names = ("TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256")
        cipher = self.speak({"cipher_suites": names}, client_context(suites=suites))[1]
        self.assertEqual("TLS_AES_128_GCM_SHA256", cipher)

    def test_protocol(self) -> None:
        """HTTP/1.1 is agreed on with clients that ask; never HTTP/2."""
        for protocols, agreed in (
            ([b"h2", b"http/1.1"], b"http/1.1"),
            ([b"h2"], b""),
            ([], b""),
        ):
            context = client_context(protocols=protocols)
            tls = self.connect(self.contexts(), context=context).tls
            self.assertEqual(agreed, tls.get_alpn_proto_negotiated())

    def test_not_resumed(self) -> None:
        """No session is resumed, in either version: each handshake is a whole one."""
        for newest in (SSL.TLS1_2_VERSION, 0):
            states: list[bytes] = []
            context = client_context(newest=newest)
            context.set_info_callback(
                lambda tls, _where, _result, states=states: states.append(  # type: ignore[misc]
                    tls.get_state_string()
                )
            )
            factory = self.factory(self.contexts())
            first = Client(factory, self.clock, context)
            first.get()
            session = first.tls.get_session()
            states.clear()
            Client(factory, self.clock, context, session)
            self.assertIn(b"SSLv3/TLS read server certificate", states)
