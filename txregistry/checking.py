"""Checking: the checks of the registry's health, joined as the settings say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint

from txregistry import __version__
from txregistry.config import Settings
from txregistry.config.masking import masked_url
from txregistry.config.sections.health import (
    INTERVAL,
    STORAGE_TIMEOUT,
    TIMEOUT,
)
from txregistry.config.sections.health import (
    FileCheck as FileSettings,
)
from txregistry.config.sections.health import (
    HTTPCheck as HTTPSettings,
)
from txregistry.config.sections.health import (
    TCPCheck as TCPSettings,
)
from txregistry.config.sections.weburls import split_user
from txregistry.interfaces import IStorageDriver
from txregistry.observe.checks import (
    Check,
    FileCheck,
    HTTPCheck,
    StorageCheck,
    TCPCheck,
)
from txregistry.observe.health import Health, ScheduledCheck
from txregistry.observe.polling import Schedule
from txregistry.threads import in_threads_of


def make_health(settings: Settings, driver: IStorageDriver, reactor: Any) -> Health:
    """Join the checks.

    Args:
        settings: The configuration.
        driver: The store.
        reactor: Gives time, threads and connections.

    Returns:
        What the checks will have found; they are not started.

    Raises:
        ConfigError: A check does not say what it checks, or has another one's name.
    """
    names: set[str] = set()
    checks = []
    for key, scheduled in _checks(settings, driver, reactor):
        name = scheduled.check.name
        if name in names:
            raise settings.error(key, "is another check's, too")
        names.add(name)
        checks.append(scheduled)
    return Health(checks, reactor)


def _checks(
    settings: Settings, driver: IStorageDriver, reactor: Any
) -> Iterator[tuple[str, ScheduledCheck]]:
    """Make the checks, each with the key that names it."""
    health = settings.health
    if health.storagedriver.enabled:
        yield "health.storagedriver", _storage_check(settings, driver)
    for index, file in enumerate(health.file):
        key = _named(settings, f"health.file.{index}.file", file.file)
        yield key, _file_check(file, reactor)
    names = _url_names(http.uri for http in health.http)
    for index, http in enumerate(health.http):
        key = _named(settings, f"health.http.{index}.uri", http.uri)
        yield key, _http_check(names[http.uri], http, reactor)
    for index, tcp in enumerate(health.tcp):
        key = _named(settings, f"health.tcp.{index}.addr", tcp.addr)
        yield key, _tcp_check(tcp, reactor)


def _url_names(urls: Iterable[str]) -> dict[str, str]:
    """Return what URLs are called: they show no secrets, and yet differ."""
    names: dict[str, str] = {}
    for url in dict.fromkeys(urls):
        name = masked_url(url)
        alike = sum(other.split(" ")[0] == name for other in names.values())
        names[url] = f"{name} ({alike + 1})" if alike else name
    return names


def _named(settings: Settings, key: str, value: object) -> str:
    if not value:
        raise settings.error(key, "is missing")
    return key


def _storage_check(settings: Settings, driver: IStorageDriver) -> ScheduledCheck:
    given = settings.health.storagedriver
    check = StorageCheck(
        f"storagedriver_{settings.storage.driver}",
        driver,
        writes=given.write and not settings.storage.maintenance.readonly.enabled,
    )
    timeout = given.timeout or STORAGE_TIMEOUT
    return _scheduled(check, given.interval, given.threshold, timeout)


def _file_check(given: FileSettings, reactor: Any) -> ScheduledCheck:
    check = FileCheck(given.file, in_threads_of(reactor))
    return _scheduled(check, given.interval, given.threshold, TIMEOUT)


def _http_check(name: str, given: HTTPSettings, reactor: Any) -> ScheduledCheck:
    # Not before there is such a check: it takes memory.
    from twisted.web.client import Agent

    url, credentials = split_user(given.uri)
    timeout = given.timeout or TIMEOUT
    # A new connection each time: an old one would not show that nobody listens.
    agent = Agent(reactor, connectTimeout=timeout)
    headers = {
        "User-Agent": [f"txregistry/{__version__}"],
        **credentials,
        **given.headers,
    }
    check = HTTPCheck(name, agent, url, headers, given.statuscode or 200)
    return _scheduled(check, given.interval, given.threshold, timeout)


def _tcp_check(given: TCPSettings, reactor: Any) -> ScheduledCheck:
    assert given.addr is not None
    timeout = given.timeout or TIMEOUT
    host = given.addr.host or "localhost"
    endpoint = HostnameEndpoint(reactor, host, given.addr.port, timeout)
    check = TCPCheck(str(given.addr), endpoint)
    return _scheduled(check, given.interval, given.threshold, timeout)


def _scheduled(
    check: Check, interval: float, threshold: int, timeout: float
) -> ScheduledCheck:
    schedule = Schedule(interval or INTERVAL, timeout, max(threshold, 1))
    return ScheduledCheck(check, schedule)
