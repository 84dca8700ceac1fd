"""Tests of TLS, with openssl, curl, skopeo, and a Docker engine."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from tests.certificates import Authority, Issued
from tests.real.case import RealTestCase
from tests.real.commands import CommandFailed, need, run
from tests.real.daemons import Daemon
from tests.real.dockerd import UNTRUSTED_LOOPBACK, Docker
from tests.real.images import MIB, digest_of, make_image, random_layers, write_layout
from tests.real.receivers import wait_until
from tests.real.registries import Registry
from tests.real.skopeo import Skopeo
from tests.real.wire import connected, unverified

_PAGE = Path(__file__).parents[2] / "docs" / "tls.md"
_AGREED = re.compile(r"^New, (\S+), Cipher is (\S+)$", re.MULTILINE)
_OPENSSL_NAMES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
}


class ClosedRegistry(Registry):
    """A registry that does not talk to just anybody, so that its log is asked."""

    def start(self) -> Registry:
        """See Registry."""
        self._daemon = Daemon(self._command(), self._log)
        self._daemon.wait_until(lambda: "serves on" in self.log())
        return self


class TLSCase(RealTestCase):
    """Registries that speak TLS."""

    def setUp(self) -> None:
        """Make an authority and a folder for its certificate and the server's."""
        need("curl", "openssl")
        self.authority = Authority()
        self.where = self.folder()
        self.ca = self.authority.write(self.where)

    def over_tls(
        self, kind: str = "ec", host: str = "127.0.0.1", **tls: Any
    ) -> Registry:
        """Start a registry that speaks TLS.

        Args:
            kind: Its key.
            host: The address to listen at.
            tls: Settings to add under ``http.tls``.
        """
        certificate, key = self.authority.issue(kind=kind).write(self.where)
        http = {"tls": {"certificate": certificate, "key": key, **tls}}
        registry = ClosedRegistry(self.folder(), http=http, host=host)
        return self.server(registry).start()

    def curl(self, registry: Registry, *options: str | Path) -> str:
        """Ask for ``/v2/`` with curl; return the status (000: no answer)."""
        words = ("curl", "-sS", "--cacert", self.ca, "--output", self.where / "answer")
        url = f"https://localhost:{registry.port}/v2/"
        try:
            return run(*words, "--write-out", "%{http_code}", *options, url)
        except CommandFailed:
            return "000"


