"""TLS context: what a server shows and asks of clients, made of files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from attrs import frozen
from OpenSSL import SSL
from OpenSSL.crypto import X509, X509StoreFlags

from txregistry.interfaces import InvalidOption
from txregistry.web.ciphers import DEFAULT, Ciphers
from txregistry.web.pem import Pair, load_certificates

REQUIRE_AND_VERIFY: Final = "require-and-verify-client-cert"

# Whether a client must show a certificate, and whether one that does not lead to
# clientcas ends the connection.
_CLIENT_AUTH: Final = {
    "request-client-cert": (False, False),
    "require-any-client-cert": (True, False),
    "verify-client-cert-if-given": (False, True),
    REQUIRE_AND_VERIFY: (True, True),
}

_VERSIONS: Final = {"tls1.2": SSL.TLS1_2_VERSION, "tls1.3": SSL.TLS1_3_VERSION}

# No session is resumed: OpenSSL would never change the key of its tickets, and nobody
# would look at a client's certificate again.
_OPTIONS: Final = (
    SSL.OP_NO_COMPRESSION
    | SSL.OP_NO_RENEGOTIATION
    | SSL.OP_NO_TICKET
    | SSL.OP_CIPHER_SERVER_PREFERENCE
)

# OpenSSL's SSL_MODE_ENABLE_PARTIAL_WRITE, which pyOpenSSL sets and does not name: with
# it each call would send one record.
_PARTIAL_WRITE: Final = 1

# OpenSSL's SSL_OP_PRIORITIZE_CHACHA, which pyOpenSSL does not name: a client that puts
# ChaCha20 first has no hardware for AES, so it gets what it wants.
_PRIORITIZE_CHACHA: Final = 1 << 21

_ROUNDS: Final = 4  # a handshake of TLS 1.2 takes three


@frozen
class TLSOptions:
    """What the configuration says about TLS.

    Attributes:
        certificate: The file with the server's certificate and what leads to its root.
        key: The file with its private key.
        client_cas: Files with certificates that vouch for clients'; empty: clients are
            not asked for one.
        client_auth: What is asked of clients, named as in the configuration.
        minimum: The oldest version that is spoken: ``tls1.2`` or ``tls1.3``.
        cipher_suites: IANA's names; empty: our own choice.
    """

    certificate: str
    key: str
    client_cas: tuple[str, ...] = ()
    client_auth: str = REQUIRE_AND_VERIFY
    minimum: str = "tls1.2"
    cipher_suites: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """All files that they name."""
        return (self.certificate, self.key, *self.client_cas)


@frozen
class TLSContext:
    """OpenSSL's context for connections, and what is to be known about it.

    Attributes:
        context: The context.
        subject: Whom its certificate names.
        begins: When that becomes valid, in seconds since the epoch.
        ends: When the first one of its chain runs out, likewise.
    """

    context: SSL.Context
    subject: str
    begins: float
    ends: float

    @classmethod
    def load(cls, options: TLSOptions) -> TLSContext:
        """Read the files and try what they make.

        Raises:
            InvalidOption: It cannot be used; ``key`` is the option that is to blame.
        """
        pair = Pair.load(options.certificate, options.key)
        context = _make_context(options)
        _show(context, pair, options.certificate)
        if options.client_cas:
            _ask_clients(context, options)
        _try(context, options.certificate)
        return cls(
            context,
            pair.chain[0].subject.rfc4514_string(),
            pair.chain[0].not_valid_before_utc.timestamp(),
            min(each.not_valid_after_utc.timestamp() for each in pair.chain),
        )


def _make_context(options: TLSOptions) -> SSL.Context:
    ciphers = Ciphers.parse(options.cipher_suites)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(
        _VERSIONS[options.minimum] if ciphers.tls12 else SSL.TLS1_3_VERSION
    )
    context.set_options(_OPTIONS | (_PRIORITIZE_CHACHA if ciphers == DEFAULT else 0))
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.clear_mode(_PARTIAL_WRITE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"txregistry")
    context.set_alpn_select_callback(_select_protocol)
    if ciphers.tls12:
        context.set_cipher_list(":".join(ciphers.tls12).encode("ascii"))
    context.set_tls13_ciphersuites(":".join(ciphers.tls13).encode("ascii"))
    return context


def _select_protocol(_connection: SSL.Connection, offered: list[bytes]) -> Any:
    return b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _show(context: SSL.Context, pair: Pair, file: str) -> None:
    try:
        context.use_certificate(pair.chain[0])
        for certificate in pair.chain[1:]:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(pair.key)  # type: ignore[arg-type]  # or raises
    except (SSL.Error, TypeError) as error:
        problem = f"{file} cannot be used: {reason_of(error)}"
        raise InvalidOption("certificate", problem) from None


def _ask_clients(context: SSL.Context, options: TLSOptions) -> None:
    must_show, must_hold = _CLIENT_AUTH[options.client_auth]
    store: Any = context.get_cert_store()
    # As in the Go registry, a certificate that another one has signed can be trusted
    # without that one.
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN)
    for index, file in enumerate(options.client_cas):
        for certificate in load_certificates(f"clientcas.{index}", file):
            store.add_cert(X509.from_cryptography(certificate))
            context.add_client_ca(certificate)

    def note(
        connection: SSL.Connection, _certificate: X509, _error: int, depth: int, ok: int
    ) -> bool:
        connection.get_app_data().note_verified(depth, bool(ok))
        return bool(ok) or not must_hold

    mode = SSL.VERIFY_PEER
    if must_show:
        mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(mode, note)


def _try(context: SSL.Context, file: str) -> None:
    """Shake hands in memory: the key works, and we have a cipher that fits it."""
    server, client = SSL.Connection(context), SSL.Connection(_client_context())
    server.set_verify(SSL.VERIFY_NONE)
    server.set_accept_state()
    client.set_connect_state()
    try:
        for _ in range(_ROUNDS):
            _step(client, server)
            _step(server, client)
        client.do_handshake()
        server.do_handshake()
    except SSL.Error as error:
        problem = f"no client can connect with {file}: {reason_of(error)}"
        raise InvalidOption("certificate", problem) from None


def _client_context() -> SSL.Context:
    return SSL.Context(SSL.TLS_CLIENT_METHOD)


def _step(end: SSL.Connection, other: SSL.Connection) -> None:
    with suppress(SSL.WantReadError):
        end.do_handshake()
    with suppress(SSL.WantReadError):
        while True:
            other.bio_write(end.bio_read(1 << 16))


def reason_of(error: Exception) -> str:
    """Return what OpenSSL says about an error, in one line."""
    return "; ".join(_reasons(error)) or type(error).__name__


def _reasons(error: Exception) -> Iterator[str]:
    for part in error.args:
        if isinstance(part, list):  # OpenSSL's queue: library, function, reason
            yield from (str(entry[-1]) for entry in part if entry[-1])
        else:
            yield str(part)
