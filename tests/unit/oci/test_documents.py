"""Tests of txregistry.oci.documents."""

from __future__ import annotations

import json
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import documents, generated, texts
from txregistry.oci.documents import Document, quoted
from txregistry.oci.errors import JSON, ManifestInvalid


class LoadTests(SynchronousTestCase):
    """Reading JSON."""

    def refused(self, content: bytes) -> str:
        """Return why a content is refused; it is refused from a store, too."""
        errors = [
            self.assertRaises(ManifestInvalid, Document.load, content, strict=strict)
            for strict in (True, False)
        ]
        return str(errors[0].detail)

    def test_object(self) -> None:
        """A JSON object has members."""
        document = Document.load(b' {"a": "b"} ', strict=True)
        self.assertEqual("b", document.text("a"))

    def test_no_object(self) -> None:
        """Other JSON is refused."""
        for content in (b"[]", b"null", b'"a"', b"1"):
            self.assertEqual("manifest: not a JSON object", self.refused(content))

    def test_no_json(self) -> None:
        """What is no JSON is refused, and it is said where."""
        self.assertIn("line 1 column 7", self.refused(b'{"a": }'))
        for content in (
            b"",
            b"{",
            b"{}x",
            b"{'a': 1}",
            b'{"a": 1,}',
            b"\xef\xbb\xbf{}",
        ):
            self.assertIn("not JSON", self.refused(content))

    def test_no_constants(self) -> None:
        """NaN and the infinities are no JSON."""
        for constant in (b"NaN", b"Infinity", b"-Infinity"):
            self.assertIn("not JSON", self.refused(b'{"a": %s}' % constant))

    def test_other_encodings(self) -> None:
        """JSON is UTF-8 (RFC 8259 8.1)."""
        self.refused('{"a": 1}'.encode("utf-16"))

    def test_malformed_utf8(self) -> None:
        """Malformed UTF-8 is refused in a push, and read as by Go in a store."""
        content = b'{"a": "\xff"}'
        self.assertRaises(ManifestInvalid, Document.load, content, strict=True)
        self.assertEqual("\ufffd", Document.load(content, strict=False).text("a"))

    def test_lone_surrogate(self) -> None:
        """Half of a pair of escapes is read as by Go, so that it can be written."""
        document = Document.load(rb'{"a": "\ud83d", "b": "\ud83d\ude00"}', strict=True)
        self.assertEqual(("\ufffd", "😀"), (document.text("a"), document.text("b")))

    def test_deep(self) -> None:
        """What is nested too deeply is refused."""
        for begin in (b"[", b'{"a":'):
            self.assertEqual(
                "manifest: nested too deeply", self.refused(begin * 100_000)
            )

    def test_huge_numbers(self) -> None:
        """Numbers with any number of digits are read, in no time."""
        digits = b"9" * 1_000_000
        start = time.process_time()
        for number in (digits, b"-" + digits, b"0." + digits, digits + b"e-9"):
            Document.load(b'{"a": %s}' % number, strict=True)
        self.assertLess(time.process_time() - start, 2.0)

    def test_twice(self) -> None:
        """Of a name that comes twice the later value counts, as for Go."""
        document = Document.load(b'{"a": "b", "a": "c"}', strict=True)
        self.assertEqual("c", document.text("a"))

    @generated
    @given(st.binary() | st.text().map(str.encode), st.booleans())
    def test_any_bytes(self, content: bytes, strict: bool) -> None:
        """Any bytes are a JSON object or MANIFEST_INVALID."""
        try:
            document = Document.load(content, strict=strict)
        except ManifestInvalid:
            return
        self.assertIsInstance(document.members, dict)


class MemberTests(SynchronousTestCase):
    """Reading members."""

    def document(self, value: JSON, *, strict: bool = True) -> Document:
        """Make a document with a member ``a``."""
        return Document({"a": value}, "layers[3]", strict)

    def test_null(self) -> None:
        """Null is no member."""
        document = self.document(None)
        self.assertEqual(
            (False, "", (), {}, None, []),
            (
                document.has("a"),
                document.text("a"),
                document.texts("a"),
                document.text_map("a"),
                document.document("a"),
                list(document.array("a")),
            ),
        )

    def test_size(self) -> None:
        """A size is an integer that Go's int64 holds, and not negative."""
        for size in (0, 1, 2**63 - 1):
            self.assertEqual(size, self.document(size).size("a"))

    def test_no_size(self) -> None:
        """Anything else is no size, a missing one neither."""
        for value in (-1, 2**63, 1.0, True, "1", None, float("inf")):
            error = self.assertRaises(ManifestInvalid, self.document(value).size, "a")
            self.assertEqual("layers[3].a: not a number of bytes", error.detail)

    def test_wrong_types(self) -> None:
        """A member of a wrong type is refused, and it is said which."""
        document = self.document(1)
        for read in (
            document.text,
            document.texts,
            document.text_map,
            document.document,
            document.array,
        ):
            error = self.assertRaises(ManifestInvalid, read, "a")
            self.assertIn("layers[3].a: not a", str(error.detail))

    def test_wrong_elements(self) -> None:
        """So is one that holds something of a wrong type."""
        self.assertRaises(ManifestInvalid, self.document(["b", 1]).texts, "a")
        self.assertRaises(ManifestInvalid, self.document({"b": 1}).text_map, "a")

    def test_array(self) -> None:
        """An array's elements come with their places."""
        elements = list(self.document(["b", 1]).array("a"))
        self.assertEqual([("layers[3].a[0]", "b"), ("layers[3].a[1]", 1)], elements)

    @generated
    @given(documents)
    def test_lenient(self, value: JSON) -> None:
        """In a store nothing that a member holds is an error."""
        document = self.document(value, strict=False)
        document.text("a").encode()
        document.size("a")
        document.document("a")
        json.dumps([document.texts("a"), document.text_map("a")])
        list(document.array("a"))


class QuotedTests(SynchronousTestCase):
    """Clients' texts in messages."""

    @generated
    @given(texts)
    def test_any_text(self, text: str) -> None:
        """A text in a message can be written and is short."""
        self.assertLess(len(quoted(text * 1000).encode()), 1500)
