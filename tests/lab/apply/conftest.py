"""Two real machines for the tests of apply, and a clean slate for each test."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from bastide.apply.events import Event
from bastide.apply.result import ApplyResult
from bastide.apply.run import ApplySettings, apply_bundles
from bastide.bundle.model import HostBundle
from bastide.lab.image import ensure_image
from bastide.lab.machines import MachineSpec, destroy, raise_machines
from bastide.lab.packages import DEFAULT_PACKAGES
from bastide.lab.state import reserve_networks
from bastide.products.fragment import Archive
from bastide.project.target import Target
from bastide.spec.model import Spec
from bastide.spec.parts import App
from bastide.spec.parts import Host as HostSpec
from bastide.topology.model import Host, Topology
from bastide.transport.endpoint import Endpoint, ssh_argv
from bastide.transport.ssh import close_kept_connection, open_conversation
from tests.lab.apply.bundles import make_release
from tests.lab.machines_kit import of_this_checkout
from tests.waiting import LONG_S, wait_for

LAB = of_this_checkout("apply-tests")
HOSTS = ("web1", "web2")
_CONNECT_S = 15.0
_SSH_FAILED = 255
"""ssh's own exit status, where it did not get through."""
_RESET = """
for t in $(systemctl list-units --plain --no-legend 'bastide-guard-*' | cut -d' ' -f1); do systemctl stop $t; done
for u in nginx worker setup; do systemctl disable -q $u; systemctl stop $u; done 2>/dev/null
rm -rf /var/lib/bastide /etc/bastide /srv/bastide /var/lib/shop /run/bastide /etc/sysctl.d/60-bastide.conf
rm -f /etc/systemd/system/nginx.service /etc/systemd/system/worker.service /etc/systemd/system/setup.service
userdel shopworker 2>/dev/null
systemctl daemon-reload; systemctl reset-failed; true
"""


@dataclass
class Ground:
    """The machines, as a test sees them."""

    endpoints: dict[str, Endpoint]
    topology: Topology
    release: Archive
    blobs: Path
    state: Path
    events: list[Event] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    """`ApplySettings` of every apply."""

    def apply(
        self,
        *bundles: HostBundle,
        confirm_s: float = 30.0,
        watch: Callable[[Event], None] | None = None,
        **settings: Any,
    ) -> ApplyResult:
        """Apply these bundles; `watch` sees each event first; further words are `ApplySettings`."""
        self.events.clear()

        def heard(event: Event) -> None:
            self.events.append(event)
            if watch is not None:
                watch(event)

        return apply_bundles(
            {bundle.host: bundle for bundle in bundles},
            self.endpoints,
            self.topology,
            on_event=heard,
            archives=lambda digest: self.blobs / digest,
            state_dir=self.state,
            settings=ApplySettings(**{"who": "test", "confirm_s": confirm_s, **self.settings, **settings}),
        )

    def apply_once_free(self, *bundles: HostBundle) -> ApplyResult:
        """The next apply after one that was broken off. A host that is busy, or was cut off, may not know yet that its
        controller is gone: as it says, its lease ends by itself, and then it takes the next one."""
        end = time.monotonic() + LONG_S
        while True:
            result = self.apply(*bundles)
            if time.monotonic() > end or all(host.phase != "lease" for host in result.hosts.values()):
                return result
            time.sleep(0.5)

    def apply_and_die(
        self, *bundles: HostBundle, when: Callable[[Event], bool], confirm_s: float = 30.0, **settings: Any
    ) -> None:
        """Apply in a process of its own, which is killed -9 when that event comes."""

        def watch(event: Event) -> None:
            if when(event):
                os.kill(os.getpid(), signal.SIGKILL)

        controller = multiprocessing.get_context("fork").Process(
            target=self.apply, args=bundles, kwargs={"confirm_s": confirm_s, "watch": watch, **settings}
        )
        controller.start()
        controller.join(180)
        assert controller.exitcode == -signal.SIGKILL

    def ask(self, host: str, operation: str, **fields: Any) -> dict[str, Any]:
        """One operation on a host."""
        with open_conversation(self.endpoints[host]) as conversation:
            answer: dict[str, Any] = conversation.request(operation, **fields)
            return answer

    def target(self) -> Target:
        """What verbs act on; its spec names the hosts alone."""
        hosts = {name: HostSpec(roles=["web"], address=host.private) for name, host in self.topology.hosts.items()}
        spec = Spec(name="shop", domains=("shop.test",), hosts=hosts, app=App(kind="static"))
        return Target(kind="servers", spec=spec, state=self.state, base=self.blobs, endpoints=self.endpoints)

    def activation(self, host: str) -> dict[str, object]:
        """What the host remembers of its newest activation."""
        found: dict[str, object] = json.loads(self.sh(host, "cat /var/lib/bastide/activation.json"))
        return found

    def sh(self, host: str, command: str) -> str:
        """Run a shell command on a host; again, where ssh did not get through: an empty answer would be taken for one."""
        argv = [*ssh_argv(self.endpoints[host], connect_s=_CONNECT_S), command]
        done = wait_for(
            lambda: subprocess.run(argv, capture_output=True, text=True, check=False),
            lambda done: done.returncode != _SSH_FAILED,
        )
        return done.stdout.strip()


@pytest.fixture(scope="package")
def machines() -> Iterator[tuple[dict[str, Endpoint], Topology]]:
    """Raise the machines once."""
    with raised_hosts(LAB, HOSTS) as raised:
        yield raised


@contextlib.contextmanager
def raised_hosts(lab: str, names: tuple[str, ...]) -> Iterator[tuple[dict[str, Endpoint], Topology]]:
    """Machines of a lab, how to reach them, and a topology in which each is a web server."""
    folder = Path(tempfile.mkdtemp(prefix="bastide-apply-"))
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    networks = reserve_networks(lab)
    specs = [
        MachineSpec(name=name, private=IPv4Interface((networks.private[10 + i], networks.private.prefixlen)))
        for i, name in enumerate(names)
    ]
    try:
        raise_machines(
            lab,
            specs,
            image=ensure_image(DEFAULT_PACKAGES, print),
            authorized_key=key.with_suffix(".pub").read_text().strip(),
            host_keys_dir=folder / "hostkeys",
            on_event=lambda event: None,
        )
    except BaseException:
        destroy(lab)
        raise
    endpoints = {
        s.name: Endpoint(
            host=s.name, address=str(s.reachable_at), identity_file=key, known_hosts=folder / "known_hosts"
        )
        for s in specs
    }
    hosts = {s.name: Host(name=s.name, roles=("web",), private=s.reachable_at, public=None) for s in specs}
    topology = Topology(
        name="shop", domains=("shop.test",), internal_domain="shop.internal", hosts=hosts, services=(), flows=(),
        virtual_ip=None,
    )  # fmt: skip
    try:
        yield endpoints, topology
    finally:
        for endpoint in endpoints.values():
            close_kept_connection(endpoint)
        destroy(lab)
        shutil.rmtree(folder)


@pytest.fixture
def ground(machines: tuple[dict[str, Endpoint], Topology], tmp_path: Path) -> Ground:
    """Machines on which nothing was ever applied."""
    return clean_ground(machines, tmp_path)


def clean_ground(machines: tuple[dict[str, Endpoint], Topology], folder: Path) -> Ground:
    """All machines as they were before the first apply."""
    endpoints, topology = machines
    release = make_release(folder)
    ready = Ground(endpoints=endpoints, topology=topology, release=release, blobs=folder, state=folder / "state")
    for host in endpoints:
        ready.sh(host, _RESET)
    return ready
