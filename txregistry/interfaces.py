"""Interfaces: what parts promise one another, and the errors they raise for it.

An interface stands here only where there are two providers. Methods return Deferreds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from attrs import define, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.web.iweb import IBodyProducer
from zope.interface import Attribute, Interface

from txregistry.oci.access import Access
from txregistry.oci.eventforms import AnyEvent
from txregistry.oci.events import Activity


@frozen
class FileStat:
    """What a driver knows about a path.

    Attributes:
        path: The path asked for.
        is_directory: Whether it has children instead of content.
        size: The content's length in bytes; 0 for a directory.
        modified: When the content was last written, in seconds since the epoch, UTC.
    """

    path: str
    is_directory: bool
    size: int
    modified: float


class StorageError(Exception):
    """A driver could not do what it was asked for."""


class PathError(StorageError):
    """A driver could not do something with one path.

    Attributes:
        path: The path.
        driver: The driver's name.
    """

    _problem = "cannot use"

    def __init__(self, path: str, driver: str) -> None:
        """Name the path and the driver."""
        super().__init__(f"{driver}: {self._problem}: {path}")
        self.path = path
        self.driver = driver


class PathNotFound(PathError):
    """Nothing is at the path."""

    _problem = "path not found"


class InvalidPath(PathError):
    """The path is none: not ``(/[A-Za-z0-9._-]+)+``, as IStorageDriver says."""

    _problem = "invalid path"


class PathBusy(PathError):
    """Another writer has the path open, here or in another process."""

    _problem = "another writer is at work on"


class InvalidOffset(PathError):
    """An offset lies outside the content.

    Attributes:
        offset: The offset asked for, in bytes.
    """

    _problem = "invalid offset in"

    def __init__(self, path: str, driver: str, offset: int) -> None:
        """Name the path, the driver and the offset."""
        super().__init__(path, driver)
        self.offset = offset


class StorageFull(StorageError):
    """There is no room for more (disk or quota)."""


class ContentShrank(StorageError):
    """The content ended before the length that was promised for it."""


class IStorageDriver(Interface):
    """A tree of files somewhere.

    A path is absolute: one or more segments of ASCII letters, digits, ``.``, ``_`` and
    ``-``, each after a ``/``, none of them ``.`` or ``..``. ``/`` alone is the root: it
    can be listed and asked for, never written. Every method fails with ``InvalidPath``
    for anything else, before it touches the store.

    A directory exists while something lies below it; drivers may keep empty ones.
    Readers never see half of a ``put_content`` or a ``commit``: they get the old
    content or the new one, whole. What a Deferred has confirmed is durable: it outlives
    a crash of the process and of the machine.

    Cancelling any Deferred returned here is safe at any time: the work is undone or
    completed, never left half visible, and nothing stays open.

    ``txregistry.testing.drivers.DriverContract`` is this text as tests.
    """

    name = Attribute("The driver's name, for logs and errors: ``filesystem`` (str).")

    def get_content(path: str) -> Deferred[bytes]:
        """Read a small file whole.

        Returns:
            Its content. Fails with ``PathNotFound`` (also for a directory).
        """

    def put_content(path: str, content: bytes) -> Deferred[None]:
        """Write a small file whole, over what was there; create directories as needed.

        Atomic and durable. Repeating is harmless.
        """

    def open_reader(
        path: str, offset: int = 0, length: int | None = None
    ) -> Deferred[IBodyProducer]:
        """Open a file for streaming.

        Args:
            path: The file.
            offset: The first byte wanted, from 0 to the size (the size itself: empty).
            length: How many bytes at the most; None: up to the end.

        Returns:
            A source whose ``length`` is exact. It holds a resource until it is
            produced to the end or ``stopProducing`` is called, also when it never
            started. After ``stopProducing`` its Deferred fails with
            ``CancelledError``; cancelling that Deferred stops it too.
            Fails with ``PathNotFound``, or ``InvalidOffset`` (negative, or beyond
            the size).
        """

    def open_writer(path: str, append: bool = False) -> Deferred[IFileWriter]:
        """Open a file for streaming into it.

        Args:
            path: The file.
            append: Go on behind what is there, written earlier by any process
                (``PathNotFound`` if nothing is). False: begin anew.

        Returns:
            The writer. Fails with ``PathBusy`` while another one is open for the path,
            where the driver can know that.
        """

    def stat(path: str) -> Deferred[FileStat]:
        """Ask about a path. Fails with ``PathNotFound``."""

    def list_children(
        path: str, after: str = "", limit: int | None = None
    ) -> Deferred[list[str]]:
        """List the names directly below a directory, sorted by bytes.

        Args:
            path: The directory; ``/`` for the root.
            after: Only names strictly behind this one, which need not exist.
            limit: How many at the most; None: all.

        Returns:
            Names (single segments, not paths). Files that the driver itself keeps
            (temporary ones) are not among them. Fails with ``PathNotFound``; the root
            of an empty store is an empty list, and a file is ``PathNotFound``.
        """

    def list_holders(
        path: str,
        held: str,
        after: str = "",
        limit: int | None = None,
        deep: bool = False,
    ) -> Deferred[list[str]]:
        """List the directories below one that hold something, sorted by bytes.

        ``txregistry.storage.searching.holders_by_asking`` does it by the methods above,
        for drivers that have no quicker way.

        Args:
            path: The directory; ``/`` for the root.
            held: What is to lie below them, as a path from there: ``current/link``; if
                ``deep``, a single name.
            after: Only those strictly behind this one, which need not exist.
            limit: How many at the most; None: all.
            deep: At all depths, but for what begins with ``_`` and all below that; else
                directly below the directory.

        Returns:
            Names; if ``deep``, paths from the directory on: ``a``, ``a/b``. Fails as
            ``list_children`` does. What has lost what it held, and is there still, may
            be listed for some minutes.
        """

    def move(source: str, destination: str) -> Deferred[None]:
        """Move a file to another path, over what is there. Atomic and durable.

        Fails with ``PathNotFound`` if there is no such file, and then nothing changed.
        """

    def delete(path: str) -> Deferred[None]:
        """Delete a file, or a directory and all below it. Durable.

        Fails with ``PathNotFound``, so repeating says that it is done already.
        """

    def redirect_url(path: str, method: str, lifetime: float) -> Deferred[str | None]:
        """Name a URL at which a client may get a file from the store itself.

        Args:
            path: The file; it need not exist.
            method: ``GET`` or ``HEAD``.
            lifetime: For how many seconds the URL is to be good.

        Returns:
            The URL; None: the driver has no such thing.
        """


class IQuickLook(Interface):
    """A driver, or what is around one, that can look at a file in microseconds.

    Optional. What is returned may be kept and called any number of times; it never
    fails: what it cannot find out, it denies.
    """

    def same(path: str, content: bytes) -> Callable[[], bool] | None:
        """Return what says whether a small file has a content.

        Args:
            path: The file.
            content: Its content, without white space around it.

        Returns:
            Says so; None: that would take longer.
        """

    def there(path: str, size: int) -> Callable[[], bool] | None:
        """Return what says whether there is a file of a size in bytes; see ``same``."""

    def still(paths: Sequence[str], holds: Callable[[], bool]) -> Callable[[], bool]:
        """Return what says the same as a look, and often faster.

        Args:
            paths: Files.
            holds: Looks at them, by what the other methods have returned. A driver
                that cannot know that nothing has happened to them returns it.
        """

    def absent(path: str) -> bool:
        """Say whether nothing is at a path now; what is not known is not absent."""


class IFileWriter(IConsumer):
    """A file being written. Exactly one of close, commit and cancel ends it.

    ``write`` may raise ``StorageError`` (``StorageFull`` among them); after that only
    ``close`` and ``cancel`` make sense. A writer pauses a registered producer when it
    holds more than it should.

    One that provides ``txregistry.streams.IThreadSink`` too gets the pieces of a long
    body from a thread; of what is here nothing is called while a thread writes.
    """

    size = Attribute("Bytes in the file so far, those before this session too (int).")

    def close() -> Deferred[None]:
        """Stop for now, keeping what was written for a later ``append``.

        The file is visible to ``stat`` at its size; it need not be durable.
        """

    def sync() -> Deferred[None]:
        """Make durable what was written so far, and go on."""

    def commit(destination: str | None = None) -> Deferred[None]:
        """Stop for good. The file has all its bytes, durably.

        Args:
            destination: Where it is to be then, over what is there, and no longer where
                it was written. In between nobody can open it for writing. None: where
                it was written.
        """

    def cancel() -> Deferred[None]:
        """Stop and delete the file. Harmless if it is gone."""


@frozen
class Put:
    """A small file is to be written whole, over what is there. Atomic and durable.

    Attributes:
        path: The file.
        content: What is to be in it.
    """

    path: str
    content: bytes


@frozen
class Note:
    """A small file is to be written that only helps: it may be lost, or torn.

    Attributes:
        path: The file, to which nobody writes meanwhile.
        content: What is to be in it.
    """

    path: str
    content: bytes


@frozen(eq=False)
class Publish:
    """A writer is to be ended by ``commit``.

    Attributes:
        writer: The writer, one of the same driver's.
        destination: Where its file is to be then.
    """

    writer: IFileWriter
    destination: str


@frozen
class Remove:
    """A file, or a directory and all below it, is to go, if it is there.

    A crash may bring it back: it is garbage.

    Attributes:
        path: The path.
    """

    path: str


@frozen
class Begin:
    """An empty file is to be there, unless there is a file already. It may be lost.

    Attributes:
        path: The file.
    """

    path: str


@frozen
class Vanish:
    """A directory is to go with all below it, durably; ``PathNotFound`` if it is away.

    It goes in one step, where there are directories that can: who keeps what a list of
    the directory above was sees that it went. Elsewhere the key goes first.

    Attributes:
        path: The directory.
        key: The file in it without which the rest is garbage, as a path from there.
    """

    path: str
    key: str


Change: TypeAlias = Put | Note | Publish | Remove | Begin | Vanish
"""Something to be done to a store."""


@frozen
class Together:
    """Changes of which a crash of the machine may leave any, and not the others.

    A process that dies leaves the first ones, as ever. Where a disk has to be waited
    for, this is done once for all of them.

    Attributes:
        changes: The changes.
    """

    changes: Sequence[Change]


def groups_of(changes: Sequence[Change | Together]) -> list[Sequence[Change]]:
    """Return which changes are made together, in the order in which that is done."""
    return [each.changes if isinstance(each, Together) else (each,) for each in changes]


class IBatchDriver(IStorageDriver):
    """A driver to which several changes at once are cheaper than one after another.

    To any other driver they are made one by one, see ``txregistry.registry.changes``.
    """

    def apply(changes: Sequence[Change | Together]) -> Deferred[None]:
        """Make changes as if one after another.

        A crash, of the machine too, leaves the first ones and none of the others, but
        for those that are ``Together``. If one fails, so does this, and none of those
        behind it is made: as the change alone would, so a ``Publish`` with
        ``PathNotFound`` if its file was removed.
        """


class IStartedDriver(IStorageDriver):
    """A driver that has something to do before it is used, and when it no longer is."""

    def start() -> Deferred[None]:
        """Get ready; nothing else has been called.

        Fails with ``StorageError`` if the store cannot be used.
        """

    def stop() -> Deferred[None]:
        """Leave the store as others may take it over; nothing runs any more."""


class IFileRange(Interface):
    """A source that is a range of an open file, so that ``sendfile`` can send it.

    A source that provides this provides ``IBodyProducer`` too. Whoever sends the range
    another way never calls ``startProducing``; it calls ``stopProducing`` when it is
    done with the descriptor, whatever came of it.
    """

    descriptor = Attribute("A file descriptor, open for reading until then (int).")
    offset = Attribute("The range's first byte, from the file's beginning (int).")
    length = Attribute("The range's length in bytes, exact (int).")


class IStorageDriverFactory(Interface):
    """Makes drivers of one kind; an entry point of ``txregistry.storage`` names it."""

    def make_driver(reactor: Any, options: Mapping[str, Any]) -> IStorageDriver:
        """Make a driver.

        Args:
            reactor: Gives time and threads.
            options: What stands under ``storage.<name>`` in the configuration: JSON
                values.

        Raises:
            InvalidOption: An option is missing, unknown or wrong.
        """


class InvalidOption(Exception):
    """An option in the configuration is not right.

    Attributes:
        key: The option's path below the section, dotted: ``rootdirectory``.
        problem: What is wrong with it, for the person who wrote it.
    """

    def __init__(self, key: str, problem: str) -> None:
        """Name the option and the problem."""
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


@frozen
class Identity:
    """Who a client is.

    Attributes:
        name: The user's name, the token's subject, or the certificate's common name;
            None: nobody has said who it is.
        kind: ``anonymous``, ``user``, ``token`` or ``certificate``.
        groups: The groups that it belongs to.
        grants: What its token lets it do; None: it has none, and rules alone decide.
    """

    name: str | None = None
    kind: str = "anonymous"
    groups: frozenset[str] = frozenset()
    grants: frozenset[Access] | None = None


class LoginFailed(Exception):
    """What a client showed to say who it is does not hold.

    Attributes:
        problem: What a Bearer challenge says of it, ``invalid_token``; None: nothing.
    """

    def __init__(self, problem: str | None = None) -> None:
        """Take what the challenge is to say."""
        super().__init__(problem or "login failed")
        self.problem = problem


class LoginDelayed(LoginFailed):
    """Too many logins from the address have failed; it is to come again later.

    Attributes:
        seconds: When.
    """

    def __init__(self, seconds: float) -> None:
        """Take the delay in seconds."""
        super().__init__()
        self.seconds = seconds


class IAuthenticator(Interface):
    """Finds out who a client is, by one scheme (Basic, Bearer …)."""

    def authenticate(credentials: object, address: str) -> Deferred[Identity | None]:
        """Find out who shows these credentials.

        Args:
            credentials: A provider of ``twisted.cred.credentials.ICredentials``
                interfaces: ``IUsernamePassword``, or one of ``txregistry.auth``'s.
            address: The client's IP address.

        Returns:
            Who it is; None: credentials of this kind are another authenticator's.
            Fails with ``LoginFailed``; an unknown user takes as long as a wrong
            password.
        """

    def challenge(accesses: Sequence[Access], origin: str, problem: str | None) -> str:
        """Return the ``WWW-Authenticate`` value that tells a client what to show.

        Args:
            accesses: What the request wanted to do.
            origin: Scheme and host as the client knows them, ``https://example.com``.
            problem: Why what it showed was not enough: ``invalid_token``,
                ``insufficient_scope``; None: it showed nothing.
        """


class NotRemembered(Exception):
    """Who somebody is cannot be said without waiting."""


class IQuickAuthenticator(IAuthenticator):
    """One that can say at once who a client is whom it has just seen. Optional."""

    def recall(credentials: object, address: str) -> Identity | None:
        """Do what ``authenticate`` does, in microseconds.

        Raises:
            NotRemembered: It would take longer.
            LoginFailed: See ``authenticate``.
        """


class IAccessPolicy(Interface):
    """Says what somebody may do."""

    def may(identity: Identity, access: Access) -> bool:
        """Say whether an identity may do something. Fast, and without I/O."""


class IEventSink(Interface):
    """Takes events."""

    def wants(activity: Activity) -> bool:
        """Say whether an event about this would go anywhere. Fast, and without I/O."""

    def deliver(events: Sequence[AnyEvent]) -> Deferred[None]:
        """Take events, in their order, behind those of earlier calls.

        Returns:
            A Deferred that fires when they cannot be lost any more. Fails with
            ``StorageError`` if that cannot be brought about. Cancelling it changes
            nothing: they are taken.
        """


Tell: TypeAlias = Callable[[Sequence[Activity]], Deferred[None]]
"""Takes what has been done, in its order, which counts from the call on.

