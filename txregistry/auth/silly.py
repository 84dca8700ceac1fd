"""The silly way: everybody who says anything is let in. For development only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from twisted.cred.credentials import IAnonymous
from zope.interface import implementer

from txregistry.auth.challenges import parameter, require_printable
from txregistry.deferreds import deferred
from txregistry.interfaces import Identity, IQuickAuthenticator
from txregistry.oci.access import Access

_SOMEBODY: Final = Identity("silly", "user")


@implementer(IQuickAuthenticator)
class SillyAuthenticator:
    """Takes any credentials for those of a user named ``silly``."""

    def __init__(self, realm: str, service: str) -> None:
        """Take what the challenge says.

        Raises:
            InvalidOption: One of the texts has no place in a header.
        """
        self._parameters = [
            parameter("realm", require_printable("realm", realm)),
            parameter("service", require_printable("service", service)),
        ]

    @deferred
    async def authenticate(self, credentials: object, address: str) -> Identity | None:
        """See IAuthenticator."""
        return self.recall(credentials, address)

    def recall(self, credentials: object, address: str) -> Identity:
        """See IQuickAuthenticator: there is nothing to look up."""
        return Identity() if IAnonymous.providedBy(credentials) else _SOMEBODY

    def challenge(
        self, accesses: Sequence[Access], origin: str, problem: str | None
    ) -> str:
        """See IAuthenticator. The scope names each action apart."""
        scope = " ".join(f"{each.kind}:{each.name}:{each.action}" for each in accesses)
        parameters = list(self._parameters)
        if scope:
            parameters.append(parameter("scope", scope))
        return f"Bearer {','.join(parameters)}"
