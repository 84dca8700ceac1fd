"""Small requests: manifests, their headers, blobs' headers, and ``/v2/``."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from attrs import frozen

from bench.client import Measured
from bench.results import Row, Sample
from bench.servers import PASSWORD, USER, Kind
from bench.trees import IMAGES, TAGS, Tree
from bench.workloads.base import Bench, Workload
from tests.real.wire import ACCEPT_ALL

CONNECTIONS: Final = (1, 16, 128, 1000)
_CROWD: Final = 1000
"""With so many connections, or more, the slowest are a row of their own."""
_GRACE: Final = 240.0
"""So many seconds there are for answers that are due in the end.

The Go registry takes one or two minutes for a crowd that shows passwords, which is done
once, and none of them is answered much before the others.
"""
_SECURE: Final = (16, 128)


@frozen
class _Request:
    """A request that is sent again and again.

    Attributes:
        key: Its short name.
        group: The group of its workloads.
        title: What it is.
        method: Its method.
        targets: Returns what is asked for in turn.
    """

    key: str
    group: str
    title: str
    method: str
    targets: Callable[[Tree], Sequence[str]]


def by_tag(tree: Tree) -> list[str]:
    """Return the targets of manifests, by tags."""
    tree.images()
    return [f"/v2/{IMAGES}/manifests/{tag}" for tag in TAGS]


def _digests(tree: Tree) -> list[str]:
    return [f"/v2/{IMAGES}/manifests/{digest}" for digest in tree.images()[0]]


def _blobs(tree: Tree) -> list[str]:
    return [f"/v2/{IMAGES}/blobs/{digest}" for digest in tree.images()[1]]


def _base(_: Tree) -> list[str]:
    return ["/v2/"]


_REQUESTS: Final = (
    _Request("manifest-tag", "manifests", "GET manifest by tag", "GET", by_tag),
    _Request("manifest-digest", "manifests", "GET manifest by digest", "GET", _digests),
    _Request("manifest-head", "manifests", "HEAD manifest by tag", "HEAD", by_tag),
    _Request("blob-head", "head", "HEAD blob", "HEAD", _blobs),
    _Request("base", "base", "GET /v2/", "GET", _base),
)


def workloads() -> Iterator[Workload]:
    """Return all of them."""
    for request in _REQUESTS:
        for connections in CONNECTIONS:
            yield _workload(request, connections, "plain")
    for connections in CONNECTIONS:
        yield _workload(_REQUESTS[0], connections, "auth")
    for request in _REQUESTS[1:]:
        yield _workload(request, 16, "auth")
    for connections in _SECURE:
        yield _workload(_REQUESTS[0], connections, "tls")


def headers(setting: str) -> list[str]:
    """Return the load client's options for the headers of each request."""
    found = [f"--header=Accept: {ACCEPT_ALL['Accept']}"]
    if setting == "auth":
        shown = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        found.append(f"--header=Authorization: Basic {shown}")
    return found


def _workload(request: _Request, connections: int, setting: str) -> Workload:
    plain = setting == "plain"
    how = {"plain": "", "auth": ", with a password", "tls": ", TLS"}[setting]
    many = "1 connection" if connections == 1 else f"{connections:,} connections"
    title = f"{request.title}{how}, {many}"
    rows = {"": Row(title, "/s", cpu="us")}
    crowd = connections >= _CROWD
    if crowd:
        rows["-p99"] = Row(f"{title}: 99 of 100 within", "ms", more=False)
    return Workload(
        f"{'' if plain else f'{setting}-'}{request.key}-{connections}",
        request.group if plain else setting,
        rows,
        partial(_run, request, connections, setting),
        once=crowd and setting == "auth",
    )


def _run(
    request: _Request, connections: int, setting: str, bench: Bench, kind: Kind
) -> list[Sample]:
    server = bench.fleet.server(kind, setting)
    measured = bench.measure(
        server,
        "requests",
        f"--method={request.method}",
        *(f"--target={target}" for target in request.targets(server.tree)),
        f"--connections={connections}",
        bench.for_seconds(),
        f"--grace={_GRACE}",
        *headers(setting),
    )
    samples = [rate_of(measured)]
    if connections >= _CROWD:
        samples.append(Sample(measured.load.p99))
    return samples


def rate_of(measured: Measured) -> Sample:
    """Return how many requests a second there were, and what goes with it."""
    load = measured.load
    extra = {"p50_ms": load.p50, "p99_ms": load.p99, "max_ms": load.slowest}
    return Sample(load.rate, measured.cpu_each, extra)
