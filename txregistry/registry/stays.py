"""Stays: whether what was found in the store would be found again."""

from __future__ import annotations

from collections.abc import Callable

from txregistry.interfaces import IQuickLook, IStorageDriver
from txregistry.oci.digest import Digest


def stays(
    driver: IStorageDriver,
    path: str,
    size: int,
    link: str,
    digest: Digest,
    tag_link: str | None = None,
) -> Callable[[], bool] | None:
    """Return what says whether a content is still where it was found.

    Args:
        driver: The store.
        path: Where the content lies.
        size: Its length in bytes.
        link: The link that makes it part of the repository. It is at a path that names
            the digest, so that its being there says what it holds.
        digest: The content's, which all links hold.
        tag_link: The link of a tag, which can be moved; None: it was found without.

    Returns:
        Looks at all of them, in microseconds, each time it is called; None: this store
        cannot do that.
    """
    quick = IQuickLook(driver, None)
    if quick is None:
        return None
    held = str(digest).encode()
    is_there, is_linked = quick.there(path, size), quick.there(link, len(held))
    if is_there is None or is_linked is None:
        return None
    if tag_link is None:
        return lambda: is_linked() and is_there()
    is_tagged = quick.same(tag_link, held)
    if is_tagged is None:
        return None
    return lambda: is_tagged() and is_linked() and is_there()
