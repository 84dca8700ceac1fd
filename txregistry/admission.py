"""Admission: the gate and the token service, joined as the settings say.

``auth`` names how clients say who they are; ``access`` gives rules for what they may
do. With rules there is a token service of our own: docker asks once whether it must log
in, so only with tokens can it pull as nobody and push as somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import define
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred, succeed

from txregistry.auth.basic import BasicAuthenticator
from txregistry.auth.certificate_users import CertificateAuthenticator
from txregistry.auth.credentials import BearerToken, ClientCertificate
from txregistry.auth.issuing import TokenIssuer
from txregistry.auth.keyfile import key_in_file
from txregistry.auth.keys import TrustedKeys, load_trusted_keys
from txregistry.auth.loading import make_checker
from txregistry.auth.options import Options
from txregistry.auth.policy import AllOf, EverybodyPolicy, GrantsPolicy, UsersPolicy
from txregistry.auth.refreshing import RefreshTokens
from txregistry.auth.rulefile import open_rule_file, parse_rule_file
from txregistry.auth.rules import Rules, RulesPolicy, parse_rules
from txregistry.auth.silly import SillyAuthenticator
from txregistry.auth.throttle import ThrottledAuthenticator
from txregistry.auth.token_service import TokenService
from txregistry.auth.tokenkey import TokenKey
from txregistry.auth.tokens import TokenAuthenticator, TokenVerifier
from txregistry.auth.watched import BrokenFile
from txregistry.config import Settings, TrustedProxies
from txregistry.interfaces import IAccessPolicy, IAuthenticator, InvalidOption
from txregistry.lookups import Lookups
from txregistry.oci.forwarded import client
from txregistry.plugins import BrokenPlugin, UnknownPlugin
from txregistry.threads import in_threads_of
from txregistry.web.gate import Admitted, Gate, OpenGate
from txregistry.web.routes.token import TokenRoutes
from txregistry.web.urls import Urls

TOKEN_PATH: Final = "/auth/token"
_NAME: Final = "txregistry"
_REALM: Final = "txregistry"


def make_admission(
    settings: Settings, reactor: Any, urls: Urls, makes_files: bool = True
) -> Admitted:
    """Join the gate.

    Args:
        settings: The configuration.
        reactor: Gives time, threads and connections.
        urls: Knows what clients call the registry.
        makes_files: Whether a file with users, or with a key, is made if it is missing;
            if not, what would be made is left out.

    Raises:
        ConfigError: A part of ``auth`` or ``access`` cannot be used.
    """
    rules = _rules(settings, reactor)
    controller = settings.auth.controller
    if controller is None and rules is None:
        return Admitted(OpenGate())
    prefix = settings.http.prefix
    address = _client_address(settings.http.trustforwarded)
    joining = _Joining(reactor, urls, address, prefix, rules, makes_files)
    key = "auth" if controller is None else f"auth.{controller}"
    try:
        return joining.join(controller, settings.auth.parameters)
    except InvalidOption as error:
        raise settings.error(f"{key}.{error.key}", error.problem) from None
    except (UnknownPlugin, BrokenPlugin) as error:
        raise settings.error(key, str(error)) from None


def find_rules(settings: Settings) -> Rules | None:
    """Return the access rules as they are now; None: there are none.

    Raises:
        ConfigError: They cannot be read.
    """
    if settings.access.file:
        try:
            content = Path(settings.access.file).read_bytes()
            return parse_rule_file(settings.access.file, content)
        except OSError as error:
            raise settings.error("access.file", str(error.strerror)) from None
        except BrokenFile as error:
            raise settings.error("access.file", str(error)) from None
    if settings.access.rules is None:
        return None
    try:
        return parse_rules(list(settings.access.rules))
    except InvalidOption as error:
        raise settings.error(f"access.{error.key}", error.problem) from None


def _rules(settings: Settings, reactor: Any) -> IAccessPolicy | None:
    access = settings.access
    if access.file:
        if access.rules is not None:
            raise settings.error("access", "has both rules and a file with rules")
        try:
            file = open_rule_file(access.file, in_threads_of(reactor), reactor)
        except BrokenFile as error:
            raise settings.error("access.file", str(error)) from None
        return RulesPolicy(file.current)
    rules = find_rules(settings)
    return None if rules is None else RulesPolicy(lambda: rules)


@define
class _Joining:
    """Joins authenticators, policy and token service.

    Attributes:
        reactor: Gives time, threads and connections.
        urls: Knows what clients call the registry.
        address: Returns the IP address of a request's client.
        prefix: What stands before ``v2/`` in paths.
        rules: The access rules; None: there are none.
        makes_files: Whether files that are missing are made.
    """

    reactor: Any
    urls: Urls
    address: Callable[[Any], str]
    prefix: str
    rules: IAccessPolicy | None
    makes_files: bool

    def join(self, controller: str | None, options: Mapping[str, Any]) -> Admitted:
        """Join all for one kind of access control; see ``make_admission``."""
        if controller is None:
            return Admitted(self._gate([CertificateAuthenticator()]))
        if controller == "silly":
            given = Options(options)
            silly = SillyAuthenticator(given.text("realm"), given.text("service"))
            given.refuse_others()
            return Admitted(self._gate([silly]))
        if controller == "token":
            return self._join_tokens(options)
        return self._join_users(controller, options)

    def _join_users(self, checker: str, options: Mapping[str, Any]) -> Admitted:
        path = options.get("path")
        if not self.makes_files and isinstance(path, str) and not Path(path).exists():
            return Admitted(OpenGate())
        realm = Options(options).text("realm", _REALM)
        others = {key: value for key, value in options.items() if key != "realm"}
        made = make_checker(checker, self.reactor, others)
        users = self._users(realm, made)
        if self.rules is None or "path" not in options:
            return Admitted(self._gate([users]), logins=_lookups(made))
        # Docker asks once whether it has to log in, and by which scheme.
        key = self._key(f"{options['path']}.token-key.pem")
        return self._join_own(users, made, key, _NAME, _NAME, Options({}))

    def _join_tokens(self, options: Mapping[str, Any]) -> Admitted:
        given = Options(options)
        server = given.table("server")
        if server is not None:
            return self._join_server(given, server)
        service = given.text("service")
        keys = load_trusted_keys(
            given.text_or_none("rootcertbundle"), given.text_or_none("jwks")
        )
        algorithms = given.texts("signingalgorithms")
        verifier = TokenVerifier(
            keys, given.text("issuer"), service, self.reactor, algorithms
        )
        tokens = TokenAuthenticator(
            verifier,
            given.text("realm"),
            service,
            given.flag("autoredirect", False),
            given.text("autoredirectpath", TOKEN_PATH),
        )
        given.refuse_others()
        return Admitted(self._gate([tokens]))

    def _join_server(self, given: Options, server: Mapping[str, Any]) -> Admitted:
        """Join a token service of our own: ``auth.token.server``."""
        own = Options(server)
        service = given.text("service", _NAME)
        issuer = given.text("issuer", _NAME)
        given.refuse_others()
        checker = own.text("checker", "htpasswd")
        options = own.table(checker)
        if options is None:
            raise InvalidOption(f"server.{checker}", "is missing")
        made = make_checker(checker, self.reactor, options)
        key = self._key(own.text("key"))
        users = self._users(own.text("realm", _REALM), made)
        admitted = self._join_own(users, made, key, issuer, service, own)
        own.refuse_others()
        return admitted

    def _join_own(
        self,
        users: IAuthenticator,
        checker: ICredentialsChecker,
        key: TokenKey,
        issuer: str,
        service: str,
        options: Options,
    ) -> Admitted:
        clock = self.reactor
        lifetime = int(options.seconds("lifetime", 300))
        refresh_tokens = RefreshTokens(
            key.secret("refresh tokens"),
            issuer,
            service,
            clock,
            getattr(checker, "current_version", _no_version),
        )
        issuing = TokenIssuer(key, issuer, service, clock, lifetime)
        policy = self.rules or UsersPolicy()
        tokens = TokenService(service, [users], policy, issuing, refresh_tokens)
        keys = TrustedKeys().trusting_own(key.public, key.certificates)
        path = f"{self.prefix.rstrip('/')}{TOKEN_PATH}"
        bearer = TokenAuthenticator(
            TokenVerifier(keys, issuer, service, clock),
            path,
            service,
            autoredirect=True,
            autoredirectpath=path,
        )
        gate = self._gate([bearer, users])
        challenge = users.challenge((), "", None)
        routes = TokenRoutes(tokens, TOKEN_PATH, challenge, self.address)
        return Admitted(gate, [routes], _lookups(checker))

    def _users(self, realm: str, checker: ICredentialsChecker) -> IAuthenticator:
        basic = BasicAuthenticator(realm, checker)
        return ThrottledAuthenticator(basic, self.reactor)

    def _gate(self, authenticators: Sequence[IAuthenticator]) -> Gate:
        base = self.rules or UsersPolicy()
        return Gate(
            [*authenticators, CertificateAuthenticator()],
            AllOf(base, GrantsPolicy(EverybodyPolicy())),
            BearerToken,
            _certificate,
            self.urls.origin,
            self.address,
        )

    def _key(self, path: str) -> TokenKey:
        now = self.reactor.seconds()
        if not self.makes_files and not Path(path).exists():
            return TokenKey.make(_NAME, now)
        return key_in_file(path, _NAME, now)


def _client_address(proxies: TrustedProxies) -> Callable[[Any], str]:
    """Return what tells the IP address of a request's client.

    Where everybody is trusted, nobody is here: else each guess at a password could
    come from another address.
    """

    def trusts(peer: str) -> bool:
        return not proxies.everyone and peer in proxies

    def address(request: Any) -> str:
        peer = request.getClientAddress().host
        return client(request.headers("x-forwarded-for"), peer, trusts)

    return address


def _certificate(request: Any) -> ClientCertificate | None:
    certificate = request.client_certificate()
    return None if certificate is None else ClientCertificate.of(certificate)


def _lookups(checker: ICredentialsChecker) -> Lookups | None:
    """Return how often a checker remembered a login; None: it does not say."""
    found = getattr(checker, "lookups", None)
    return found if isinstance(found, Lookups) else None


def _no_version(name: str) -> Deferred[str | None]:
    """Say that an account has no version: it gets no refresh tokens."""
    return succeed(None)
