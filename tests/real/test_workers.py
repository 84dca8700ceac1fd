"""Tests of a registry of several processes, each as alone as the system can make it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from tests.certificates import Authority
from tests.real.case import RealTestCase
from tests.real.commands import need, run
from tests.real.daemons import Daemon, free_port
from tests.real.downloads import SlowDownload
from tests.real.images import MIB, digest_of, make_image, push_image, random_layers
from tests.real.pushers import Pusher
from tests.real.receivers import Receiver
from tests.real.registries import Registry, installed
from tests.real.skopeo import Skopeo
from tests.real.test_listeners import Activated
from tests.real.wire import connected, is_serving, location_of

_OCTETS = {"Content-Type": "application/octet-stream"}


def wait_for(ready: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: It is not, after so many seconds.
    """
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise AssertionError(f"in vain: {what}")
        time.sleep(0.02)


def is_stopped(pid: int) -> bool:
    """Say whether a process has stopped, with all of its threads."""
    states = [
        task.joinpath("stat").read_text().rpartition(")")[2].split()[0]
        for task in Path(f"/proc/{pid}/task").iterdir()
    ]
    return set(states) == {"T"}


def _let_go_on(pid: int) -> None:
    """Have a process that stands still go on, so that it can end."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def is_gone(pid: int) -> bool:
    """Say whether there is no such process, or only what its parent has not taken."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


class WorkersCase(RealTestCase):
    """A registry with two workers.

    Attributes:
        debug_port: The port of its debug listener.
    """

    def setUp(self) -> None:
        """Take a port."""
        self.debug_port = free_port()

    def http(self, **more: Any) -> dict[str, Any]:
        """Return what stands under ``http`` in its configuration."""
        debug = {
            "addr": f"127.0.0.1:{self.debug_port}",
            "prometheus": {"enabled": True},
        }
        return {"workers": 2, "debug": debug, **more}

    def two(self, settings: Mapping[str, Any] | None = None, **http: Any) -> Registry:
        """Start it; wait until both serve."""
        registry = self.registry(
            kind="txregistry", http=self.http(**http), settings=settings
        )
        self.pids()
        return registry

    def shown(self, path: str, status: int = 200) -> bytes:
        """Return a page of the debug listener."""
        with connected(self.debug_port) as wire:
            return wire.ask("GET", path, expect=status).body

    def workers(self) -> list[dict[str, Any]]:
        """Return what is known of the workers."""
        found: list[dict[str, Any]] = json.loads(self.shown("/debug/workers"))
        return found

    def pids(self) -> list[int]:
        """Return the processes of both workers; wait until they serve."""

        def serve() -> bool:
            return all(each["stage"] == "serving" for each in self.workers())

        wait_for(serve, "both serve")
        return [each["pid"] for each in self.workers()]

    def wait_for_end(self, index: int) -> None:
        """Wait until it is known that a worker's first process has ended."""
        wait_for(lambda: self.workers()[index]["ends"] == 1, "its end is seen")

    @contextmanager
    def without(self, pid: int) -> Iterator[None]:
        """Let a worker stand still: whatever is asked, the other one answers."""
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for(lambda: is_stopped(pid), "it stops")
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


