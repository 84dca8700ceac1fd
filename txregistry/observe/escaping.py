"""Escaping: what others wrote, so that it cannot pass for anything else in a log."""

from __future__ import annotations


def quotable(text: str) -> str:
    r"""Return text that can stand between quotation marks in an access log.

    Args:
        text: Characters up to U+00FF stand for bytes; others for their UTF-8.

    Returns:
        Printable ASCII without ``"`` and ``\``; what is not is ``\x`` and two digits.
    """
    if is_quotable(text):
        return text
    return "".join(char if is_quotable(char) else _escaped(char) for char in text)


def word(text: str) -> str:
    """Return text that is one column of an access log, between spaces."""
    return quotable(text).replace(" ", "\\x20")


def one_line(text: str) -> str:
    """Return text with all escaped that is not shown as it is, as ends of lines."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable()
        else char.encode("unicode_escape", "replace").decode("ascii")
        for char in text
    )


def indented(text: str) -> str:
    """Return lines that cannot pass for a new entry, each below the one before."""
    return "".join(f"\n    {one_line(line)}" for line in text.rstrip().split("\n"))


def is_quotable(text: str) -> bool:
    """Say whether text can stand between quotation marks as it is."""
    return text.isascii() and text.isprintable() and not ('"' in text or "\\" in text)


def _escaped(char: str) -> str:
    if char <= "\xff":
        return f"\\x{ord(char):02x}"
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "replace"))
