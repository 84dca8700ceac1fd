"""Events: what waits for whom, sending it again, giving it up, and trying it out."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import click
from attrs import asdict

from txregistry.cli.settings import config_option, fail, load_settings
from txregistry.config import ConfigError, Settings
from txregistry.config.durations import format_duration, parse_duration
from txregistry.interfaces import StorageError
from txregistry.notifying import ledger_path, make_endpoints, make_source
from txregistry.oci.descriptors import Descriptor
from txregistry.oci.digest import Digest
from txregistry.oci.errors import RegistryError
from txregistry.oci.events import Activity, Event, RequestRecord
from txregistry.oci.mediatypes import OCI_EMPTY
from txregistry.oci.names import Name, Tag
from txregistry.webhooks.endpoint import Endpoint
from txregistry.webhooks.inspecting import (
    Listed,
    NoSuchEvent,
    list_events,
    replay,
    revive,
)
from txregistry.webhooks.inspecting import purge as purge_events
from txregistry.webhooks.ledger import IN_MEMORY, Ledger, Tally, Waiting
from txregistry.webhooks.posting import PostFailed

_CONTENT: Final = b"{}"
_AGENT: Final = "txregistry events test"

_endpoint = click.option("--endpoint", help="Of this endpoint alone.")
_dead = click.option(
    "--dead", is_flag=True, help="Those that an endpoint will not take, instead."
)
_json = click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")


@click.group()
def events() -> None:
    """See what waits to be told to whom; send it again, or give it up."""


@events.command()
@config_option
@_json
def status(file: str | None, as_json: bool) -> None:
    """Say how each endpoint stands."""
    settings = load_settings(file)
    with _open(settings) as ledger:
        tallies = ledger.tallies()
    if as_json:
        for tally in tallies:
            click.echo(json.dumps(asdict(tally)))
        return
    head = ("endpoint", "waiting", "oldest", "dead", "delivered", "failed", "dropped")
    _print_table([head, *(_shown_tally(tally) for tally in tallies)])


@events.command("list")
@config_option
@_endpoint
@_dead
@click.option("--limit", default=100, show_default=True, help="How many at the most.")
@_json
def list_command(
    file: str | None, endpoint: str | None, dead: bool, limit: int, as_json: bool
) -> None:
    """List the events that wait, the oldest first."""
    settings = load_settings(file)
    with _open(settings) as ledger:
        found = list_events(ledger, dead, endpoint, limit)
    if as_json:
        for each in found:
            click.echo(json.dumps(asdict(each)))
    else:
        _print_table([_shown_event(each) for each in found])


@events.command("replay")
@config_option
@_endpoint
@click.option("--from", "since", help="An event's id, a time, or how long ago: 30m.")
@click.option("--dead", is_flag=True, help="What an endpoint would not take.")
def replay_command(
    file: str | None, endpoint: str | None, since: str | None, dead: bool
) -> None:
    """Send events again, to those who have got them or would not take them.

    Events are kept for that as long as notifications.queue.keep says.
    """
    if dead == (since is not None):
        fail("say either --from or --dead")
    settings = load_settings(file)
    with _open(settings) as ledger:
        if since is None:
            count = revive(ledger, endpoint)
        else:
            count = replay(ledger, _since(since), endpoint)
    click.echo(f"{count} to be sent again")


@events.command()
@config_option
@_endpoint
@_dead
@click.option("--before", help="Older ones alone: a time, or how long ago: 30m.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(
    file: str | None, endpoint: str | None, dead: bool, before: str | None, yes: bool
) -> None:
    """Give up events that wait."""
    settings = load_settings(file)
    limit = None if before is None else _moment(before)
    if not yes:
        whose = "all endpoints" if endpoint is None else endpoint
        click.confirm(f"Give up the events for {whose}?", abort=True)
    with _open(settings) as ledger:
        count = purge_events(ledger, dead, endpoint, limit)
    click.echo(f"{count} given up")


@events.command()
@click.argument("endpoint")
@config_option
@click.option("--action", default="test", show_default=True, help="What was done.")
@click.option("--repository", default="txregistry/test", show_default=True)
@click.option("--tag", default="test", show_default=True)
def test(
    endpoint: str, file: str | None, action: str, repository: str, tag: str
) -> None:
    """Send ENDPOINT an event now, and say what it answers.

    The event does not go through the queue. Receivers that do not look at the action
    will take it for a real one.
    """
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    settings = load_settings(file)
    event = _test_event(settings, action, repository, tag)
    try:
        endpoints = {each.name: each for each in make_endpoints(settings, reactor)}
    except ConfigError as error:
        fail(error)
    if endpoint not in endpoints:
        known = ", ".join(sorted(endpoints)) or "none"
        fail(f"no such endpoint: {endpoint}; the configuration has: {known}")
    react(lambda _: Deferred.fromCoroutine(_send(endpoints[endpoint], event)))


async def _send(endpoint: Endpoint, event: Event) -> None:
    body = json.dumps(event.to_json()).encode()
    waiting = Waiting(0, event.id, event.at, body, 0)
    began = time.monotonic()
    try:
        answer = await endpoint.send([waiting], event.at)
    except PostFailed as error:
        fail(f"{endpoint.name}: {error}")
    milliseconds = (time.monotonic() - began) * 1000
    shown = f"{endpoint.name}: answered {answer.status} after {milliseconds:.0f} ms"
    if not 200 <= answer.status < 300:
        fail(shown)
    click.echo(shown)


def _test_event(settings: Settings, action: Any, repository: str, tag: str) -> Event:
    target = Descriptor(OCI_EMPTY, Digest.of(_CONTENT), len(_CONTENT))
    try:
        activity = Activity(action, Name.parse(repository), target, Tag.parse(tag))
    except RegistryError as error:
        fail(error.message)
    source, http = make_source(settings), settings.http
    host = source.addr if http.host is None else http.host.authority
    scheme = "http" if http.host is None else http.host.scheme
    url = f"{scheme}://{host}{http.prefix}v2/{repository}/manifests/{target.digest}"
    request = RequestRecord(str(uuid4()), "127.0.0.1", host, "PUT", _AGENT)
    actor = os.environ.get("USER")
    return Event(str(uuid4()), time.time(), activity, url, request, actor, source)


@contextmanager
def _open(settings: Settings) -> Iterator[Ledger]:
    """Open the ledger of a configuration; end the process if that cannot be done."""
    try:
        path = ledger_path(settings)
    except ConfigError as error:
        fail(error)
    if path == IN_MEMORY:
        fail("events wait in the registry's memory (notifications.queue.driver)")
    if not os.path.exists(path):
        fail(f"{path}: there is no such file; no registry has written events yet")
    try:
        ledger = Ledger(path)
        try:
            yield ledger
        finally:
            ledger.close()
    except StorageError as error:
        fail(error)
    except NoSuchEvent as error:
        fail(f"there is no event {error}; it may have been forgotten")


def _since(text: str) -> str | float:
    """Read an event's id or a time."""
    looks_like_id = len(text) == 36 and text.count("-") == 4
    return text if looks_like_id else _moment(text)


def _moment(text: str) -> float:
    """Read a time, or how long ago it was; in seconds since the epoch."""
    try:
        return time.time() - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f'{text!r} is no time such as "2026-01-31T12:00:00Z" or "30m"')
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _shown_tally(tally: Tally) -> tuple[str, ...]:
    oldest = "-"
    if tally.oldest is not None:
        oldest = format_duration(float(round(max(time.time() - tally.oldest, 0.0))))
    numbers = (tally.dead, tally.delivered, tally.failures, tally.dropped)
    return (tally.name, str(tally.waiting), oldest, *map(str, numbers))


def _shown_event(listed: Listed) -> tuple[str, ...]:
    event, target = listed.event, listed.event["target"]
    what = str(target.get("repository", ""))
    if target.get("tag"):
        what += f":{target['tag']}"
    elif target.get("digest"):
        what += f"@{target['digest'][:19]}"
    tries = f"failed {listed.attempts}x: {listed.problem}" if listed.attempts else ""
    return (
        event["timestamp"],
        listed.endpoint,
        event["action"],
        what,
        event["id"],
        tries,
    )


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        click.echo("nothing waits", err=True)
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