class ServingTests(WorkersCase):
    """They serve as one."""

    def test_skopeo(self) -> None:
        """What skopeo has pushed comes back."""
        need("skopeo")
        registry, folder = self.two(), self.folder()
        image = make_image(random_layers())
        with connected(registry.port) as wire:
            push_image(wire, "one", "1", image)
        skopeo = Skopeo(folder)
        base = f"docker://127.0.0.1:{registry.port}"
        skopeo.copy(f"{base}/one:1", f"oci:{folder}/kept:1")
        skopeo.copy(f"oci:{folder}/kept:1", f"{base}/two:1")
        with connected(registry.port) as wire:
            self.assertEqual(image.digest, wire.digest_of("two", "1"))

    def test_upload(self) -> None:
        """Each request of an upload may come to another one."""
        registry = self.two()
        first, second = self.pids()
        content = os.urandom(3 * MIB)
        digest = digest_of(content)
        with self.without(first), connected(registry.port) as wire:
            location = wire.begin_upload("app")
        for index, stopped in enumerate((second, first)):
            part = content[index * MIB : (index + 1) * MIB]
            with self.without(stopped), connected(registry.port) as wire:
                answer = wire.ask("PATCH", location, part, _OCTETS, expect=202)
                location = location_of(answer, location)
        with self.without(second), connected(registry.port) as wire:
            wire.end_upload(location, digest, content[2 * MIB :])
        with self.without(first), connected(registry.port) as wire:
            self.assertEqual(content, wire.pull_blob("app", digest))

    def test_listeners(self) -> None:
        """They take clients wherever the registry listens."""
        need("curl")
        folder, ports = self.folder(), [free_port() for _ in range(2)]
        authority = Authority()
        certificate, key = authority.issue().write(folder)
        described = f"ssl:{ports[0]}:interface=127.0.0.1:privateKey={key}"
        registry = self.registry(
            kind="txregistry",
            http=self.http(
                tls={"certificate": certificate, "key": key},
                listeners=[
                    {"addr": f"127.0.0.1:{ports[1]}", "tls": False},
                    {"addr": f"{folder}/socket", "net": "unix", "tls": False},
                    {"endpoint": f"{described}:certKey={certificate}"},
                ],
            ),
        )
        for pid in self.pids():
            with self.without(pid):
                for port in (registry.port, ports[0]):
                    self.assertTrue(is_serving(port, tls=True))
                self.assertTrue(is_serving(ports[1]))
                url = "http://localhost/v2/"
                got = run("curl", "-sS", "--unix-socket", f"{folder}/socket", url)
                self.assertEqual("{}", got)
        registry.stop()
        self.assertFalse((folder / "socket").exists())

    def test_parent(self) -> None:
        """What the parent finds out holds for both; it tells what both have done."""
        mark = self.folder() / "mark"
        receiver = self.server(Receiver(self.folder()).start())
        endpoint = {"name": "one", "url": f"http://127.0.0.1:{receiver.port}/"}
        registry = self.two(
            {
                "health": {"file": [{"file": str(mark), "interval": "100ms"}]},
                "notifications": {"endpoints": [endpoint]},
            }
        )

        def statuses() -> set[int]:
            found = set()
            for pid in self.pids():
                with self.without(pid), connected(registry.port) as wire:
                    found.add(wire.ask("GET", "/v2/").status)
            return found

        mark.touch()
        wait_for(lambda: statuses() == {503}, "both refuse")
        self.shown("/readyz", 503)
        mark.unlink()
        wait_for(lambda: statuses() == {200}, "both serve")
        self.shown("/readyz")
        digests = []
        for pid in self.pids():
            content = os.urandom(100)
            digests.append(digest_of(content))
            with self.without(pid), connected(registry.port) as wire:
                wire.push_blob("app", digests[-1], content)

        def told() -> list[str]:
            return [event["target"]["digest"] for event in receiver.events()]

        wait_for(lambda: len(told()) >= 2, "both are told")
        self.assertEqual(sorted(digests), sorted(told()))