The Deferred fires when those who are to hear of it will; it fails with StorageError.
"""


def tell_nobody(_activities: Sequence[Activity]) -> Deferred[None]:
    """Tell nobody; see Tell."""
    return succeed(None)


@define(kw_only=True)  # one for each request: a frozen one takes twice the time
class Exchange:
    """A request and what came of it, when that is known; nobody changes it.

    Texts of the client's are as it sent them, decoded as Latin-1, but for what would
    let a reader go on with somebody's upload, which is masked.

    Attributes:
        id: What the request is known by, here and in ``X-Request-Id``.
        began: When its header was complete, in seconds since the epoch.
        seconds: How long it took from then on.
        address: The IP address that it came from; ``unix`` for a Unix socket.
        user: Who sent it; None: nobody known.
        method: The HTTP method.
        uri: The request's target.
        protocol: Such as ``HTTP/1.1``.
        referer: The header of that name; None: there is none.
        agent: What the client calls itself; None: it does not say.
        route: The endpoint's name, the Go registry's where that has one; empty: none.
        repository: The repository's name in the path, as written; None: there is none.
        reference: The tag, digest or upload session in the path; None: there is none.
        status: The HTTP status; 499: the client did not wait for the answer's end.
        received: Bytes of the request's body that came.
        sent: Bytes of the answer's body that went out.
    """

    id: str
    began: float
    seconds: float
    address: str
    user: str | None
    method: str
    uri: str
    protocol: str
    referer: str | None
    agent: str | None
    route: str
    repository: str | None
    reference: str | None
    status: int
    received: int
    sent: int


class Hit(NamedTuple):
    """A request that differs from one like it in nothing but this.

    Attributes:
        id: See Exchange.
        began: See Exchange.
        seconds: See Exchange.
        address: See Exchange.
    """

    id: str
    began: float
    seconds: float
    address: str


class IRequestWatcher(Interface):
    """Sees all requests; must be quick, and not fail."""

    def began(route: str, method: str) -> None:
        """Note that an endpoint has got a request; ``ended`` follows with its route."""

    def ended(exchange: Exchange) -> None:
        """Note what came of a request. Those that reached no endpoint are here, too."""

    def ended_alike(exchange: Exchange, hits: Sequence[Hit]) -> None:
        """Note what came of requests that are alike, in the order they ended in.

        The same as ``began`` and ``ended`` for each, at a fraction of what that costs.
        That they had begun nobody was told.

        Args:
            exchange: What they have in common; what a hit says is not in it.
            hits: What they have not; may be empty.
        """

    def told() -> None:
        """Do what ``ended_alike`` has put off; called soon after it."""


class IRequestSpan(Interface):
    """A request, as a trace shows it."""

    trace_id = Attribute("Its trace's identifier: 32 hexadecimal digits (str).")

    def enter() -> None:
        """Let all that the running coroutine does from here on be a part of it."""

    def headers() -> Mapping[str, str]:
        """Return the headers by which others go on with the trace; they may be none."""

    def end(exchange: Exchange) -> None:
        """Note that the request has ended, and what came of it."""


class IPostSpan(Interface):
    """A message to a receiver of events, as a trace shows it."""

    def headers() -> Mapping[str, str]:
        """Return the headers by which the receiver goes on with the trace."""

    def end(status: int | None, problem: str) -> None:
        """Note what came of it.

        Args:
            status: The answer's HTTP status; None: there was no answer.
            problem: Why the events were not taken; empty: they were.
        """


class ITracer(Interface):
    """Makes spans, which together are traces (W3C Trace Context); must not fail."""

    def serve(
        method: str,
        route: str,
        scheme: str,
        began: float,
        headers: Callable[[str], Sequence[str]],
    ) -> IRequestSpan:
        """Return a span for a request.

        Args:
            method: The HTTP method.
            route: The endpoint's path with names for its parts,
                ``/v2/{name}/tags/list``; empty: there is none.
            scheme: ``http`` or ``https``.
            began: When its header was complete, in seconds since the epoch.
            headers: Returns all values of a header of the request's.
        """

    def post(
        endpoint: str, address: str, count: int, causes: Sequence[Mapping[str, str]]
    ) -> IPostSpan:
        """Return a span for a message to a receiver of events.

        Args:
            endpoint: The receiver's name in the configuration.
            address: Its host, and its port if the URL has one.
            count: How many events there are in the message.
            causes: The headers that the spans of the requests gave that the events
                come from, as far as they were traced.
        """
