"""The walls, attacked from every side; each scan carries a port that must be found open, or it proves nothing."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator

import pytest

from tests.lab.commands import Commands
from tests.lab.scan import open_among, scan, scan_from_here
from tests.lab.shop.conftest import Raised
from tests.waiting import wait_for

pytestmark = pytest.mark.lab

SSH, WEB, APP, LOCAL_SQL = 22, 8443, 9443, 13306
REPLICATION, SQL, STATUS, SEED = DATABASE = (3306, 3307, 3308, 3309)
INNER = (SSH, 80, 443, 8080, WEB, 9080, APP, *DATABASE, LOCAL_SQL)


@contextlib.contextmanager
def own_wall_down(shop: Commands, host: str) -> Iterator[None]:
    """A host that was conquered: root there has opened its own way out."""
    shop.ask(host, "nft insert rule inet bastide output accept")
    try:
        yield
    finally:
        shop.ask(host, "systemctl reload bastide-firewall")


def dropped_in(shop: Commands, host: str) -> int:
    table = json.loads(shop.ask(host, "nft -j list counter inet bastide dropped_in"))
    return next(int(entry["counter"]["packets"]) for entry in table["nftables"] if "counter" in entry)


@pytest.fixture(scope="module")
def at(raised: Raised) -> dict[str, str]:
    return raised.addresses()


@pytest.fixture(scope="module")
def public(shop: Commands, raised: Raised) -> dict[str, str]:
    """Addresses of the balancers on the internet side, and the virtual one."""
    show = "ip -4 -o addr show dev pub0 | awk '{print $4}' | grep /24 | cut -d/ -f1"
    return {"virtual": raised.edge, "lb1": shop.ask("lb1", show), "lb2": shop.ask("lb2", show)}


def test_the_internet_finds_80_and_443_and_no_other_port(shop: Commands, public: dict[str, str]) -> None:
    # Every port of the virtual address; of the balancers' own those that anything of ours listens on.
    every = "nmap -n -Pn -sS -p- --min-rate 15000 --max-retries 1 --host-timeout 200s -oG -"

    def found() -> list[str]:
        return re.findall(r"(\d+)/open/", shop.ask("client", f"{every} {public['virtual']}", timeout_s=240))

    # At that rate a busy computer may lose an answer, and one that was open is not seen.
    assert wait_for(found, lambda ports: {"80", "443"} <= set(ports)) == ["80", "443"]
    seen = scan(shop, "client", [(a, port) for a in public.values() for port in INNER])
    assert open_among(seen) == {(a, port) for a in public.values() for port in (80, 443)}
    assert set(seen.values()) == {"open", "silent"}, "what is closed does not even answer"


def test_the_internet_does_not_reach_private_addresses_even_through_a_balancer(
    shop: Commands, at: dict[str, str], public: dict[str, str]
) -> None:
    targets = [(address, port) for address in at.values() for port in (SSH, WEB, APP, SQL)]
    control = [(public["virtual"], 443)]
    for gateway in (None, public["lb1"], public["lb2"]):
        network = at["web1"].rpartition(".")[0] + ".0/24"
        if gateway:
            shop.ask("client", f"ip route add {network} via {gateway}")
        try:
            seen = scan(shop, "client", [*targets, *control])
        finally:
            if gateway:
                shop.ask("client", f"ip route del {network}")
        assert open_among(seen) == set(control)


def test_the_private_network_finds_ssh_for_the_administrator_alone(at: dict[str, str]) -> None:
    """This computer is the administrator: it stands in the private network, and is in no flow but SSH's."""
    seen = scan_from_here((address, port) for address in at.values() for port in INNER)
    # The balancers' edge is for everyone, whichever interface they come by.
    edge = {(at[host], port) for host in ("lb1", "lb2") for port in (80, 443)}
    assert open_among(seen) - edge == {(address, SSH) for address in at.values()}