class EndTests(WorkersCase):
    """A worker's end, and everybody's."""

    def test_killed(self) -> None:
        """One that is killed is replaced, and all that was acknowledged is there."""
        registry = self.two()
        shared = random_layers()[1:]
        pushers = [Pusher(registry.port, f"app{n}", shared) for n in range(4)]
        for pusher in pushers:
            pusher.start()
        wait_for(
            lambda: all(p.pushes and p.pushes[0].acknowledged for p in pushers),
            "each has pushed something",
        )
        for index in range(2):
            os.kill(self.pids()[index], signal.SIGKILL)
            self.wait_for_end(index)
        self.pids()
        registry.stop()
        for pusher in pushers:
            pusher.join(30)
        registry.start()
        problems = [pusher.error for pusher in pushers if pusher.error is not None]
        self.assertEqual([], problems)
        acknowledged = 0
        with connected(registry.port) as wire:
            for index, pusher in enumerate(pushers):
                for push in pusher.pushes:
                    if push.acknowledged:
                        acknowledged += 1
                        self.assertIsNone(push.problem(wire, f"app{index}"))
                    else:
                        self.assertIsNone(push.half(wire, f"app{index}"))
        self.assertGreater(acknowledged, 0)

    def test_hangs(self) -> None:
        """One that hangs is killed and replaced; who it has served comes again."""
        registry = self.two(workertimeout="5s")
        pid = self.pids()[0]
        content = os.urandom(100)
        with self.without(self.pids()[1]), connected(registry.port) as wire:
            wire.push_blob("app", digest_of(content), content)
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(_let_go_on, pid)
        wait_for(lambda: pid not in self.pids(), "it is replaced")
        self.assertTrue(is_gone(pid))
        self.assertIn("worker 1 has given no sign for 5 s", registry.log())
        with connected(registry.port) as wire:
            self.assertEqual(content, wire.pull_blob("app", digest_of(content)))

    def test_drain(self) -> None:
        """At SIGTERM a download runs to its end, and nobody is let in."""
        registry = self.two(draintimeout="60s")
        pids = self.pids()
        content = os.urandom(64 * MIB)
        digest = digest_of(content)
        with connected(registry.port) as wire:
            wire.push_blob("app", digest, content)
        with SlowDownload(registry.port, f"/v2/app/blobs/{digest}") as download:
            download.read_head()
            registry.daemon.signal(signal.SIGTERM)
            wait_for(lambda: not is_serving(registry.port), "nobody listens")
            self.assertTrue(registry.daemon.running)
            self.assertEqual(content, download.read_body(len(content)))
        self.assertEqual(0, registry.daemon.wait(30))
        wait_for(lambda: all(map(is_gone, pids)), "they are gone")
        self.assertEqual(1, registry.log().count("workers: 2"))
        self.assertEqual(1, registry.log().count('msg="stopped"'))

    def test_second_signal(self) -> None:
        """A second SIGTERM ends all of it, whatever runs."""
        registry = self.two(draintimeout="600s")
        content = os.urandom(64 * MIB)
        digest = digest_of(content)
        with connected(registry.port) as wire:
            wire.push_blob("app", digest, content)
        with SlowDownload(registry.port, f"/v2/app/blobs/{digest}") as download:
            download.read_head()
            registry.daemon.signal(signal.SIGTERM)
            wait_for(lambda: not is_serving(registry.port), "nobody listens")
            registry.daemon.signal(signal.SIGTERM)
            registry.daemon.wait(60)

    def test_orphans(self) -> None:
        """When the one that minds them is killed, they end, too."""
        registry = self.two()
        pids = self.pids()
        with connected(registry.port) as wire:
            wire.ask("GET", "/v2/", expect=200)
            registry.daemon.kill()
            wait_for(lambda: all(map(is_gone, pids)), "they are gone")
        self.assertFalse(is_serving(registry.port))

    def test_left(self) -> None:
        """The next start removes what one has left that was killed."""
        temporary = self.folder()

        def folders() -> list[str]:
            return [path.name for path in temporary.glob("txregistry-metrics-*")]

        made = Registry(
            self.folder(),
            kind="txregistry",
            http=self.http(),
            env={"TMPDIR": str(temporary)},
        )
        registry = self.server(made).start()
        pids = self.pids()
        (left,) = folders()
        registry.daemon.kill()
        wait_for(lambda: all(map(is_gone, pids)), "they are gone")
        self.assertEqual([left], folders())
        registry.start()
        self.pids()
        self.assertEqual(1, len(folders()))
        self.assertNotIn(left, folders())
        registry.stop()
        self.assertEqual([], folders())


class SeeingTests(WorkersCase):
    """What is to be seen of them."""

    def look_at_pages(self) -> None:
        """Ask each what it does."""
        stacks = self.shown("/debug/stacks").decode()
        for name in ("parent", "1", "2"):
            self.assertIn(f"== {name}\n", stacks)
        self.assertIn("worker.py", self.shown("/debug/stacks?worker=2").decode())
        self.assertEqual([], json.loads(self.shown("/debug/requests")))
        self.shown("/debug/profile?seconds=0.1&worker=1")
        self.shown("/debug/profile", 400)

    def test_metrics(self) -> None:
        """Metrics are those of all, also of one that was killed; pages, of each."""
        registry = self.two()
        pids = self.pids()
        self.look_at_pages()
        name = "registry_http_requests_total"
        shown = f'{name}{{code="404",handler="manifest",method="get"}}'

        def ask(pid: int, times: int) -> None:
            with self.without(pid), connected(registry.port) as wire:
                for _ in range(times):
                    wire.ask("GET", "/v2/app/manifests/none", expect=404)

        def count() -> float:
            for line in self.shown("/metrics").decode().splitlines():
                if line.startswith(shown):
                    return float(line.rpartition(" ")[2])
            return 0.0

        ask(pids[0], 30)
        ask(pids[1], 12)
        wait_for(lambda: count() == 42, "all are counted")
        os.kill(pids[0], signal.SIGKILL)
        self.wait_for_end(0)
        self.assertEqual(42, count())
        pids = self.pids()
        ask(pids[1], 8)
        wait_for(lambda: count() == 50, "those after it, too")

    def test_reopen(self) -> None:
        """At SIGUSR1 all of them go on in new log files."""
        folder = self.folder()
        access = {"file": str(folder / "access")}
        registry = self.two({"log": {"accesslog": access}})
        (folder / "access").rename(folder / "old")
        registry.daemon.signal(signal.SIGUSR1)
        wait_for(lambda: "were reopened" in registry.log(), "it reopens")
        for number, pid in enumerate(self.pids()):

            def is_in_new_file(number: int = number, pid: int = pid) -> bool:
                with self.without(pid), connected(registry.port) as wire:
                    wire.ask("GET", f"/v2/?worker{number}")
                path = folder / "access"
                return path.exists() and f"?worker{number}" in path.read_text()

            wait_for(is_in_new_file, "it logs there")

    def test_json_lines(self) -> None:
        """Their lines come whole, however long, through a pipe that is often full."""
        need("jq")
        port, folder = free_port(), self.folder()
        config = folder / "config.yml"
        config.write_text(
            f"version: 0.1\n"
            f"log: {{formatter: json}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}/tree}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}', workers: 2}}\n"
        )
        process = subprocess.Popen(
            [installed("txregistry"), "serve", config],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        log = folder / "log"
        assert process.stdout is not None
        reader = Thread(target=_copy_slowly, args=(process.stdout.fileno(), log))
        reader.start()
        wait_for(lambda: is_serving(port), "it serves")

        def ask(client: int) -> None:
            for number in range(5):
                with connected(port) as wire:
                    for length in (0, 3000, 9000):
                        agent = {"User-Agent": f"c{client}n{number}-{'x' * length}"}
                        wire.ask("GET", "/v2/", headers=agent)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(8)))
        # At its end a process does not wait for a slow reader for long.
        wait_for(lambda: log.read_text().count('"c') >= 8 * 5 * 3, "all has come")
        process.terminate()
        process.wait(60)
        reader.join(60)
        query = "fromjson | .user_agent // empty"
        agents = run("jq", "--raw-input", "--raw-output", query, log).splitlines()
        agents = [agent for agent in agents if agent.startswith("c")]
        self.assertEqual(8 * 5 * 3, len(agents))
        self.assertEqual(8 * 5 * 3, len(set(agents)))


