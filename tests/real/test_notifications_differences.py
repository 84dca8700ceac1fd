"""Tests of what we tell receivers otherwise than the Go registry."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import closing

from attrs import evolve

from tests.real.case import RealTestCase
from tests.real.commands import need
from tests.real.deliveries import Deliveries, compare_findings
from tests.real.differences import explain, load_known
from tests.real.events import Told, compare_events
from tests.real.exchange import Player, Step
from tests.real.receivers import Event, Receiver, notifications, wait_until
from tests.real.registries import Registry
from tests.real.script import whole_script
from tests.real.script_events import senders


class DifferenceTests(RealTestCase):
    """We tell what the Go registry tells, but for what we mean to tell otherwise."""

    def test_script(self) -> None:
        """The same requests cause the same events, or a known difference.

        And what is known does occur: a case that nothing is like any more has to go.
        """
        need("docker-registry")
        script = [*whole_script(), *senders()]
        theirs = self.play(script, "go")
        ours = self.play(script, "txregistry")
        differences = [
            difference
            for step, there, here in zip(script, theirs, ours, strict=True)
            for difference in compare_events(str(step), there, here)
        ]
        go, own = (Deliveries(self, kind).find() for kind in ("go", "txregistry"))
        differences += compare_findings(go, own)
        unknown, unused = explain(differences, load_known("events"))
        lines = [f"unknown: {difference}" for difference in unknown]
        lines += [f"does not occur: {case.line} ({case.name})" for case in unused]
        self.assertFalse(lines, "\n".join(["", *lines]))

    def play(self, script: Sequence[Step], kind: str) -> list[Told]:
        """Put the script to a registry; return what it tells of each step."""
        receiver = self.server(Receiver(self.folder())).start()
        told = Deliveries(self, kind).told("receiver", receiver.url())
        settings = notifications(told, events={"includereferences": True})
        made = FarRegistry(self.folder(), kind=kind, settings=settings)
        registry = self.server(made).start()
        signed = [
            evolve(step, headers=(*step.headers, ("User-Agent", f"step {number}")))
            for number, step in enumerate(script)
        ]
        with closing(Player(registry.port)) as player:
            answers = player.play(signed)
        last = f"step {len(script) - 1}"
        wait_until(
            lambda: any(e["request"]["useragent"] == last for e in receiver.events())
        )
        caused: dict[str, list[Event]] = {}
        for event in receiver.events():
            caused.setdefault(event["request"]["useragent"], []).append(event)
        return [
            Told(answer.status, caused.get(f"step {number}", []))
            for number, answer in enumerate(answers)
        ]


class FarRegistry(Registry):
    """A registry in a time zone of its own, one hour east of Greenwich."""

    def start(self) -> Registry:
        """See Registry."""
        zone = self._config.with_name("zone")
        counts = struct.pack(">6l", 0, 0, 0, 0, 1, 4)
        hour_east = struct.pack(">lbb", 3600, 0, 0)
        zone.write_bytes(b"TZif" + bytes(16) + counts + hour_east + b"TST\0")
        self._env = {"TZ": f":{zone}"}
        return super().start()
