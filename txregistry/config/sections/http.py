"""``http``: how the registry listens and answers."""

from __future__ import annotations

import re
from typing import Any, Final

from attrs import Attribute, field, frozen

from txregistry.config.addresses import Address, BaseURL, FileMode, TrustedProxies
from txregistry.config.counts import WorkerCount
from txregistry.config.fields import Ignored, Invalid, Section, must
from txregistry.config.sections.listeners import Net, Place, fits_net, fits_unix
from txregistry.config.sections.tls import TLS
from txregistry.config.types import Headers, ListenAddress, Seconds, Secret

_DEFAULT: Final = Address("127.0.0.1", 5000)
_DEBUG: Final = Address("127.0.0.1", 5001)

# Dots alone are not taken: clients make another path of them.
_PREFIX: Final = re.compile(r"/(?:(?!\.{1,2}/)[A-Za-z0-9._~-]+/)*")
_ORIGIN: Final = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^/?#\s@]+")
# Headers that say how one answer or connection goes (RFC 9110, 7.6.1), and so are ours.
_OURS: Final = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"),
        *("transfer-encoding", "content-length", "content-encoding", "content-range"),
        "date",
    }
)
_LONGER: Final = must(lambda length: length > 0, "must be longer than nothing")


def _leaves_ours(_instance: Any, attribute: Attribute[Any], headers: Headers) -> None:
    for name in headers:
        if name.lower() in _OURS:
            problem = f"must not have {name}, which each answer has as it needs it"
            raise Invalid(attribute.name, problem)


@frozen
class Prometheus(Section):
    """``http.debug.prometheus``.

    Attributes:
        enabled: Whether there are metrics.
        path: Where they are.
        repositories: How many repositories are told apart; 0: none.
    """

    enabled: bool = False
    path: str = field(
        default="/metrics",
        validator=must(
            re.compile(r"(/[A-Za-z0-9._~-]+)+").fullmatch,
            'must be a path such as "/metrics"',
        ),
    )
    repositories: int = field(
        default=0,
        validator=must(lambda n: 0 <= n <= 10000, "must be from 0 to 10000"),
    )


@frozen
class Debug(Section):
    """``http.debug``: a listener for those who run the registry.

    Attributes:
        addr: Where it listens; None: port 5001 of 127.0.0.1 if it is needed.
        prometheus: Metrics.
    """

    addr: Address | None = None
    prometheus: Prometheus = field(factory=Prometheus)

    @property
    def place(self) -> Address | None:
        """Where it listens; None: nowhere."""
        if self.addr is None and self.prometheus.enabled:
            return _DEBUG
        return self.addr


@frozen
class HTTP2(Section):
    """``http.http2``.

    Attributes:
        disabled: Whether HTTP/2 is off. It always is, so this has no effect.
    """

    disabled: bool = False


@frozen
class H2C(Section):
    """``http.h2c``."""

    enabled: Ignored[bool] = False


@frozen
class Limits(Section):
    """``http.limits``: what a client may take of us before it has shown anything.

    Attributes:
        headersize: The most bytes of a request's line and headers together.
        headercount: The most headers in a request.
        headertimeout: Seconds from a request's first byte to the end of its headers.
        idletimeout: Seconds without a byte moving, after which a connection is closed.
    """

    headersize: int = field(
        default=16384, validator=must(lambda n: n >= 512, "must be 512 or more")
    )
    headercount: int = field(
        default=100, validator=must(lambda n: n >= 8, "must be 8 or more")
    )
    headertimeout: Seconds = field(default=30.0, validator=_LONGER)
    idletimeout: Seconds = field(default=60.0, validator=_LONGER)


@frozen
class Cors(Section):
    """``http.cors``: which web pages may use the registry from a browser.

    Attributes:
        origins: Their origins; ``*`` among them: any. Empty: none.
        maxage: For how many seconds a browser may remember the answer; None: it is
            not told.
    """

    origins: tuple[str, ...] = field(
        default=(),
        validator=must(
            lambda origins: all(map(_ORIGIN.fullmatch, origins)),
            'must be origins such as "https://example.com", or "*"',
        ),
    )
    maxage: Seconds | None = field(
        default=None,
        validator=must(lambda t: t is None or t >= 0, "must not be negative"),
    )


@frozen
class HTTP(Section):
    """``http``.

    Attributes:
        addr: Where to listen; None: where ``listeners`` say or, if there are none, at
            port 5000 of 127.0.0.1.
        net: The kind of socket to listen on.
        socketmode: Who may connect to the Unix socket; None: its owner and group.
        listeners: Where else to listen.
        host: What clients call the registry; None: what each says it called.
        prefix: The path below which everything lies; begins and ends with a slash.
        secret: Signs the state of uploads; None: made once and kept in the store.
        relativeurls: Whether ``Location`` headers hold a path only.
        draintimeout: Seconds for requests to end in when the registry is stopped.
        workers: How many processes serve.
        workertimeout: Seconds after which one of them that hangs is replaced.
        headers: Headers for every answer.
        limits: Limits on clients.
        cors: Use from browsers.
        trustforwarded: Whose word on the original request is taken.
        tls: TLS.
        http2: HTTP/2 over TLS.
        h2c: HTTP/2 without TLS.
        debug: The debug listener.
    """

    addr: ListenAddress | None = field(default=None, validator=fits_net)
    net: Net = field(default="tcp")
    socketmode: FileMode | None = field(default=None, validator=fits_unix)
    listeners: tuple[Place, ...] = ()
    host: BaseURL | None = None
    prefix: str = field(
        default="/",
        validator=must(
            _PREFIX.fullmatch,
            'must be a path such as "/" or "/images/": a "/" at both ends, and between '
            'them letters, digits and ".", "_", "~", "-"',
        ),
    )
    secret: Secret | None = None
    relativeurls: bool = False
    draintimeout: Seconds = field(
        default=30.0, validator=must(lambda t: t >= 0, "must not be negative")
    )
    workers: WorkerCount = field(factory=WorkerCount)
    workertimeout: Seconds = field(default=30.0, validator=_LONGER)
    headers: Headers = field(factory=dict, repr=False, validator=_leaves_ours)
    limits: Limits = field(factory=Limits)
    cors: Cors = field(factory=Cors)
    trustforwarded: TrustedProxies = field(factory=TrustedProxies)
    tls: TLS = field(factory=TLS)
    debug: Debug = field(factory=Debug)
    http2: HTTP2 = field(factory=HTTP2)
    h2c: H2C = field(factory=H2C)

    @property
    def places(self) -> dict[str, Place]:
        """Everything to listen on, by the key that says it."""
        places = {}
        if self.addr is not None or not self.listeners:
            addr = _DEFAULT if self.addr is None else self.addr
            places["http"] = Place(self.net, addr, self.socketmode)
        for index, listener in enumerate(self.listeners):
            places[f"http.listeners.{index}"] = listener
        return places
