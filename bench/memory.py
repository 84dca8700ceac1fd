"""How much memory a registry takes under many uploads and many slow downloads.

Run as ``python -m bench.memory [--kind txregistry|go] …`` in the project's environment.
Prints the peak of the server's resident memory (VmHWM) after each load.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

from tests.real.registries import Registry

MIB: Final = 1024 * 1024
_PIECE: Final = 64 * 1024


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    with TemporaryDirectory(prefix="bench-") as folder:
        registry = Registry(Path(folder), kind=arguments.kind).start()
        try:
            _measure(registry, arguments)
        finally:
            registry.stop()


def _measure(registry: Registry, arguments: argparse.Namespace) -> None:
    pid = registry.daemon.pid
    print(f"{arguments.kind}: fresh: {_peak(pid):.0f} MiB")
    begin = time.monotonic()
    with ThreadPoolExecutor(arguments.uploads) as pool:
        size = arguments.upload_mib
        jobs = [
            pool.submit(_upload, registry.port, f"u{n}", n, size)
            for n in range(arguments.uploads)
        ]
        for job in jobs:
            job.result()
    seconds = time.monotonic() - begin
    print(
        f"{arguments.kind}: peak after {arguments.uploads} uploads of {size} MiB at "
        f"once ({seconds:.0f} s): {_peak(pid):.0f} MiB"
    )
    digest = _upload(registry.port, "big", 1, arguments.download_mib)
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # VmHWM anew
    _download_slowly(registry.port, digest, arguments.downloads, arguments.seconds)
    print(
        f"{arguments.kind}: peak in {arguments.seconds} s of {arguments.downloads} "
        f"slow downloads of {arguments.download_mib} MiB: {_peak(pid):.0f} MiB"
    )


def _upload(port: int, name: str, seed: int, mib: int) -> str:
    """Push a blob as docker does, chunked; return its digest."""
    piece = seed.to_bytes(8, "big") * (_PIECE // 8)
    whole = hashlib.sha256()
    for _ in range(mib * MIB // _PIECE):
        whole.update(piece)
    digest = f"sha256:{whole.hexdigest()}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", f"/v2/{name}/blobs/uploads/")
    location = _location(connection, 202)
    pieces = (piece for _ in range(mib * MIB // _PIECE))
    connection.request("PATCH", location, pieces, encode_chunked=True)
    location = _location(connection, 202)
    connection.request("PUT", f"{location}&digest={digest}")
    _location(connection, 201)
    connection.close()
    return digest


def _location(connection: http.client.HTTPConnection, expected: int) -> str:
    response = connection.getresponse()
    body = response.read()
    if response.status != expected:
        raise SystemExit(f"{response.status} in place of {expected}: {body[:500]!r}")
    parts = urlsplit(response.headers["Location"])
    return f"{parts.path}?{parts.query}"


def _download_slowly(port: int, digest: str, count: int, seconds: float) -> None:
    request = f"GET /v2/big/blobs/{digest} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(request)
        clients.append(client)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for client in clients:
            if not client.recv(_PIECE):
                raise SystemExit("the registry closed a download")
        time.sleep(0.2)
    for client in clients:
        client.close()


def _peak(pid: int) -> float:
    """Return the process's peak resident memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no VmHWM")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=["txregistry", "go"], default="txregistry")
    parser.add_argument("--uploads", type=int, default=50)
    parser.add_argument("--upload-mib", type=int, default=200)
    parser.add_argument("--downloads", type=int, default=200)
    parser.add_argument("--download-mib", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=20.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
