"""What notifications cost those who push and pull.

Run as ``python -m bench.notifications`` in the project's environment; needs ``wrk`` and
``docker-registry``. Registries of both kinds with 0, 1 and 10 endpoints are asked in
turn; the medians over the rounds are printed.

The endpoints are one process that answers at once, so what is measured is the cost to
the registry, and the receiver's share of the machine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.wrk import rate
from tests.real.commands import need
from tests.real.daemons import Daemon, free_port
from tests.real.images import make_image, push_image, random_layers
from tests.real.registries import Registry
from tests.real.wire import ACCEPT_ALL, Wire, connected

NAME, TAG = "some/name", "latest"
_KINDS: Final = ("txregistry", "go")
_COUNTS: Final = (0, 1, 10)
_HERE: Final = Path(__file__).parent


def main() -> None:
    """Measure and print."""
    need("wrk", "docker-registry")
    arguments = _arguments()
    pushes: dict[str, list[float]] = defaultdict(list)
    slowest: dict[str, list[float]] = defaultdict(list)
    pulls: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        registries = _start(folder, stack)
        for _ in range(arguments.rounds):
            for label, registry in registries.items():
                found = _push_times(registry, arguments.pushes)
                pushes[label].append(median(found))
                slowest[label].append(quantiles(found, n=100)[98])
            for label, registry in registries.items():
                pulls[label].append(_pull_rate(registry, arguments))
                _forget(registry)
            print(".", end="", flush=True)
    print(f"\n{arguments.rounds} rounds; medians of them:")
    print(f"{'':28}{'push, ms':>10}{'99 %, ms':>10}{'pulls/s':>10}")
    for label in pushes:
        row = (median(pushes[label]), median(slowest[label]), median(pulls[label]))
        print(f"{label:28}{row[0] * 1000:10.2f}{row[1] * 1000:10.2f}{row[2]:10.0f}")


def _start(folder: Path, stack: ExitStack) -> Mapping[str, Registry]:
    """Start the registries, with one image in each."""
    port = free_port()
    argv = [sys.executable, "-m", "bench.receiving", str(port)]
    env = {"PYTHONPATH": str(_HERE.parent)}
    receiver = Daemon(argv, folder / "receiver.log", env)
    stack.callback(receiver.stop)
    registries = {}
    for kind in _KINDS:
        for count in _COUNTS:
            label = f"{kind}, {count} endpoints"
            registries[label] = _registry(folder / f"{kind}-{count}", kind, count, port)
    place = folder / "batches"
    batches = _registry(place, "txregistry", 1, port, batch=100)
    registries["txregistry, 1 with batches"] = batches
    place = folder / "without-pulls"
    without = _registry(place, "txregistry", 1, port, ignore=("pull",))
    registries["txregistry, 1 without pulls"] = without
    for registry in registries.values():
        stack.callback(registry.stop)
        registry.start()
        with connected(registry.port) as wire:
            push_image(wire, NAME, TAG, make_image(random_layers()[2:]))
    return registries


def _registry(
    place: Path,
    kind: str,
    count: int,
    port: int,
    ignore: Sequence[str] = (),
    batch: int = 1,
) -> Registry:
    place.mkdir()
    ours: dict[str, Any] = {"batch": batch} if batch > 1 else {}
    endpoints = [
        {
            "name": f"endpoint-{index}",
            "url": f"http://127.0.0.1:{port}/",
            "timeout": "5s",
            "threshold": 10,
            "backoff": "1s",
            "ignore": {"actions": ignore},
            **ours,
        }
        for index in range(count)
    ]
    settings = {"notifications": {"endpoints": endpoints}} if count else {}
    return Registry(place, kind=kind, settings=settings)


def _push_times(registry: Registry, count: int) -> list[float]:
    """Push a manifest so often, by tags of its own; return the seconds of each."""
    times = []
    with connected(registry.port) as wire:
        manifest = wire.pull_manifest(NAME, TAG).body
        for index in range(count):
            times.append(_timed_push(wire, f"tag-{index}", manifest))
    return times


def _timed_push(wire: Wire, tag: str, manifest: bytes) -> float:
    began = time.perf_counter()
    wire.push_manifest(NAME, tag, manifest)
    return time.perf_counter() - began


def _pull_rate(registry: Registry, arguments: argparse.Namespace) -> float:
    """Pull the manifest for a while; return how often a second that was done."""
    url = f"http://{registry.address}/v2/{NAME}/manifests/{TAG}"
    return rate(url, ACCEPT_ALL, arguments.connections, arguments.seconds)


def _forget(registry: Registry) -> None:
    """Start a registry anew without the events that wait."""
    registry.stop()
    shutil.rmtree(registry.tree / "_txregistry", ignore_errors=True)
    registry.start()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pushes", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    return parser.parse_args()


if __name__ == "__main__":
    main()
