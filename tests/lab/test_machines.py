"""Machines: they boot, they can be broken in every way that we offer, and each fault is really one."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastide.lab.disk import machine_dir
from bastide.lab.errors import LabError, MachineFailed, UnknownMachine
from bastide.lab.machines import (
    cut,
    freeze,
    heal,
    kill_machine,
    machine_state,
    remove_machine,
    start_machine,
    stop_machine,
    thaw,
)
from tests.lab.machines_kit import SmallLab, small_lab

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLab]:
    with small_lab("test-machines", tmp_path_factory.mktemp("keys"), "web1", "web2", "db1") as raised:
        raised.up()
        yield raised


def pids(lab: SmallLab) -> dict[str, int | None]:
    return {state.name: state.pid for state in machine_state(lab.name)}


def test_machines_are_debian_with_nothing_running_but_the_base(lab: SmallLab) -> None:
    for name in ("web1", "web2", "db1"):
        assert lab.ask(name, "hostname; systemctl is-system-running --wait") == f"{name}\nrunning"
    services = lab.ask(
        "web1", "systemctl list-units --type=service --state=running --plain --no-legend | cut -d' ' -f1"
    )
    assert set(services.split()) == {
        "dbus.service",
        "ssh.service",
        "systemd-journald.service",
        "systemd-networkd.service",
    }
    assert lab.ask("web1", "systemctl list-timers --all --plain --no-legend | grep -c apt || true") == "0"


def test_machines_reach_each_other_by_name_and_on_both_networks(lab: SmallLab) -> None:
    db1 = lab.machine("db1")
    assert db1.public is not None and db1.private6 is not None
    lab.ask("web1", f"ping -qc1 -w20 db1; ping -qc1 -w20 {db1.public.ip}; ping -qc1 -w20 {db1.private6.ip}")
    assert "dev priv0" in lab.ask("web1", f"ip route get {db1.reachable_at}")
    assert f"via {lab.networks.public[1]} dev pub0" in lab.ask("web1", "ip route get 192.0.2.1")


def test_the_network_counts_as_online_at_once(lab: SmallLab) -> None:
    """Many units wait for it; when networkd is not content with a link, they wait for two minutes."""
    lab.ask("web1", "timeout 5 /lib/systemd/systemd-networkd-wait-online")
    assert (
        lab.ask("web1", "networkctl --no-legend | awk '/ether/ {print $2, $5}'")
        == "priv0 configured\npub0 configured"
    )


def test_raising_again_leaves_running_machines_alone(lab: SmallLab) -> None:
    before = pids(lab)
    assert {(event.machine, event.phase) for event in lab.up() if event.phase != "ready"} == {
        ("web1", "running"),
        ("web2", "running"),
        ("db1", "running"),
    }
    assert pids(lab) == before


def test_a_power_loss_is_silent_and_the_disk_survives_it(lab: SmallLab) -> None:
    lab.ask("db1", "echo kept >/var/lib/bastide-test; sync; logger -t probe before; journalctl --sync")
    with socket.create_connection((str(lab.machine("db1").reachable_at), 22), timeout=60) as peer:
        assert peer.recv(64).startswith(b"SSH-")
        kill_machine(lab.name, "db1")
        peer.settimeout(0.5)
        with pytest.raises(TimeoutError):  # a dying process's kernel would have said goodbye: b""
            peer.recv(1)
    assert not lab.answers("db1")
    assert {state.name for state in machine_state(lab.name) if state.running} == {"web1", "web2"}
    start_machine(lab.name, "db1")
    assert lab.ask("db1", "cat /var/lib/bastide-test") == "kept"
    assert "before" in lab.ask("db1", "journalctl -b -1 -t probe -o cat")


def test_this_computer_keeps_its_mac_address_when_machines_die(lab: SmallLab) -> None:
    def mac() -> str:
        return Path(f"/sys/class/net/{lab.networks.private_bridge}/address").read_text()

    before = mac()
    kill_machine(lab.name, "web1", "web2", "db1")
    assert mac() == before
    start_machine(lab.name, "web1", "web2", "db1")
    assert mac() == before


def test_a_process_that_merely_dies_does_say_goodbye(lab: SmallLab) -> None:
    """The control for the test above: without the cables gone first, the peer is told at once."""
    # Less than the two minutes after which sshd itself ends who does not log in.
    with socket.create_connection((str(lab.machine("db1").reachable_at), 22), timeout=60) as peer:
        assert peer.recv(64).startswith(b"SSH-")
        lab.ask("db1", "pkill -9 -f 'sshd: .*(net|accepted|unknown)' || pkill -9 -n sshd; true")
        assert peer.recv(64) == b""


def test_a_stopped_machine_went_down_in_order(lab: SmallLab) -> None:
    stop_machine(lab.name, "db1")
    assert not next(state for state in machine_state(lab.name) if state.name == "db1").running
    start_machine(lab.name, "db1")
    assert "Power Off" in lab.ask("db1", "journalctl -b -1 -o cat | tail -20")


def test_a_machine_that_reboots_comes_back_with_an_empty_firewall(lab: SmallLab) -> None:
    lab.ask("web2", "nft add table inet old; nft list table inet old; sysctl -qw net.ipv4.ip_nonlocal_bind=1")
    before = pids(lab)["web2"]
    lab.ssh("web2", "systemctl reboot")
    wait_until(lambda: pids(lab)["web2"] not in (before, None) and lab.answers("web2"))
    assert lab.ask("web2", "nft list ruleset; sysctl -n net.ipv4.ip_nonlocal_bind") == "0"
    lab.ask("web1", "ping -qc1 -w20 web2")
    assert lab.ask("web2", "journalctl --list-boots --no-pager | grep -c UTC").strip() >= "2"


def test_a_machine_that_powers_itself_off_stays_off(lab: SmallLab) -> None:
    lab.ssh("db1", "systemctl poweroff")
    # Not when its first process ended: until the last one has, it counts as running, and is left alone.
    wait_until(lambda: not next(state for state in machine_state(lab.name) if state.name == "db1").running)
    lab.up()
    lab.await_answers("db1")


def test_a_cut_machine_hears_nothing_and_comes_back_whole(lab: SmallLab) -> None:
    lab.ask("web1", "ping -qc1 -w20 web2")
    addresses = lab.ask("web2", "ip -o addr show scope global; ip route; ip -6 route")
    cut(lab.name, "web2")
    assert [state.name for state in machine_state(lab.name) if state.cut] == ["web2"]
    assert not lab.answers("web2")
    assert lab.ssh("web1", "ping -qc1 -W1 web2").returncode != 0
    heal(lab.name, "web2")
    lab.ask("web1", "ping -qc1 -w20 web2")
    # The kernel says of a route whose cable has just come back that it is down for up to a second more.
    wait_until(lambda: lab.ask("web2", "ip -o addr show scope global; ip route; ip -6 route") == addresses)


def test_a_frozen_machine_stops_thinking_and_goes_on_where_it_was(lab: SmallLab) -> None:
    before = pids(lab)
    freeze(lab.name, "web2")
    assert [state.name for state in machine_state(lab.name) if state.frozen] == ["web2"]
    assert not lab.answers("web2")
    lab.ask("web1", "ping -qc1 -w20 web2")  # its kernel is ours, and goes on
    thaw(lab.name, "web2")
    lab.await_answers("web2")
    assert pids(lab) == before


def test_a_frozen_machine_can_be_killed(lab: SmallLab) -> None:
    freeze(lab.name, "web2")
    kill_machine(lab.name, "web2")
    start_machine(lab.name, "web2")
    lab.await_answers("web2")


def test_a_wrong_name_breaks_nothing(lab: SmallLab) -> None:
    with pytest.raises(UnknownMachine) as unknown:
        kill_machine(lab.name, "web1", "web9")
    assert "web1" in unknown.value.hint
    lab.await_answers("web1")


def test_a_dead_machine_cannot_be_frozen(lab: SmallLab) -> None:
    kill_machine(lab.name, "db1")
    with pytest.raises(LabError, match="not running: db1"):
        freeze(lab.name, "web1", "db1")
    lab.await_answers("web1")
    start_machine(lab.name, "db1")


def test_a_machine_that_does_not_come_up_is_reported_with_its_log(lab: SmallLab) -> None:
    lab.ask("db1", "echo Nonsense >/etc/ssh/sshd_config.d/broken.conf")
    stop_machine(lab.name, "db1")

    def reported(deadline_s: float) -> str:
        with pytest.raises(MachineFailed) as failed:
            start_machine(lab.name, "db1", deadline_s=deadline_s)
        stop_machine(lab.name, "db1")
        assert set(failed.value.logs) == {"db1"}
        return failed.value.logs["db1"]

    # On a busy computer it may not have come to its sshd within four seconds.
    assert "ssh" in reported(4) or "ssh" in reported(40)
    (machine_dir(lab.name, "db1") / "upper/etc/ssh/sshd_config.d/broken.conf").unlink()
    start_machine(lab.name, "db1")


def test_a_machine_that_ends_at_once_is_not_waited_for(lab: SmallLab) -> None:
    stop_machine(lab.name, "db1")
    init = machine_dir(lab.name, "db1") / "upper/usr/lib/systemd/systemd"
    init.parent.mkdir(parents=True, exist_ok=True)
    init.write_text("no program")
    began = time.monotonic()
    with pytest.raises(MachineFailed):
        start_machine(lab.name, "db1", deadline_s=60)
    assert time.monotonic() - began < 45
    remove_machine(lab.name, "db1")
    assert {state.name for state in machine_state(lab.name)} == {"web1", "web2"}
    lab.up()
    lab.await_answers("db1")


def test_hardened_units_namespaces_and_firewalls_work_inside(lab: SmallLab) -> None:
    properties = (
        "ProtectSystem=strict ProtectHome=yes PrivateTmp=yes PrivateDevices=yes PrivateNetwork=yes"
        " ProtectKernelTunables=yes ProtectKernelModules=yes ProtectKernelLogs=yes ProtectControlGroups=yes"
        " ProtectClock=yes ProtectHostname=yes ProtectProc=invisible ProcSubset=pid RestrictNamespaces=yes"
        " RestrictRealtime=yes RestrictSUIDSGID=yes RestrictAddressFamilies=AF_INET NoNewPrivileges=yes"
        " LockPersonality=yes MemoryDenyWriteExecute=yes SystemCallArchitectures=native"
        " SystemCallFilter=@system-service CapabilityBoundingSet=CAP_NET_BIND_SERVICE DynamicUser=yes"
        " IPAddressDeny=any"
    )
    options = " ".join(f"-p {item}" for item in properties.split())
    lab.ask("web1", f"systemd-run -q --wait --collect {options} true")
    # The sandbox is one: what it forbids fails.
    refused = lab.ssh("web1", "systemd-run -q --wait --collect -p ProtectSystem=strict touch /usr/bin/x")
    assert refused.returncode != 0
    lab.ask("web1", "unshare -mn true; unshare -mnpf --mount-proc true")
    lab.ask("web1", "sysctl -qw net.ipv4.ip_nonlocal_bind=1 net.ipv4.tcp_syncookies=1 net.core.somaxconn=4096")
    lab.ask(
        "web1",
        "printf 'table inet probe {\\n set s { type ipv4_addr; flags dynamic,timeout; timeout 1m; }\\n"
        " chain c { type filter hook input priority 0; ct state vmap { established : accept, invalid : drop };"
        " fib saddr . iif oif missing counter; add @s { ip saddr limit rate 1000/second } accept; }\\n}\\n'"
        " | nft -f -;"
        " nft -j list table inet probe; nft delete table inet probe",
    )


def test_mariadb_runs_with_direct_io_on_the_machines_disk(lab: SmallLab) -> None:
    lab.ask("db1", "systemctl start mariadb")
    method = lab.ask("db1", "mariadb -Ne \"create database t; show variables like 'innodb_flush_method'\"")
    assert method.split() == ["innodb_flush_method", "O_DIRECT"]
    lab.ask("db1", "dd if=/dev/zero of=/var/lib/direct bs=4k count=4 oflag=direct status=none")


VRRP = """
vrrp_instance edge {{
  state BACKUP
  interface pub0
  virtual_router_id 51
  priority {priority}
  advert_int 0.1
  version 3
  virtual_ipaddress {{
    {address}
  }}
}}
"""


def test_vrrp_passes_the_bridge_and_the_address_moves_when_its_holder_loses_power(lab: SmallLab) -> None:
    virtual = f"{lab.networks.public[5]}/24"
    for name, priority in (("web1", 150), ("web2", 100)):
        config = VRRP.format(priority=priority, address=virtual)
        config = "global_defs {\n vrrp_version 3\n}\n" + config.replace("  version 3\n", "")
        lab.ask(name, f"cat >/etc/keepalived/keepalived.conf <<'END'\n{config}END\nsystemctl restart keepalived")
    held = f"ip -o addr show dev pub0 | grep -c '{virtual}' || true"
    wait_until(lambda: lab.ask("web1", held) == "1" and lab.ask("web2", held) == "0")
    kill_machine(lab.name, "web1")
    wait_until(lambda: lab.ask("web2", held) == "1")
    lab.ask("web2", "systemctl stop keepalived")
    start_machine(lab.name, "web1")


def wait_until(holds: object, *, within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    assert callable(holds)
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
