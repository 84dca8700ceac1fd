"""Tests of yamltext."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.errors import Origin
from txregistry.config.nodes import ListNode, Misfit, Node, TableNode, to_json
from txregistry.config.yamltext import read_yaml

FILE = Origin(file="f")


def _read(text: str) -> Node:
    node = read_yaml(text, FILE)
    assert node is not None
    return node


def _json(text: str) -> Any:
    return to_json(_read(text))


class ReadTests(SynchronousTestCase):
    """``read_yaml``."""

    def refuse(self, text: str) -> tuple[int | None, str, str]:
        """Read what must not be read; return line, path and problem."""
        misfit = self.assertRaises(Misfit, read_yaml, text, FILE)
        return misfit.origin.line, ".".join(misfit.steps), misfit.problem

    def test_values(self) -> None:
        """Mappings, lists and scalars are read; what is quoted is text."""
        text = "a: {b: [1, '1', \"x\", ~]}\nc: |\n  two\n  lines\n!!str 5: !!int 6"
        expected = {"a": {"b": [1, "1", "x", None]}, "c": "two\nlines\n", "5": 6}
        self.assertEqual(expected, _json(text))

    def test_nothing(self) -> None:
        """A text without a document has no node."""
        for text in ("", "\n", "# only this\n", "%YAML 1.1\n"[:0]):
            self.assertIsNone(read_yaml(text, FILE))

    def test_lines(self) -> None:
        """A mapping's entry has the line of its key, a list's item its own."""
        table = _read("# one\na:\n  - 1\n  -\n    2\nb:\n\n  c\n")
        assert isinstance(table, TableNode)
        self.assertEqual(2, table.entries["a"].origin.line)
        self.assertEqual(6, table.entries["b"].origin.line)
        items = table.entries["a"]
        assert isinstance(items, ListNode)
        self.assertEqual([3, 5], [item.origin.line for item in items.items])

    def test_variable(self) -> None:
        """Nodes from a variable have the variable's origin, without a line."""
        origin = Origin(variable="REGISTRY_HTTP")
        table = read_yaml("\na: 1", origin)
        assert isinstance(table, TableNode)
        self.assertEqual(origin, table.entries["a"].origin)

    def test_twice(self) -> None:
        """A key that is there twice is refused with both lines."""
        expected = (4, "a.b", "is there twice (first on line 2)")
        self.assertEqual(expected, self.refuse("a:\n  b: 1\n  c: 2\n  b: 3\n"))

    def test_aliases(self) -> None:
        """An alias stands for what its anchor marks, at its own line."""
        text = "a: &x {b: [1]}\nc: *x\n"
        table = _read(text)
        assert isinstance(table, TableNode)
        self.assertEqual({"a": {"b": [1]}, "c": {"b": [1]}}, to_json(table))
        self.assertEqual(2, table.entries["c"].origin.line)

    def test_merge(self) -> None:
        """``<<`` takes over entries that are not given, the first mapping first."""
        text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], a: 9}\n"
        self.assertEqual({"a": 9, "b": 1, "c": 2}, _json(text)["z"])

    def test_merge_nonsense(self) -> None:
        """``<<`` with anything but mappings is refused; in quotes it is a name."""
        self.assertEqual(1, self.refuse("<<: 5")[0])
        self.assertEqual(1, self.refuse("<<: [[]]")[0])
        self.assertEqual({"<<": 5}, _json("'<<': 5"))

    def test_bomb(self) -> None:
        """Aliases of aliases that stand for too much are refused, and at once."""
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        for n in range(1, 30):
            names = ", ".join([f"*a{n - 1}"] * 10)
            lines.append(f"a{n}: &a{n} [{names}]")
        line, _, problem = self.refuse("\n".join(lines))
        self.assertEqual((5, "more than 20000 values"), (line, problem))

    def test_merge_bomb(self) -> None:
        """Merged mappings count too."""
        lines = ["a0: &a0 {k: {x: 1, y: 2}}"]
        for n in range(1, 30):
            names = ", ".join(f"k{i}: *a{n - 1}" for i in range(5))
            lines.append(f"a{n}: &a{n} {{<<: *a{n - 1}, {names}}}")
        self.assertIn("more than", self.refuse("\n".join(lines))[2])

    def test_deep(self) -> None:
        """What is nested too deeply is refused, also if aliases make it so."""
        self.assertIn("deeper", self.refuse("[" * 10_000)[2])
        self.assertIn("deeper", self.refuse("{a: " * 10_000)[2])
        lines = ["a0: &a0 [[[[[[[[[[]]]]]]]]]]"]
        lines += [f"a{n}: &a{n} [[[[[*a{n - 1}]]]]]" for n in range(1, 9)]
        self.assertIn("deeper", self.refuse("\n".join(lines))[2])

    def test_refused(self) -> None:
        """What is not YAML, or not for a configuration, is refused with its line."""
        for text, line, part in (
            ("a: [1\nb: 2", 2, "not valid YAML"),
            ("a: b: c", 1, "mapping values are not allowed here"),
            ("a:\n\t- b", 2, "not valid YAML"),
            ("a: 1\n---\nb: 2", 2, "more than one YAML document"),
            ("a: &x [*x]", 1, '"x" contains itself'),
            ("\na: *x", 2, 'no anchor named "x"'),
            ("a: !!python/object:os.system x", 1, "tag"),
            ("a: !mine {}", 1, "tag"),
            ("a: !!set {}", 1, "tag"),
            ("a: !!int x", 1, "tag"),
            ("a: !!float 5", 1, "tag"),
            ("{a: 1}: 2", 1, "a key must be plain text"),
            ("? [a]\n: 2", 1, "a key must be plain text"),
            ('a: "\\U99999999"', 1, "not valid YAML"),
            ('a: "\\ud800"', 1, "a character that is no text"),
            ('a: "\\0"', 1, "a character that is no text"),
            ("a: 1\nb: \0", 2, "a control character"),
            ("a: \ud800", 1, "a control character"),
            ("%YAML 2.0\n---\n", 1, "not valid YAML"),
            ("%YAML 1." + "9" * 5000 + "\n---\n", 1, "not valid YAML"),
        ):
            found, _, problem = self.refuse(text)
            self.assertEqual((text[:40], line), (text[:40], found))
            self.assertIn(part, problem)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(-99, 99) | st.text("ab: #-\n'\""),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
            ),
            max_leaves=12,
        )
    )
    def test_json(self, value: object) -> None:
        """JSON is YAML and is read as what it is."""
        self.assertEqual(value, _json(json.dumps(value)))
