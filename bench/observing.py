"""What it costs to be seen: access log, metrics and traces, in manifests a second.

Run as ``python -m bench.observing`` in the project's environment; needs ``wrk``. The
same registry with everything off, with each part on, and with all of it on is asked in
turn, in another order each round. Printed are the medians of the rounds and of the
ratios within a round, their mean, and between what the middle half of them lies; and
the processor's time for each request, which is what to go by where others are at work
on the machine. Each is started anew for each round: two processes that do the same
differ by up to a tenth for as long as they live, by where their memory happens to lie.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import mean, median, quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.wrk import rate
from tests.real.commands import need
from tests.real.daemons import Daemon, free_port
from tests.real.images import make_image, push_image, random_layers
from tests.real.registries import Registry
from tests.real.wire import ACCEPT_ALL, connected

NAME, TAG = "some/name", "latest"
_OFF: Final = "nothing"
_KINDS: Final[Mapping[str, tuple[bool, bool, str]]] = {
    _OFF: (False, False, "text"),
    "access log": (True, False, "text"),
    "metrics": (False, True, "text"),
    "both": (True, True, "text"),
    "both, JSON": (True, True, "json"),
    "traces": (False, False, "text"),
    "traces, 10 %": (False, False, "text"),
    "traces, 1 %": (False, False, "text"),
}
_SHARES: Final = {"traces": "1", "traces, 10 %": "0.1", "traces, 1 %": "0.01"}
_WARM: Final = 1  # seconds
_HERE: Final = Path(__file__).parent


def main() -> None:
    """Measure and print."""
    need("wrk")
    arguments = _arguments()
    rates: dict[str, list[float]] = defaultdict(list)
    costs: dict[str, list[float]] = defaultdict(list)
    kinds = [_OFF, *(arguments.kinds or [each for each in _KINDS if each != _OFF])]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        traces = _start_collector(folder, stack)
        registries = {
            kind: _start(folder, kind, _tracing(kind, traces), stack) for kind in kinds
        }
        for _ in range(arguments.rounds):
            random.shuffle(kinds)
            for kind in kinds:
                registry = registries[kind].start()
                url = f"http://{registry.address}/v2/{NAME}/manifests/{TAG}"
                rate(url, ACCEPT_ALL, arguments.connections, _WARM)
                before = _processor_time(registry)
                found = rate(url, ACCEPT_ALL, arguments.connections, arguments.seconds)
                rates[kind].append(found)
                spent = _processor_time(registry) - before
                costs[kind].append(spent / (found * arguments.seconds))
                registry.stop()
            print(".", end="", flush=True)
    print(f"\n{arguments.rounds} rounds of {arguments.seconds} s; medians:")
    titles = ("", "rate", "ratio", "mean", "middle half", "processor", "ratio")
    print("{:14}{:>9}{:>7}{:>7}{:>14}{:>11}{:>7}".format(*titles))
    for kind in registries:
        ratios = _ratios(rates[kind], rates[_OFF])
        low, middle, high = _quartiles(ratios)
        print(
            f"{kind:14}{median(rates[kind]):7.0f}/s{middle:7.2f}{mean(ratios):7.2f}"
            f"{f'{low:.2f}-{high:.2f}':>14}{median(costs[kind]) * 1e6:8.0f} us"
            f"{median(_ratios(costs[_OFF], costs[kind])):7.2f}"
        )


def _ratios(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(ones, others, strict=True)]


def _quartiles(values: Sequence[float]) -> Sequence[float]:
    """Return what a quarter, a half and three quarters of values are below."""
    if len(values) < 2:
        return [values[0]] * 3
    return quantiles(values, n=4, method="inclusive")


def _processor_time(registry: Registry) -> float:
    """Return the seconds of the processor that a registry has had."""
    path = Path(f"/proc/{registry.daemon.pid}/stat")
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _start_collector(folder: Path, stack: ExitStack) -> str:
    """Start what spans are sent to; return its URL."""
    port = free_port()
    argv = [sys.executable, "-m", "bench.receiving", str(port)]
    env = {"PYTHONPATH": str(_HERE.parent)}
    stack.callback(Daemon(argv, folder / "collector.log", env).stop)
    return f"http://127.0.0.1:{port}/"


def _tracing(kind: str, url: str) -> Mapping[str, str]:
    """Return the variables by which a share of the requests is traced."""
    if kind not in _SHARES:
        return {}
    return {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": _SHARES[kind],
    }


def _start(
    folder: Path, kind: str, env: Mapping[str, str], stack: ExitStack
) -> Registry:
    access_log, metrics, formatter = _KINDS[kind]
    place = folder / kind.replace(" ", "-")
    place.mkdir()
    http: dict[str, Any] = {}
    if metrics:
        address = f"127.0.0.1:{free_port()}"
        http = {"debug": {"addr": address, "prometheus": {"enabled": True}}}
    log = {"formatter": formatter, "accesslog": {"disabled": not access_log}}
    settings = {"log": log}
    registry = Registry(place, kind="txregistry", http=http, settings=settings, env=env)
    stack.callback(registry.stop)
    registry.start()
    with connected(registry.port) as wire:
        push_image(wire, NAME, TAG, make_image(random_layers()[2:]))
    registry.stop()
    return registry


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--kinds", nargs="*", choices=_KINDS, help="beside nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
