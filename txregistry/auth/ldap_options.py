"""LDAP's options: from the configuration to a checker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from zope.interface import implementer

from txregistry.auth.directory import InvalidFilter, check_filter
from txregistry.auth.distinguished import DistinguishedName, NotDistinguished
from txregistry.auth.ldap import NAME, USER, Account, Groups, LdapChecker, Server, Users
from txregistry.auth.loading import ICheckerFactory
from txregistry.auth.options import Options
from txregistry.auth.remembering import LIFETIME, Remembered, RememberingChecker
from txregistry.auth.verifying import Verifying
from txregistry.interfaces import InvalidOption

_TIMEOUT: Final = 10.0  # seconds
_AT_ONCE: Final = 10
_PORTS: Final = {"ldap": 389, "ldaps": 636}
_EXAMPLE: Final = "x"
_NO_URL: Final = "has to be ldap://host:port or ldaps://host:port"


@implementer(ICheckerFactory)
class LdapFactory:
    """Makes checkers that ask an LDAP directory. See ICheckerFactory.

    Options:

    ``url``
        ``ldap://host:port`` or ``ldaps://host:port``.
    ``starttls``
        Whether to speak TLS on a connection that begins in clear; with ``ldap://`` it
        is true unless it is said to be false, and passwords go in clear.
    ``cacertificates``
        A file with the certificates to trust; if not given, the system's.
    ``userdn``
        The distinguished name of users' entries, with ``${user}`` in it. In its place:
    ``userbase``, ``userfilter``
        Below which entry to search for users, and for what, with ``${user}`` in it:
        ``(uid=${user})``.
    ``nameattribute``
        The attribute with the user's name: ``uid``.
    ``groupattribute``, ``groupbase``
        The attribute of users' entries that names their groups, ``memberOf``, and the
        entry below which groups count. The groups are known by the first values in
        their distinguished names.
    ``groupfilter``
        What to search for below ``groupbase``, with ``${dn}`` (of the user's entry) or
        ``${user}`` in it. ``groupattribute`` is the groups' name then: ``cn``.
    ``binddn``, ``bindpassword``
        The account to search with.
    ``timeout``
        How many seconds a login may take: 10.
    ``remember``
        For how many seconds a login is good without asking again: 60.
    """

    def make_checker(
        self, reactor: Any, options: Mapping[str, Any]
    ) -> ICredentialsChecker:
        """See ICheckerFactory."""
        given = Options(options)
        server = _server(given, reactor)
        users = _users(given)
        groups = _groups(given)
        account = _account(given)
        lifetime = given.seconds("remember", LIFETIME)
        given.refuse_others()
        return RememberingChecker(
            LdapChecker(server, users, groups, account, reactor),
            Remembered(reactor, lifetime),
            Verifying(_AT_ONCE),
        )


factory: Final = LdapFactory()


def _server(given: Options, reactor: Any) -> Server:
    scheme, host, port = _address(given.text("url"))
    starts_tls = given.flag("starttls", scheme == "ldap")
    trusted = given.text_or_none("cacertificates")
    timeout = given.seconds("timeout", _TIMEOUT)
    if timeout == 0:
        raise InvalidOption("timeout", "has to be more than 0 seconds")
    endpoint = HostnameEndpoint(reactor, host, port)
    if scheme == "ldaps":
        if starts_tls:
            raise InvalidOption("starttls", "ldaps:// begins with TLS already")
        return Server(wrapClientTLS(_tls(host, trusted), endpoint), None, timeout)
    if starts_tls:
        return Server(endpoint, _tls(host, trusted), timeout)
    if trusted is not None:
        raise InvalidOption("cacertificates", "is of no use without TLS")
    return Server(endpoint, None, timeout)


def _address(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidOption("url", _NO_URL) from None
    extra = parts.path.strip("/") or parts.query or parts.fragment or "@" in url
    if parts.scheme not in _PORTS or not host or port == 0 or extra:
        raise InvalidOption("url", _NO_URL)
    return parts.scheme, host, port or _PORTS[parts.scheme]


def _tls(host: str, trusted: str | None) -> IOpenSSLClientConnectionCreator:
    if trusted is None:
        return optionsForClientTLS(host)
    return optionsForClientTLS(host, trustRootFromCertificates(_certificates(trusted)))


def _certificates(path: str) -> list[Certificate]:
    try:
        found = load_pem_x509_certificates(Path(path).read_bytes())
    except OSError as error:
        raise InvalidOption("cacertificates", f"{path}: {error.strerror}") from error
    except ValueError:
        raise InvalidOption("cacertificates", f"{path}: no certificates") from None
    return [Certificate.loadPEM(each.public_bytes(Encoding.PEM)) for each in found]


def _users(given: Options) -> Users:
    attribute = given.text("nameattribute", "uid")
    template = given.text_or_none("userdn")
    base = given.text_or_none("userbase")
    wanted = given.text("userfilter", f"({attribute}={USER})")
    if (template is None) == (base is None):
        raise InvalidOption("userdn", "either this or userbase has to be given")
    if template is not None:
        _require_name("userdn", template)
        _require_place("userdn", template, USER)
        return Users(template, attribute=attribute)
    _require_name("userbase", base)
    _require_filter("userfilter", wanted)
    _require_place("userfilter", wanted, USER)
    return Users(None, base or "", wanted, attribute)


def _groups(given: Options) -> Groups:
    wanted = given.text_or_none("groupfilter")
    base = given.text_or_none("groupbase")
    if base is not None:
        _require_name("groupbase", base)
    if wanted is None:
        return Groups(None, base, given.text("groupattribute", "memberOf"))
    if base is None:
        raise InvalidOption("groupbase", "is missing, where groupfilter is given")
    _require_filter("groupfilter", wanted)
    _require_place("groupfilter", wanted, NAME, USER)
    return Groups(wanted, base, given.text("groupattribute", "cn"))


def _account(given: Options) -> Account | None:
    name = given.text_or_none("binddn")
    password = given.text_or_none("bindpassword")
    if name is None and password is None:
        return None
    if name is None:
        raise InvalidOption("binddn", "is missing, where bindpassword is given")
    if password is None:
        raise InvalidOption("bindpassword", "is missing, where binddn is given")
    return Account(name, password.encode())


def _require_name(key: str, text: str | None) -> None:
    try:
        DistinguishedName.parse((text or "").replace(USER, _EXAMPLE))
    except NotDistinguished:
        raise InvalidOption(key, "has to be a distinguished name") from None


def _require_filter(key: str, text: str) -> None:
    try:
        check_filter(text.replace(USER, _EXAMPLE).replace(NAME, _EXAMPLE))
    except InvalidFilter:
        raise InvalidOption(key, "has to be an LDAP filter, in parentheses") from None


def _require_place(key: str, text: str, *places: str) -> None:
    if not any(place in text for place in places):
        raise InvalidOption(key, f"has to have {' or '.join(places)} in it")