def test_a_web_server_reaches_applications_and_nothing_else(shop: Commands, at: dict[str, str]) -> None:
    targets = [(address, port) for host, address in at.items() if host != "web1" for port in INNER]
    # Packages come by http(s) from anywhere, so the egress of 80 and 443 is allowed, and the edge answers there.
    edge = {(at[host], port) for host in ("lb1", "lb2") for port in (80, 443)}
    allowed = {(at["app1"], APP), (at["app2"], APP)}
    seen = scan(shop, "web1", targets)
    assert open_among(seen) - edge == allowed
    assert seen[at["db1"], SQL] == "walled", "its own wall says so at once"
    with own_wall_down(shop, "web1"):
        seen = scan(shop, "web1", targets)
    assert open_among(seen) - edge == allowed
    assert seen[at["db1"], SQL] == "silent", "the others' walls hold by themselves"


def test_an_application_server_reaches_sql_and_its_status_and_not_replication(
    shop: Commands, at: dict[str, str]
) -> None:
    targets = [(at[host], port) for host in ("db1", "db2", "web1", "app2") for port in INNER]
    allowed = {(at[db], port) for db in ("db1", "db2") for port in (SQL, STATUS)}
    assert open_among(scan(shop, "app1", targets)) == allowed
    with own_wall_down(shop, "app1"):
        assert open_among(scan(shop, "app1", targets)) == allowed


def test_a_database_reaches_its_peer_for_replication_and_nothing_else(shop: Commands, at: dict[str, str]) -> None:
    targets = [(at[host], port) for host in ("db2", "app1", "web1", "monitor1") for port in INNER]
    allowed = {(at["db2"], port) for port in (REPLICATION, STATUS, SEED)}
    assert open_among(scan(shop, "db1", targets)) == allowed
    with own_wall_down(shop, "db1"):
        assert open_among(scan(shop, "db1", targets)) == allowed


def test_a_host_cannot_call_out_to_a_port_of_no_flow(shop: Commands) -> None:
    address = shop.ask("client", "ip -4 -o addr show dev pub0 | awk '{print $4}' | cut -d/ -f1")
    listen = "python3 -m http.server --directory /var/empty"
    shop.ask(
        "client",
        f"mkdir -p /var/empty; for p in 443 4444; do systemd-run -q --unit=ear-$p {listen} $p; done\n"
        "for p in 443 4444; do until ss -Htln sport = :$p | grep -q .; do sleep 0.1; done; done",
    )
    try:
        seen = scan(shop, "lb1", [(address, 443), (address, 4444)])
        assert seen == {(address, 443): "open", (address, 4444): "walled"}
        with own_wall_down(shop, "lb1"):
            assert scan(shop, "lb1", [(address, 4444)]) == {(address, 4444): "open"}, (
                "only the wall stood before it"
            )
    finally:
        shop.ask("client", "systemctl stop ear-443 ear-4444")


def test_ipv6_has_the_same_walls(shop: Commands) -> None:
    show = "ip -6 -o addr show dev pub0 scope link | awk '{print $4}' | cut -d/ -f1"
    lb1 = shop.ask("lb1", show) + "%pub0"
    # The site has no IPv6 address here, so nothing is open, though HAProxy and sshd do listen.
    pairs = [(lb1, port) for port in INNER]
    assert set(scan(shop, "client", pairs).values()) == {"silent"}
    shop.ask("lb1", "nft insert rule inet bastide input accept")
    try:
        assert open_among(scan(shop, "client", pairs)) == {(lb1, SSH), (lb1, 80), (lb1, 443)}
    finally:
        shop.ask("lb1", "systemctl reload bastide-firewall")


def test_what_is_dropped_is_counted_and_logged(shop: Commands, at: dict[str, str]) -> None:
    before = dropped_in(shop, "db1")
    assert scan_from_here([(at["db1"], SQL)]) == {(at["db1"], SQL): "silent"}
    assert dropped_in(shop, "db1") > before
    logged = "journalctl -u ulogd2 --since -5min -o cat | grep 'bastide dropped in:.*DPT=3307'"
    assert shop.ask("db1", f"until {logged}; do sleep 0.2; done")


def test_every_host_has_three_closed_hooks(shop: Commands, at: dict[str, str]) -> None:
    for host in at:
        table = json.loads(shop.ask(host, "nft -j list table inet bastide"))
        chains = [entry["chain"] for entry in table["nftables"] if "chain" in entry]
        assert {c["hook"]: c["policy"] for c in chains if "hook" in c} == {
            # Only false sources end here.
            "prerouting": "accept",
            "input": "drop",
            "output": "drop",
            "forward": "drop",
        }
