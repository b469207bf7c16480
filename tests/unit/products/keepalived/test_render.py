"""keepalived's configuration, as text and before its own checker."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from bastide.products.context import HostContext
from bastide.products.keepalived.render import render
from bastide.products.keepalived.view import derive_view
from tests.unit.products.haproxy import scene

PAIR = {"virtual_ip": "192.0.2.10", "interface": "pub0"}


def on(context: HostContext, host: str) -> HostContext:
    return dataclasses.replace(context, host=context.topology.hosts[host])


def test_balancers_agree_on_all_but_their_own_address_and_priority() -> None:
    context = scene.context(balancer={**PAIR, "advert_interval": "0.2s", "router_id": 7})
    first, second = (derive_view(on(context, host)) for host in ("lb1", "lb2"))
    assert (str(first.address), *map(str, first.peers)) == ("192.0.2.11", "192.0.2.12")
    assert (str(second.address), *map(str, second.peers)) == ("192.0.2.12", "192.0.2.11")
    assert first.priority > second.priority
    same = dataclasses.replace(
        second, host=first.host, address=first.address, peers=first.peers, priority=first.priority
    )
    assert same == first
    assert (first.advert_interval_s, first.router_id, first.virtual_address) == ("0.20", 7, "192.0.2.10/32")


def test_a_layout_without_a_virtual_address_has_no_keepalived() -> None:
    context = scene.context()
    assert not context.runs("keepalived")
    with pytest.raises(KeyError):
        derive_view(context)


def test_the_same_input_gives_the_same_bytes() -> None:
    assert render(scene.context(balancer=PAIR)) == render(scene.context(balancer=PAIR))


@pytest.mark.skipif(not scene.has("keepalived", "unshare", "ip"), reason="needs keepalived")
@pytest.mark.parametrize(("interface", "passes"), [("pub0", True), ("nosuch0", False), (None, False)])
def test_keepalived_itself_judges_the_configuration(tmp_path: Path, interface: str | None, passes: bool) -> None:
    """In a network of its own, with an interface pub0. Wrong: an interface that is not there, or none named."""
    fragment = render(scene.context(balancer={**PAIR, "interface": interface}))
    config = scene.write_tree(fragment, tmp_path)
    (check,) = (c for c in fragment.checks if c.name == "keepalived")
    argv = [str(config) if word.startswith("/etc/bastide/") else word for word in check.argv]
    done = subprocess.run(
        [
            "unshare",
            "--net",
            "--map-root-user",
            "sh",
            "-c",
            'ip link add pub0 type veth peer name other && "$@"',
            "sh",
            *argv,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is passes, done.stderr
