"""Stays: whether what was found in the store would be found again."""

from __future__ import annotations

from collections.abc import Callable

from txregistry.interfaces import IQuickLook, IStorageDriver
from txregistry.oci.digest import Digest


def stays(
    driver: IStorageDriver,
    link: str,
    digest: Digest,
    *,
    tag_link: str | None = None,
    data: tuple[str, int] | None = None,
) -> Callable[[], bool] | None:
    """Return what says whether a content is still where it was found.

    Args:
        driver: The store.
        link: The link that makes it part of the repository. It is at a path that names
            the digest, so that its being there says what it holds.
        digest: The content's, which all links hold.
        tag_link: The link of a tag, which can be moved; None: it was found without.
        data: Where the content lies, and its length in bytes; None: it need not be
            looked at, because whoever asks has kept it, and it cannot change.

    Returns:
        Looks at all of them, in microseconds, each time it is called; None: this store
        cannot do that.
    """
    quick = IQuickLook(driver, None)
    if quick is None:
        return None
    held = str(digest).encode()
    is_linked, other, paths = quick.there(link, len(held)), None, [link]
    if is_linked is None:
        return None
    if tag_link is not None:
        other = quick.same(tag_link, held)
        paths.append(tag_link)
    elif data is not None:
        other = quick.there(*data)
        paths.append(data[0])
    else:
        return quick.still(paths, is_linked)
    if other is None:
        return None
    return quick.still(paths, lambda: is_linked() and other())
