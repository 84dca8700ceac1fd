"""Tests of what we do otherwise than the Go registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from tests.real.case import RealTestCase
from tests.real.commands import need
from tests.real.differences import (
    compare_answers,
    compare_stores,
    explain,
    load_known,
    store_content,
)
from tests.real.exchange import Answer, Player, Step
from tests.real.registries import Registry
from tests.real.script import whole_script

_PAGE = Path(__file__).parents[2] / "docs" / "differences.md"


class DifferenceTests(RealTestCase):
    """We do as the Go registry does, but for what we mean to do otherwise."""

    def test_script(self) -> None:
        """The same requests leave the same answers and stores, or a known difference.

        And what is known does occur: a case that nothing is like any more has to go.
        """
        need("docker-registry")
        script = whole_script()
        theirs, their_store = self.play(script, self.registry(kind="go"))
        ours, our_store = self.play(script, self.registry())
        differences = [
            difference
            for step, go, own in zip(script, theirs, ours, strict=True)
            for difference in compare_answers(step, go, own)
        ]
        differences += compare_stores(their_store, our_store)
        unknown, unused = explain(differences, load_known())
        lines = [f"unknown: {difference}" for difference in unknown]
        lines += [f"does not occur: {case.line} ({case.name})" for case in unused]
        self.assertFalse(lines, "\n".join(["", *lines]))

    def test_page(self) -> None:
        """The page for people has all that is known, and nothing else."""
        known = load_known() + load_known("events")
        names = {case.name for case in known}
        rows = [line for line in _PAGE.read_text().splitlines() if line[:3] == "| `"]
        self.assertEqual(sorted(names), sorted(row.split("`")[1] for row in rows))

    def play(
        self, script: Sequence[Step], registry: Registry
    ) -> tuple[list[Answer], Mapping[str, str]]:
        """Put the script to a registry; return its answers, and what it stored."""
        with closing(Player(registry.port)) as player:
            answers = player.play(script)
            registry.stop()
            return answers, store_content(registry.tree, player)