class OfferTests(TLSCase):
    """What is offered, as ``openssl s_client`` sees it."""

    def agreed(self, registry: Registry, *options: str) -> tuple[str, str] | None:
        """Return version and cipher that a client gets; None: there is no agreement."""
        ended = subprocess.run(
            [
                *("openssl", "s_client", "-connect", registry.address),
                *("-servername", "localhost", *options),
            ],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        found = _AGREED.search(ended.stdout)
        if found is None or found[2] == "(NONE)":
            return None
        return found[1], found[2]

    def ciphers(self, registry: Registry) -> set[str]:
        """Return the cipher suites of TLS 1.2 that are offered, of all there are."""
        known = run(
            *("openssl", "ciphers", "-tls1_2", "-s"),
            "ALL:COMPLEMENTOFALL:!PSK:!SRP:@SECLEVEL=0",
        )
        offered = set()
        for name in known.strip().split(":"):
            if self.agreed(registry, "-tls1_2", "-cipher", f"{name}:@SECLEVEL=0"):
                offered.add(name)
        return offered

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3 are spoken, older versions are not."""
        registry = self.over_tls()
        old = ("-cipher", "ALL:@SECLEVEL=0")
        self.assertIsNone(self.agreed(registry, "-tls1", *old))
        self.assertIsNone(self.agreed(registry, "-tls1_1", *old))
        for option, version in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            found = self.agreed(registry, option)
            self.assertEqual(version, found and found[0])

    def test_minimum(self) -> None:
        """With ``minimumtls: tls1.3`` nothing older is spoken."""
        registry = self.over_tls(minimumtls="tls1.3")
        self.assertIsNone(self.agreed(registry, "-tls1_2"))
        self.assertIsNotNone(self.agreed(registry, "-tls1_3"))

    def test_default_ciphers(self) -> None:
        """Of all that openssl knows, only ciphers with forward secrecy and AEAD."""
        for kind, name in (("ec", "ECDSA"), ("rsa", "RSA")):
            self.assertEqual(
                {
                    f"ECDHE-{name}-AES128-GCM-SHA256",
                    f"ECDHE-{name}-AES256-GCM-SHA384",
                    f"ECDHE-{name}-CHACHA20-POLY1305",
                },
                self.ciphers(self.over_tls(kind)),
            )

    def test_own_ciphers(self) -> None:
        """A list of cipher suites is what is offered, in its order."""
        names = [
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "TLS_RSA_WITH_AES_256_CBC_SHA",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_AES_256_GCM_SHA384",
        ]
        registry = self.over_tls("rsa", ciphersuites=names)
        ours = [_OPENSSL_NAMES[name] for name in names[:3]]
        self.assertEqual(set(ours), self.ciphers(registry))
        theirs = ":".join([*reversed(ours), "@SECLEVEL=0"])
        found = self.agreed(registry, "-tls1_2", "-cipher", theirs)
        self.assertEqual(ours[0], found and found[1])
        for suite, offered in (
            ("TLS_AES_256_GCM_SHA384", True),
            ("TLS_AES_128_GCM_SHA256", False),
        ):
            found = self.agreed(registry, "-tls1_3", "-ciphersuites", suite)
            self.assertEqual(offered, found is not None)

    def test_protocol(self) -> None:
        """HTTP/1.1 is agreed on, also with a client that would rather have HTTP/2."""
        registry = self.over_tls()
        printed = run(
            *("openssl", "s_client", "-connect", registry.address),
            *("-alpn", "h2,http/1.1"),
        )
        self.assertIn("ALPN protocol: http/1.1", printed)
        version = ("--http2", "--write-out", "%{http_version}/%{http_code}")
        self.assertEqual("1.1/200", self.curl(registry, *version))

    def test_renegotiation(self) -> None:
        """A client that wants to begin again in TLS 1.2 is not heard."""
        registry = self.over_tls()
        ended = subprocess.run(
            ["openssl", "s_client", "-connect", registry.address, "-tls1_2"],
            check=False,
            input="R\n",
            capture_output=True,
            text=True,
            timeout=30,
        )
        self.assertIn("RENEGOTIATING", ended.stdout + ended.stderr)
        self.assertIn("no renegotiation", ended.stdout + ended.stderr)
        self.assertIn("Compression: NONE", ended.stdout)

    def test_plain(self) -> None:
        """Plain HTTP gets an answer that says what to do."""
        registry = self.over_tls()
        printed = run("curl", "-sS", "-i", f"http://{registry.address}/v2/")
        self.assertIn("400 Bad Request", printed)
        self.assertIn("this port speaks TLS: use https://", printed)


class ClientCertificateTests(TLSCase):
    """Certificates of clients."""

    def asking(self, mode: str) -> Registry:
        """Start a registry that asks clients for certificates."""
        return self.over_tls(clientcas=[self.ca], clientauth=mode)

    def shown(self, issued: Issued) -> Sequence[str]:
        """Return curl's options for showing a certificate."""
        certificate, key = issued.write(self.where, "client")
        return ("--cert", certificate, "--key", key)

    def test_modes(self) -> None:
        """Each mode lets in whom it should."""
        good = self.authority.issue("alice", is_client=True)
        strange = Authority().issue("alice", is_client=True)
        for mode, expected in (
            ("request-client-cert", ("200", "200", "200")),
            ("require-any-client-cert", ("000", "200", "200")),
            ("verify-client-cert-if-given", ("200", "000", "200")),
            ("require-and-verify-client-cert", ("000", "000", "200")),
        ):
            registry = self.asking(mode)
            statuses = [self.curl(registry)]
            for issued in (strange, good):
                statuses.append(self.curl(registry, *self.shown(issued)))
            self.assertEqual(expected, tuple(statuses), mode)

    def test_default(self) -> None:
        """Without ``clientauth`` a good certificate is required; the log says so."""
        registry = self.over_tls(clientcas=[self.ca])
        self.assertEqual("000", self.curl(registry))
        # Under TLS 1.3 the client knows it as soon as the registry does.
        wait_until(lambda: "did not return a certificate" in registry.log())
        good = self.authority.issue("alice", is_client=True)
        self.assertEqual("200", self.curl(registry, *self.shown(good)))


class PageTests(TLSCase):
    """docs/tls.md."""

    def test_own_authority(self) -> None:
        """The page's lines make an authority, and what registry and client need."""
        [lines] = re.findall(
            r"^```sh\n(openssl.*?)^```", _PAGE.read_text(), re.M | re.S
        )
        run("sh", "-e", "-c", lines, cwd=self.where)
        self.ca = str(self.where / "ca.crt")
        certificate, key = self.where / "registry.crt", self.where / "registry.key"
        tls = {"certificate": str(certificate), "key": str(key), "clientcas": [self.ca]}
        registry = ClosedRegistry(self.folder(), http={"tls": tls})
        self.server(registry).start()
        self.assertEqual("000", self.curl(registry))
        shown = (
            *("--cert", self.where / "client.cert"),
            *("--key", self.where / "client.key"),
        )
        self.assertEqual("200", self.curl(registry, *shown))


class PushTests(TLSCase):
    """Images over TLS."""

    def test_skopeo(self) -> None:
        """Skopeo pushes and pulls; with another authority it does neither."""
        need("skopeo")
        registry, skopeo = self.over_tls(), Skopeo(self.folder())
        target = f"docker://localhost:{registry.port}/some/name:1"
        image = make_image(random_layers())
        layout = write_layout(self.folder(), image)
        trust = ("--dest-tls-verify=true", f"--dest-cert-dir={self.trust()}")
        skopeo.copy(layout, target, *trust)
        trust = ("--src-tls-verify=true", f"--src-cert-dir={self.trust()}")
        skopeo.copy(target, f"oci:{self.folder()}:1", *trust)
        with connected(registry.port, tls=unverified()) as wire:
            self.assertEqual(image.digest, wire.digest_of("some/name", "1"))
        self.authority = Authority()
        trust = ("--dest-tls-verify=true", f"--dest-cert-dir={self.trust()}")
        error = self.assertRaises(CommandFailed, skopeo.copy, layout, target, *trust)
        self.assertIn("unknown authority", error.output)

    def trust(self) -> Path:
        """Write a folder with the authority's certificate."""
        folder = self.folder()
        self.authority.write(folder)
        return folder

    def test_docker(self) -> None:
        """A Docker engine that has the authority in certs.d pushes and pulls."""
        registry = self.over_tls(host=f"[{UNTRUSTED_LOOPBACK}]")
        folder = self.folder()
        place = folder / "certs.d" / f"localhost:{registry.port}"
        place.mkdir(parents=True)
        self.authority.write(place)
        docker = self.server(Docker(self.folder(), folder)).ready()
        image = f"localhost:{registry.port}/some/name"
        docker.import_image(image, {"noise": os.urandom(5 * MIB)})
        image_id = docker.id_of(image)
        pushed = docker.push(image)
        docker.run("rmi", "--force", image_id)
        self.assertEqual((pushed, image_id), (docker.pull(image), docker.id_of(image)))


class EndTests(TLSCase):
    """Bodies that are large, slow, or not wanted."""

    def serving(self, size: int, **http: Any) -> tuple[Registry, bytes, bytes]:
        """Start a registry with a blob; return it, a request for the blob, the blob."""
        certificate, key = self.authority.issue().write(self.where)
        tls = {"certificate": certificate, "key": key}
        registry = self.registry(None, "txregistry", {"tls": tls, **http})
        content = os.urandom(size)
        digest = digest_of(content)
        with connected(registry.port, tls=unverified()) as wire:
            wire.push_blob("app", digest, content)
        head = f"GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: a\r\n\r\n"
        return registry, head.encode(), content

    def download(self, registry: Registry, request: bytes) -> ssl.SSLSocket:
        """Send a request on a connection with little room for the answer."""
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(30)
        plain.connect(("127.0.0.1", registry.port))
        client = unverified().wrap_socket(plain)
        self.addCleanup(client.close)
        client.sendall(request)
        return client

    def test_refused_upload(self) -> None:
        """A client whose large body is refused reads why, and is not cut off."""
        registry = self.over_tls()
        large = self.where / "large"
        large.write_bytes(os.urandom(32 * MIB))
        url = f"https://localhost:{registry.port}/v2/app/blobs/uploads/none"
        for _ in range(3):
            printed = run(
                *("curl", "-sS", "--cacert", self.ca, "-T", large),
                *("-H", "Expect:", "--write-out", "%{http_code}", url),
            )
            self.assertIn("BLOB_UPLOAD_INVALID", printed)
            self.assertTrue(printed.endswith("404"), printed)

    def test_slow_reader(self) -> None:
        """A client that reads slowly gets all; one that does not read is cut off."""
        registry, request, content = self.serving(
            12 * MIB, limits={"idletimeout": "1s"}
        )
        stalled = self.download(registry, request)
        slow = self.download(registry, request)
        received = bytearray()
        while len(received) < len(content):
            received += slow.recv(256 * 1024)
            time.sleep(0.003)
        self.assertTrue(received.endswith(content[-MIB:]))
        time.sleep(1)
        with self.assertRaises(OSError):
            while stalled.recv(MIB):
                pass
            raise ConnectionResetError  # cut between two records

    def test_shutdown(self) -> None:
        """A download that runs at SIGTERM comes whole; idle clients hold up nothing."""
        registry, request, content = self.serving(12 * MIB, draintimeout="30s")
        self.download(registry, b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n").recv(4096)
        running = self.download(registry, request)
        received = bytearray(running.recv(4096))
        registry.daemon.signal(signal.SIGTERM)
        while len(received) < len(content):
            piece = running.recv(MIB)
            self.assertTrue(piece, "the end came too early")
            received += piece
        self.assertTrue(received.endswith(content[-MIB:]))
        self.assertEqual(0, registry.daemon.wait(10))


class TransferTests(TLSCase):
    """Large blobs and many requests, in the ways that clients send them."""

    def test_large(self) -> None:
        """Curl pushes a large blob and pulls it, several at once: the same bytes."""
        registry = self.over_tls()
        content = os.urandom(48 * MIB + 17)
        digest = digest_of(content)
        large = self.where / "large"
        large.write_bytes(content)
        base = f"https://localhost:{registry.port}"
        with connected(registry.port, tls=unverified()) as wire:
            location = wire.ask("POST", "/v2/app/blobs/uploads/").headers["location"]
        words = ("curl", "-sS", "--fail", "--cacert", self.ca)
        joint = "&" if "?" in location else "?"
        target = location if "://" in location else f"{base}{location}"
        run(*words, "-T", large, f"{target}{joint}digest={digest}")
        url = f"{base}/v2/app/blobs/{digest}"
        outputs = [self.where / f"copy{index}" for index in range(3)]
        many = [each for output in outputs for each in ("-o", output, url)]
        run(*words, "--parallel", *many)
        for output in outputs:
            self.assertEqual(digest, digest_of(output.read_bytes()))

    def test_pipelined(self) -> None:
        """Requests that come all at once are all answered, in order."""
        registry = self.over_tls()
        request = b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n"
        last = b"GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        plain = socket.create_connection(("127.0.0.1", registry.port), 30)
        with unverified().wrap_socket(plain) as client:
            client.sendall(request * 200 + last)
            received = bytearray()
            while piece := client.recv(MIB):
                received += piece
        self.assertEqual(201, received.count(b"HTTP/1.1 200 OK"))

    def test_key_update(self) -> None:
        """A client of TLS 1.3 may change its keys, and ask for new ones of ours."""
        registry = self.over_tls()
        with subprocess.Popen(
            ["openssl", "s_client", "-connect", registry.address, "-tls1_3"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            shown = self.read_until(client.stdout, b"", b"Verify return code")
            client.stdin.write(b"K\n")  # new keys for both, if it is read alone
            client.stdin.flush()
            shown = self.read_until(client.stdout, shown, b"KEYUPDATE")
            client.stdin.write(
                b"GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            )
            client.stdin.flush()
            shown += client.stdout.read()
        self.assertIn(b"HTTP/1.1 200 OK", shown)

    def read_until(self, stream: IO[bytes], shown: bytes, mark: bytes) -> bytes:
        """Return what was shown and what comes, up to a mark at the least."""
        while mark not in shown:
            piece = os.read(stream.fileno(), 65536)
            self.assertTrue(piece, shown)
            shown += piece
        return shown

    def test_vanishing(self) -> None:
        """Clients that go in mid-handshake, -request and -answer leave nothing open."""
        registry = self.over_tls()
        content = os.urandom(4 * MIB)
        digest = digest_of(content)
        with connected(registry.port, tls=unverified()) as wire:
            wire.push_blob("app", digest, content)
        folder = Path(f"/proc/{registry.daemon.pid}/fd")
        before = len(list(folder.iterdir()))
        target = f"GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", registry.port), 30) as plain:
                plain.sendall(b"\x16\x03\x01\x02")
            for sent in (target[:20], target):
                plain = socket.create_connection(("127.0.0.1", registry.port), 30)
                with unverified().wrap_socket(plain) as client:
                    client.sendall(sent)
        for _ in range(300):
            if len(list(folder.iterdir())) <= before:
                break
            time.sleep(0.1)
        self.assertLessEqual(len(list(folder.iterdir())), before)
