"""The command line: ``python -m bench run`` measures, ``show`` puts runs together."""

from __future__ import annotations

import argparse
import resource
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from types import FrameType
from typing import Any, Final

from bench.aside import Aside
from bench.client import Client, make_program
from bench.machine import describe, use_memory, version_of
from bench.results import Results, read_all
from bench.running import all_workloads, chosen, run
from bench.servers import Fleet, Kind, debian, ours
from bench.tables import as_document, as_text
from bench.workloads.base import Bench

HOME: Final = Path(__file__).resolve().parent.parent / ".bench"
"""Where the load client is kept, and where trees are, if nothing else is said."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, or show what was measured."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.act(arguments)
    except (ValueError, OSError) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:  # again, while the trees go
        sys.exit("bench: broken off")


def _show(arguments: argparse.Namespace) -> None:
    _write(read_all(arguments.files), arguments)


def _run(arguments: argparse.Namespace) -> None:
    workloads = chosen(all_workloads(), arguments.names)
    if arguments.list:
        for each in workloads:
            titles = "; ".join(row.title for row in each.rows.values())
            print(f"{each.group:10} {each.name:28} {titles}")
        return
    kinds = _kinds(arguments)
    rounds, seconds = arguments.rounds, arguments.seconds
    if arguments.quick:
        rounds, seconds = 1, min(seconds, 1.0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    _allow_many_files()
    arguments.folder = arguments.folder.resolve()  # servers start elsewhere
    arguments.folder.mkdir(parents=True, exist_ok=True)
    results = Results()
    with ExitStack() as stack:
        folder = Path(mkdtemp(prefix="run-", dir=arguments.folder))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        results.machine = describe(folder)
        results.machine["rounds"] = f"{rounds}, {seconds:g} s each where time is given"
        results.servers = {kind.name: version_of(kind.command) for kind in kinds}
        client = Client(make_program(HOME))
        aside = Aside(folder / ".aside")
        fleet = Fleet(folder, arguments.folder, aside)
        stack.callback(fleet.close)
        bench = Bench(client, fleet, aside, folder, seconds, stack)
        try:
            if not arguments.quick:
                use_memory()
            run(bench, kinds, workloads, rounds, results, partial(_keep, arguments))
        except KeyboardInterrupt:
            results.problems.append("the run was broken off")
        _write(results, arguments)  # before the trees go, which takes its time


def _kinds(arguments: argparse.Namespace) -> list[Kind]:
    http: dict[str, Any] = {}
    if arguments.workers is not None:
        http["workers"] = arguments.workers
    kinds = [ours(http), debian(), *map(Kind.parse, arguments.peer)]
    if not arguments.servers:
        return kinds
    wanted = arguments.servers.split(",")
    unknown = set(wanted) - {kind.name for kind in kinds}
    if unknown:
        raise ValueError(f"no such server: {', '.join(sorted(unknown))}")
    return [kind for kind in kinds if kind.name in wanted]


def _write(results: Results, arguments: argparse.Namespace) -> None:
    print(as_text(results), end="", flush=True)
    _keep(arguments, results)
    if arguments.docs is not None:
        arguments.docs.write_text(as_document(results), encoding="utf-8")


def _keep(arguments: argparse.Namespace, results: Results) -> None:
    """Write the JSON, so that what was measured so far outlives a run cut off."""
    if arguments.json is not None:
        part = arguments.json.with_name(arguments.json.name + ".part")
        part.write_text(results.to_json(), encoding="utf-8")
        part.replace(arguments.json)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End a run, once: ``timeout`` signals us and then our group, hence us again."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run_command = commands.add_parser("run", help="measure")
    run_command.set_defaults(act=_run)
    add = run_command.add_argument
    add(
        "names",
        nargs="*",
        metavar="NAME",
        help="groups, or workloads",
    )
    add("--list", action="store_true", help="name the workloads and do nothing")
    add("--rounds", type=int, default=3)
    add("--seconds", type=float, default=1.5, help="of each where time ends it")
    add("--quick", action="store_true", help="one round, and a second each")
    add("--peer", action="append", default=[], metavar="NAME=COMMAND")
    add("--servers", metavar="NAME,NAME", help="those that take part (all)")
    add("--workers", metavar="N", type=_workers, help="of ours: http.workers")
    add("--folder", type=Path, default=HOME, help="on the disk to measure with")
    show_command = commands.add_parser("show", help="put the JSON of runs together")
    show_command.set_defaults(act=_show)
    show_command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    for command in (run_command, show_command):
        command.add_argument("--json", type=Path, metavar="FILE")
        command.add_argument("--docs", type=Path, metavar="FILE")
    return parser


def _workers(text: str) -> int | str:
    return int(text) if text.isdigit() else text


if __name__ == "__main__":
    main()
