"""Images: whole ones, pushed and pulled by skopeo and by a Docker engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from time import perf_counter
from typing import Final

from bench.processes import cpu_seconds
from bench.results import Row, Sample
from bench.servers import Kind, Server
from bench.workloads.base import MIB, Bench, Workload
from tests.real.dockerd import Docker
from tests.real.images import make_image, make_layer, write_layout
from tests.real.skopeo import Skopeo

_LAYERS: Final = 3
_LAYER_SIZE: Final = 32 * MIB
_NAME: Final = "bench/whole"


def workloads() -> Iterator[Workload]:
    """Return all of them."""
    engine = _Engine()
    runs: dict[str, Callable[[Bench, Kind], list[Sample]]] = {
        "skopeo": _skopeo,
        "dockerd": engine.run,
    }
    for name, run in runs.items():
        rows = {
            "-push": Row(f"{name}: push an image of 96 MiB", "s", more=False, cpu="s"),
            "-pull": Row(f"{name}: pull it", "s", more=False, cpu="s"),
        }
        yield Workload(name, name, rows, run)


def _skopeo(bench: Bench, kind: Kind) -> list[Sample]:
    server = bench.fleet.server(kind)
    folder = Path(mkdtemp(dir=bench.folder))
    skopeo = Skopeo(folder)
    layers = [make_layer({"noise": os.urandom(_LAYER_SIZE)}) for _ in range(_LAYERS)]
    source = write_layout(folder / "image", make_image(layers))
    image = f"docker://{server.address}/{_NAME}:latest"
    try:
        os.sync()
        return [
            _timed(server, lambda: skopeo.copy(source, image)),
            _timed(server, lambda: skopeo.copy(image, f"dir:{folder}/pulled")),
        ]
    finally:
        bench.aside.take(folder)
        server.tree.remove(_NAME)


class _Engine:
    """A Docker engine that is started when it is first needed."""

    def __init__(self) -> None:
        self._docker: Docker | None = None

    def run(self, bench: Bench, kind: Kind) -> list[Sample]:
        """Push and pull an image of its own."""
        docker = self._started(bench)
        server = bench.fleet.server(kind)
        image = f"{server.address}/{_NAME}:latest"
        names = [f"noise-{number}" for number in range(_LAYERS)]
        files = {name: os.urandom(_LAYER_SIZE) for name in names}
        docker.import_image(image, files)
        try:
            os.sync()
            pushed = _timed(server, lambda: docker.push(image))
            docker.remove(image)
            pulled = _timed(server, lambda: docker.pull(image))
            docker.remove(image)
        finally:
            server.tree.remove(_NAME)
        return [pushed, pulled]

    def _started(self, bench: Bench) -> Docker:
        if self._docker is None:
            folder = Path(mkdtemp(prefix="bench-docker-"))
            bench.stack.callback(shutil.rmtree, folder, ignore_errors=True)
            docker = Docker(folder)
            bench.stack.callback(docker.stop)
            self._docker = docker.ready()
        return self._docker


def _timed(server: Server, act: Callable[[], object]) -> Sample:
    cpu = cpu_seconds(server.pid)
    began = perf_counter()
    act()
    return Sample(perf_counter() - began, cpu_seconds(server.pid) - cpu)
