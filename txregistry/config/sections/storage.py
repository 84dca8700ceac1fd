"""``storage``: where content is kept, and what may happen to it there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from attrs import field, frozen

from txregistry.config.fields import Ignored, Names, Section
from txregistry.config.types import Parameters, Seconds


@frozen
class Delete(Section):
    """``storage.delete``.

    Attributes:
        enabled: Whether clients may delete blobs, manifests and tags.
    """

    enabled: bool = False


@frozen
class Redirect(Section):
    """``storage.redirect``.

    Attributes:
        disable: Whether to serve all content ourselves, also where the driver could
            send clients to the store.
    """

    disable: bool = False


@frozen
class ReadOnly(Section):
    """``storage.maintenance.readonly``.

    Attributes:
        enabled: Whether clients may only read.
    """

    enabled: bool = False


@frozen
class UploadPurging(Section):
    """``storage.maintenance.uploadpurging``."""

    enabled: Ignored[bool] = True
    age: Ignored[Seconds] = 168 * 3600.0
    interval: Ignored[Seconds] = 24 * 3600.0
    dryrun: Ignored[bool] = False


@frozen
class Maintenance(Section):
    """``storage.maintenance``.

    Attributes:
        readonly: Read-only mode.
    """

    uploadpurging: Ignored[UploadPurging] = field(factory=UploadPurging)
    readonly: ReadOnly = field(factory=ReadOnly)


@frozen
class Cache(Section):
    """``storage.cache``."""

    blobdescriptor: Ignored[str] = ""
    layerinfo: Ignored[str] = ""
    blobdescriptorsize: Ignored[int] = 10000


@frozen
class Tag(Section):
    """``storage.tag``."""

    concurrencylimit: Ignored[int] = 0


@frozen
class Storage(Section):
    """``storage``.

    Attributes:
        drivers: The parameters of the one driver, by its name.
        delete: Deletion by clients.
        redirect: Sending clients to the store itself.
        maintenance: Modes for times of maintenance.
    """

    drivers: Annotated[Mapping[str, Parameters], Names("storage driver")] = field(
        factory=dict, repr=False
    )
    delete: Delete = field(factory=Delete)
    redirect: Redirect = field(factory=Redirect)
    cache: Cache = field(factory=Cache)
    maintenance: Maintenance = field(factory=Maintenance)
    tag: Tag = field(factory=Tag)

    @property
    def driver(self) -> str:
        """The storage driver's name."""
        return next(iter(self.drivers))

    @property
    def parameters(self) -> Parameters:
        """The storage driver's parameters, not checked."""
        return self.drivers[self.driver]
