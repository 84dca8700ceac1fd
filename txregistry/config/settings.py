"""Settings: everything that a configuration says, whole and checked."""

from __future__ import annotations

from typing import Any, Final

from attrs import field, frozen

from txregistry.config.errors import ConfigError, ConfigWarning, Origin
from txregistry.config.fields import NO_KEY, Ignored, Section
from txregistry.config.nodes import ListNode, Node, TableNode
from txregistry.config.rendering import effective
from txregistry.config.sections.auth import Access, Auth
from txregistry.config.sections.catalog import Catalog, Tags
from txregistry.config.sections.compatibility import Compatibility
from txregistry.config.sections.health import Health
from txregistry.config.sections.http import HTTP
from txregistry.config.sections.log import Log
from txregistry.config.sections.middleware import Middleware
from txregistry.config.sections.notifications import Notifications
from txregistry.config.sections.policy import Policy
from txregistry.config.sections.proxy import Proxy
from txregistry.config.sections.redis import Redis
from txregistry.config.sections.reporting import Reporting
from txregistry.config.sections.storage import Storage
from txregistry.config.sections.validation import Validation
from txregistry.config.types import LogLevel

VERSION: Final = "0.1"


@frozen
class Document:
    """What was read, before the environment was asked.

    Attributes:
        name: The file's, as it was given.
        text: All of it.
    """

    name: str
    text: str = field(repr=False)


@frozen
class Settings(Section):
    """The settings, as ``load`` makes them.

    Attributes:
        version: The version of the configuration's form.
        log: What is logged.
        loglevel: The older key for ``log.level``; None once loaded.
        storage: Where content is kept.
        auth: How clients say who they are.
        access: Who may do what.
        http: How the registry listens and answers.
        catalog: The listing of repositories.
        tags: The listing of tags.
        validation: What a manifest must be like.
        policy: What may be kept.
        document: What they were read from.
        warnings: What has no effect, or not the one expected, in the order written.
    """

    version: str = VERSION
    log: Log = field(factory=Log)
    loglevel: LogLevel | None = None
    storage: Storage = field(factory=Storage)
    auth: Auth = field(factory=Auth)
    access: Access = field(factory=Access)
    middleware: Middleware = field(factory=Middleware)
    reporting: Reporting = field(factory=Reporting)
    http: HTTP = field(factory=HTTP)
    notifications: Notifications = field(factory=Notifications)
    redis: Ignored[Redis] = field(factory=Redis)
    health: Health = field(factory=Health)
    catalog: Catalog = field(factory=Catalog)
    tags: Tags = field(factory=Tags)
    proxy: Proxy = field(factory=Proxy)
    compatibility: Compatibility = field(factory=Compatibility)
    validation: Validation = field(factory=Validation)
    policy: Policy = field(factory=Policy)

    document: Document = field(
        default=Document("", ""), eq=False, repr=False, metadata={NO_KEY: True}
    )
    warnings: tuple[ConfigWarning, ...] = field(
        default=(), eq=False, metadata={NO_KEY: True}
    )
    _source: TableNode = field(
        default=TableNode({}, Origin()),
        eq=False,
        repr=False,
        metadata={NO_KEY: True},
    )

    def effective(self) -> dict[str, Any]:
        """Return the settings that count as JSON values by key, secrets masked."""
        return effective(self)

    def locate(self, key: str) -> Origin:
        """Return where a key was written.

        Args:
            key: The key's dotted path, such as ``storage.filesystem.rootdirectory``.

        Returns:
            Its place, or that of the nearest key above it that was written.
        """
        node: Node = self._source
        for part in key.split("."):
            below = _below(node, part)
            if below is None:
                break
            node = below
        return node.origin

    def error(self, key: str, problem: str) -> ConfigError:
        """Return an error about a key, for what only its user can check.

        Args:
            key: The key's dotted path.
            problem: What is wrong with it.
        """
        return ConfigError(key, problem, self.locate(key))


def _below(node: Node, part: str) -> Node | None:
    if isinstance(node, TableNode):
        return node.entries.get(part)
    if isinstance(node, ListNode) and part.isascii() and part.isdigit():
        return dict(enumerate(node.items)).get(int(part[:9]))
    return None