class StartTests(WorkersCase):
    """The ways to start them."""

    def test_twistd(self) -> None:
        """Twistd starts them as a daemon, with files for its log and its pid."""
        port, folder = free_port(), self.folder()
        config, pidfile, log = (folder / n for n in ("config.yml", "pid", "log"))
        config.write_text(
            f"version: 0.1\n"
            f"storage: {{filesystem: {{rootdirectory: tree}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}', workers: 2}}\n"
        )
        (folder / "elsewhere").mkdir()
        run(
            *(installed("twistd"), f"--pidfile={pidfile}", f"--logfile={log}"),
            *(f"--rundir={folder}/elsewhere", "txregistry", "--config", config),
            cwd=folder,
        )
        pid = int(pidfile.read_text())
        try:
            wait_for(lambda: "workers: 2" in log.read_text(), "it serves")
            image = make_image(random_layers()[2:])
            with connected(port) as wire:
                push_image(wire, "app", "1", image)
        finally:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: is_gone(pid), "it ends")
        self.assertFalse(pidfile.exists())
        self.assertTrue((folder / "tree/docker/registry/v2/repositories/app").is_dir())
        self.assertIn("PUT /v2/app/manifests/1", log.read_text())

    def test_systemd(self) -> None:
        """They serve on a socket that systemd has opened."""
        folder = self.folder()
        config = folder / "config.yml"
        listeners = [{"endpoint": "systemd:domain=INET:index=0"}]
        storage = {"filesystem": {"rootdirectory": str(folder / "tree")}}
        http = {"workers": 2, "listeners": listeners}
        config.write_text(
            json.dumps({"version": 0.1, "storage": storage, "http": http})
        )
        with socket.create_server(("127.0.0.1", 0)) as opened:
            port = opened.getsockname()[1]
            command: list[str | Path] = [installed("txregistry"), "serve", config]
            daemon = self.server(Activated(command, opened.fileno(), folder / "log"))
            with connected(port, 60) as wire:  # which waits at the socket meanwhile
                wire.ask("GET", "/v2/", expect=200)
            daemon.stop()
            self.assertNotIn("Traceback", daemon.log())

    def test_failure(self) -> None:
        """What keeps it from starting is one line, and exit status 1."""
        folder = self.folder()
        (folder / "tree").write_text("a file")
        config = folder / "config.yml"
        for problem, text in (
            ("http.workers", "storage: {inmemory: {}}\n"),
            ("tree", f"storage: {{filesystem: {{rootdirectory: {folder}/tree}}}}\n"),
        ):
            address = f"127.0.0.1:{free_port()}"
            http = f"http: {{addr: '{address}', workers: 2}}\n"
            config.write_text(f"version: 0.1\n{text}{http}")
            log = self.folder() / "log"
            daemon = Daemon([installed("txregistry"), "serve", config], log)
            self.assertEqual(1, self.server(daemon).wait(60))
            lines = [line for line in log.read_text().splitlines() if problem in line]
            self.assertEqual(1, len(lines), log.read_text())
            self.assertNotIn("Traceback", log.read_text())


def _copy_slowly(descriptor: int, log: Path) -> None:
    """Take what comes from a pipe, a page at a time, into a file."""
    with log.open("wb") as output:
        while data := os.read(descriptor, 4096):
            output.write(data)
            time.sleep(0.001)
