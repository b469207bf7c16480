"""The walls: exactly the flows, in the syntax that nft accepts."""

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from bastide.policy.materials import KeyPair, Materials
from bastide.products.context import HostContext
from bastide.products.nftables.render import RULESET, render
from bastide.products.nftables.view import view_ruleset
from bastide.spec.model import Spec
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD, make_spec


def context(spec: Spec, host: str) -> HostContext:
    topology = resolve_topology(spec)
    nothing = Materials(
        trust_anchor_pem="",
        identities={},
        edge=KeyPair(certificate_pem="", key_pem=""),
        secrets={},
        releases={},
    )
    return HostContext(spec=spec, topology=topology, materials=nothing, host=topology.hosts[host])


def ports(spec: Spec, host: str) -> dict[int | None, set[str]]:
    """Incoming ports of a host, with the sources that may use them."""
    found: dict[int | None, set[str]] = defaultdict(set)
    for rule in view_ruleset(context(spec, host)).incoming:
        if rule.family == "ip":
            found[rule.port] |= set(rule.sources)
    return dict(found)


def test_a_web_server_hears_the_balancers_the_monitor_and_administrators_alone() -> None:
    assert ports(make_spec(), "web1") == {
        8443: {"10.213.0.10/31", "198.18.0.10/31", "10.213.0.18"},
        22: {"10.213.0.1"},
    }


def test_a_database_hears_application_hosts_and_its_peer_but_no_web_server() -> None:
    open_to = ports(make_spec(), "db1")
    assert set(open_to) == {3306, 3307, 3308, 3309, 22}
    assert open_to[3307] == {"10.213.0.14/31"}
    assert open_to[3306] == {"10.213.0.17"}


def test_only_balancers_are_open_to_the_internet() -> None:
    spec = make_spec()
    open_hosts = {
        host for host in RESILIENT for rule in view_ruleset(context(spec, host)).incoming if not rule.sources
    }
    assert open_hosts == {"lb1", "lb2"}


def test_a_monitor_reaches_the_site_where_clients_do() -> None:
    """By the virtual address too, which no host has for good."""
    (rule,) = [r for r in view_ruleset(context(make_spec(), "monitor1")).outgoing if r.flow == "monitor-site"]
    assert rule.destinations == ("198.18.0.5", "198.18.0.10/31")
    (rule,) = [r for r in view_ruleset(context(make_spec(), "lb1")).incoming if r.flow == "monitor-site"]
    assert (rule.sources, rule.limited) == (("10.213.0.18",), False)


def test_without_egress_a_host_may_open_only_its_flows() -> None:
    spec = make_spec(firewall={"egress": []})
    outgoing = view_ruleset(context(spec, "web1")).outgoing
    assert {r.flow for r in outgoing} == {"web-app", "host-monitor"}


def test_an_ipv6_admin_network_opens_ssh_for_ipv6_alone() -> None:
    spec = make_spec(firewall={"admin": ["2001:db8::/64"]})
    (rule,) = view_ruleset(context(spec, "web1")).admin
    assert (rule.family, rule.sources) == ("ip6", ("2001:db8::/64",))


@pytest.mark.parametrize(
    "layout", [RESILIENT, WHITEBOARD, EVERYTHING_ON_ONE], ids=["resilient", "whiteboard", "one"]
)
def test_nft_accepts_every_ruleset(layout: dict[str, list[str]], tmp_path: Path) -> None:
    spec = make_spec(layout)
    for host in layout:
        for file in render(context(spec, host)).files:
            if file.path.endswith(".nft"):
                assert nft_check(file.content, tmp_path) == ""


def test_an_administrators_connection_that_is_older_than_the_wall_goes_on() -> None:
    """Measured: without it, answers were dropped until the administrator's side spoke, and an apply stood still."""
    (ruleset,) = [f for f in render(context(make_spec(), "web1")).files if f.path == RULESET]
    output = ruleset.content.decode().split("chain output")[1].split("chain forward")[0]
    assert "ip daddr { 10.213.0.1 } tcp sport 22 tcp flags & (syn | ack) == ack accept" in output


def test_nft_refuses_a_broken_ruleset(tmp_path: Path) -> None:
    """Negative control: the check above can fail."""
    (ruleset,) = [f for f in render(context(make_spec(), "web1")).files if f.path == RULESET]
    assert "syntax error" in nft_check(ruleset.content.replace(b"dport", b"dprot"), tmp_path)


def nft_check(content: bytes, folder: Path) -> str:
    """What the real nft says against a ruleset; in a namespace of its own, so that nobody needs to be root."""
    assert shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin"), "nftables is not installed: scripts/setup test"
    file = folder / "ruleset.nft"
    file.write_bytes(content)
    done = subprocess.run(
        ["unshare", "-rn", "nft", "-c", "-f", str(file)], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr
