"""Another process on a store: appends to a file of it, and says how that went.

Run with the store's folder, a path in it, and what to append. Prints ``busy``, or the
file's size before and after.
"""

from __future__ import annotations

import sys

from twisted.internet.defer import execute
from twisted.internet.task import Clock

from txregistry.interfaces import PathBusy
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver


async def append(root: str, path: str, text: str) -> str:
    """Append a text to a file; return what is to be printed."""
    driver = FilesystemDriver(Disk(root), Clock(), execute)
    try:
        writer = await driver.open_writer(path, append=True)
    except PathBusy:
        return "busy"
    before = writer.size
    writer.write(text.encode("ascii"))
    await writer.close()
    return f"{before} {writer.size}"


if __name__ == "__main__":
    try:
        append(*sys.argv[1:]).send(None)
    except StopIteration as stop:
        print(stop.value)
