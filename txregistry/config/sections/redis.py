"""``redis``: the server that caches are kept in."""

from __future__ import annotations

from attrs import field, frozen

from txregistry.config.fields import Ignored, Section
from txregistry.config.types import Seconds, Secret


@frozen
class RedisTLS(Section):
    """``redis.tls``."""

    certificate: Ignored[str] = ""
    key: Ignored[str] = ""
    rootcas: Ignored[tuple[str, ...]] = ()
    clientcas: Ignored[tuple[str, ...]] = ()


@frozen
class Pool(Section):
    """``redis.pool``, of the Go registry's second line."""

    maxidle: Ignored[int] = 0
    maxactive: Ignored[int] = 0
    idletimeout: Ignored[Seconds] = 0.0


@frozen
class Redis(Section):
    """``redis``."""

    addr: Ignored[str] = ""
    addrs: Ignored[tuple[str, ...]] = ()
    clientname: Ignored[str] = ""
    db: Ignored[int] = 0
    protocol: Ignored[int] = 0
    username: Ignored[str] = ""
    password: Ignored[Secret] = field(factory=Secret)
    sentinelusername: Ignored[str] = ""
    sentinelpassword: Ignored[Secret] = field(factory=Secret)
    maxretries: Ignored[int] = 0
    minretrybackoff: Ignored[Seconds] = 0.0
    maxretrybackoff: Ignored[Seconds] = 0.0
    dialtimeout: Ignored[Seconds] = 0.0
    readtimeout: Ignored[Seconds] = 0.0
    writetimeout: Ignored[Seconds] = 0.0
    contexttimeoutenabled: Ignored[bool] = False
    poolfifo: Ignored[bool] = False
    poolsize: Ignored[int] = 0
    pooltimeout: Ignored[Seconds] = 0.0
    minidleconns: Ignored[int] = 0
    maxidleconns: Ignored[int] = 0
    maxactiveconns: Ignored[int] = 0
    connmaxidletime: Ignored[Seconds] = 0.0
    connmaxlifetime: Ignored[Seconds] = 0.0
    maxredirects: Ignored[int] = 0
    readonly: Ignored[bool] = False
    routebylatency: Ignored[bool] = False
    routerandomly: Ignored[bool] = False
    mastername: Ignored[str] = ""
    disableidentity: Ignored[bool] = False
    identitysuffix: Ignored[str] = ""
    unstableresp3: Ignored[bool] = False
    pool: Ignored[Pool] = field(factory=Pool)
    tls: Ignored[RedisTLS] = field(factory=RedisTLS)
