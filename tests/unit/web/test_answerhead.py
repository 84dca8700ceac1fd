"""Tests of txregistry.web.answerhead: what an answer's head looks like."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.answerhead import AnswerHead, phrase_of


class HeadTests(SynchronousTestCase):
    """The bytes that go out."""

    def test_rendered(self) -> None:
        """Status, headers in the order in which they were first set, an empty line."""
        head = AnswerHead({"date": "Date: today"})
        head.set("Content-Length", "1")
        head.set("ETag", '"a"')
        head.set("content-length", "2")
        expected = (
            b"HTTP/1.1 201 Created\r\n"
            b'Date: today\r\ncontent-length: 2\r\nETag: "a"\r\n\r\n'
        )
        self.assertEqual(expected, head.render("HTTP/1.1", 201))

    def test_several(self) -> None:
        """One that is added stands beside those before; one that is set does not."""
        head = AnswerHead({})
        for value in "ab":
            head.add("Vary", value)
        rendered = head.render("HTTP/1.0", 429)
        expected = b"HTTP/1.0 429 Too Many Requests\r\nVary: a\r\nVary: b\r\n\r\n"
        self.assertEqual(expected, rendered)
        head.set("vary", "c")
        self.assertEqual({"vary": "vary: c"}, head.lines)

    def test_one_line(self) -> None:
        """No value can begin a header of its own, or the body."""
        head = AnswerHead({})
        for value in ("a\r\nB: c", "a\nB: c", "a\rB: c", "a\r\n\r\nB: c", "a\0B: c"):
            head.set("A", value)
            self.assertEqual(b"a b: c", head.render("HTTP/1.1", 200)[20:-4].lower())
        head.set("A", "\xe4\x80")
        self.assertIn(b"A: \xe4\x80\r\n", head.render("HTTP/1.1", 200))

    def test_no_bytes(self) -> None:
        """What is no bytes is refused at once, and an answer can be sent yet."""
        head = AnswerHead({"a": "A: 1"})
        for change in (head.set, head.add):
            self.assertRaises(UnicodeEncodeError, change, "A", "\u2026")
        self.assertIn(b"\r\nA: 1\r\n", head.render("HTTP/1.1", 200))

    def test_phrases(self) -> None:
        """Each status has words; also one that nobody knows."""
        self.assertEqual(
            ["OK", "Request Header Fields Too Large", "Unknown"],
            [phrase_of(status) for status in (200, 431, 599)],
        )
