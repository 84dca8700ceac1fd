"""Results: what was measured, as it is kept in JSON and put together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field, frozen


@frozen
class Row:
    """One thing that is measured.

    Attributes:
        title: What it is.
        unit: Of its value: ``/s``, ``GB/s``, ``ms``, ``MiB``, ``KiB`` or ``s``.
        more: Whether more is better.
        cpu: The unit of the processors' time; None: it is not measured.
    """

    title: str
    unit: str
    more: bool = True
    cpu: str | None = None


@frozen
class Sample:
    """What one round found for a row.

    Attributes:
        value: The value.
        cpu: The processors' time; None: it was not measured.
        extra: More that was seen, by name.
    """

    value: float
    cpu: float | None = None
    extra: Mapping[str, float] = {}


@define
class Found:
    """All that was found for a row.

    Attributes:
        group: The group of workloads that it is of.
        row: The row.
        samples: Of each server, in the order of the rounds.
    """

    group: str
    row: Row
    samples: dict[str, list[Sample]] = field(factory=dict)

    def values(self, server: str) -> list[float]:
        """Return a server's values."""
        return [sample.value for sample in self.samples.get(server, [])]

    def cpu(self, server: str) -> list[float]:
        """Return a server's times of the processors."""
        samples = self.samples.get(server, [])
        return [sample.cpu for sample in samples if sample.cpu is not None]


@define
class Results:
    """What a run has found, or several.

    Attributes:
        machine: What it was measured on, by names.
        servers: What took part: a version by each name, ours first.
        rows: By their names, in order.
        problems: What went wrong, in order.
    """

    machine: dict[str, str] = field(factory=dict)
    servers: dict[str, str] = field(factory=dict)
    rows: dict[str, Found] = field(factory=dict)
    problems: list[str] = field(factory=list)

    def add(self, name: str, group: str, row: Row, server: str, sample: Sample) -> None:
        """Add what a round found."""
        found = self.rows.setdefault(name, Found(group, row))
        found.samples.setdefault(server, []).append(sample)

    def merge(self, later: Results) -> None:
        """Take in another run: a row that both have is taken from the later one.

        What only the earlier one has of such a row, a server, is not kept: rounds of
        different runs are not to be compared.
        """
        self.machine |= later.machine
        self.servers |= later.servers
        self.rows |= later.rows
        self.problems += later.problems

    def to_json(self) -> str:
        """Write all as JSON."""
        rows = {
            name: {
                "group": found.group,
                "title": found.row.title,
                "unit": found.row.unit,
                "more": found.row.more,
                "cpu": found.row.cpu,
                "samples": {
                    server: [_sample_to_json(sample) for sample in samples]
                    for server, samples in found.samples.items()
                },
            }
            for name, found in self.rows.items()
        }
        content = {
            "machine": self.machine,
            "servers": self.servers,
            "rows": rows,
            "problems": self.problems,
        }
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Results:
        """Read what ``to_json`` has written.

        Raises:
            ValueError: It is something else.
        """
        try:
            content = json.loads(text)
            rows = {name: _found(found) for name, found in content["rows"].items()}
            return cls(
                dict(content["machine"]),
                dict(content["servers"]),
                rows,
                list(content["problems"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the results of a run: {error!r}") from error


def read_all(paths: Sequence[Path]) -> Results:
    """Read the results of several runs, and put them together in this order."""
    results = Results()
    for path in paths:
        results.merge(Results.from_json(path.read_bytes()))
    return results


def _sample_to_json(sample: Sample) -> dict[str, Any]:
    return {"value": sample.value, "cpu": sample.cpu, **dict(sample.extra)}


def _found(content: Mapping[str, Any]) -> Found:
    row = Row(content["title"], content["unit"], content["more"], content["cpu"])
    samples = {
        server: [_sample(each) for each in samples]
        for server, samples in content["samples"].items()
    }
    return Found(content["group"], row, samples)


def _sample(content: Mapping[str, Any]) -> Sample:
    extra = {name: content[name] for name in content if name not in ("value", "cpu")}
    return Sample(content["value"], content["cpu"], extra)
