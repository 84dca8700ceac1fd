"""How many manifests a second a registry serves to who shows a password with each.

Run as ``python -m bench.auth`` in the project's environment; needs ``wrk`` and
``docker-registry``. Both registries have the same htpasswd file (bcrypt, cost 10) and
are asked in turn; the medians and their ratio are printed.
"""

from __future__ import annotations

import argparse
from base64 import b64encode
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from bench.wrk import rate
from tests.real.commands import need
from tests.real.images import make_image, random_layers
from tests.real.registries import Registry
from tests.real.wire import DOCKER_MANIFEST, MANIFEST, connected
from txregistry.auth.editing import set_password

USER, PASSWORD = "alice", "open sesame"
NAME, TAG = "some/name", "latest"
_COST: Final = 10
_SHOWN: Final = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_HEADERS: Final = {
    "Authorization": f"Basic {_SHOWN}",
    "Accept": f"{MANIFEST}, {DOCKER_MANIFEST}",
}
_KINDS: Final = ("txregistry", "go")


def main() -> None:
    """Measure and print."""
    need("wrk", "docker-registry")
    arguments = _arguments()
    rates: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        registries = _start(folder, stack)
        for _ in range(arguments.rounds):
            for kind, registry in registries.items():
                rates[kind].append(_rate(registry, arguments))
                print(f"{kind}: {rates[kind][-1]:.1f}/s", flush=True)
    middle = {kind: median(found) for kind, found in rates.items()}
    print(f"{arguments.connections} connections, {arguments.rounds} rounds, medians:")
    for kind, found in middle.items():
        print(f"{kind}: {found:.1f} manifests/s")
    print(f"ratio: {middle['txregistry'] / middle['go']:.1f}")


def _start(folder: Path, stack: ExitStack) -> Mapping[str, Registry]:
    """Start a registry of each kind, with one image in it."""
    users = str(folder / "htpasswd")
    set_password(users, USER.encode(), PASSWORD.encode(), _COST)
    options = {"realm": "registry", "path": users}
    image = make_image(random_layers()[2:])
    registries = {}
    for kind in _KINDS:
        place = folder / kind
        place.mkdir()
        settings = {"auth": {"htpasswd": options}}
        registry = Registry(place, kind=kind, settings=settings).start()
        stack.callback(registry.stop)
        with connected(registry.port) as wire:
            target = f"/v2/{NAME}/blobs/uploads/"
            for digest, content in image.blobs.items():
                begun = wire.ask("POST", target, b"", _HEADERS, expect=202)
                end = f"{begun.headers['location']}&digest={digest}"
                wire.ask("PUT", end, content, _HEADERS, expect=201)
            target = f"/v2/{NAME}/manifests/{TAG}"
            typed = {**_HEADERS, "Content-Type": MANIFEST}
            wire.ask("PUT", target, image.manifest, typed, expect=201)
        registries[kind] = registry
    return registries


def _rate(registry: Registry, arguments: argparse.Namespace) -> float:
    """Ask a registry for a while; return how many answers a second it gave."""
    url = f"http://{registry.address}/v2/{NAME}/manifests/{TAG}"
    return rate(url, _HEADERS, arguments.connections, arguments.seconds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    return parser.parse_args()


if __name__ == "__main__":
    main()
