"""Machines as values: what is written into them, how they are plugged in and started, which cannot be."""

from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from pathlib import Path

import pytest

from bastide.lab.errors import LabError
from bastide.lab.names import lab_networks
from bastide.lab.network import address_commands, bridge_commands, cable_commands, replug_script
from bastide.lab.nspawn import mounted_command, nspawn_command
from bastide.lab.seed import SeedFile, seed_files
from bastide.lab.spec import MachineSpec, check_machines

NETWORKS = lab_networks(7)
BALANCER = MachineSpec(
    name="lb1",
    private=IPv4Interface("10.213.7.11/24"),
    public=IPv4Interface("198.18.7.11/24"),
    private6=IPv6Interface((NETWORKS.private6[11], 64)),
    public6=IPv6Interface((NETWORKS.public6[11], 64)),
)
DATABASE = MachineSpec(name="db1", private=IPv4Interface("10.213.7.31/24"))
CLIENT = MachineSpec(name="client", public=IPv4Interface("198.18.7.9/24"), resolver=IPv4Address("127.0.0.1"))
ALL = (BALANCER, DATABASE, CLIENT)


def seed(machine: MachineSpec) -> dict[str, SeedFile]:
    return seed_files(
        machine,
        networks=NETWORKS,
        neighbours=ALL,
        machine_id="0" * 32,
        authorized_key="ssh-ed25519 AAAA me",
        host_key="PRIVATE",
        host_key_public="ssh-ed25519 BBBB host",
    )


def test_a_machine_survives_its_record() -> None:
    for machine in ALL:
        assert MachineSpec.from_record(machine.to_record()) == machine


def test_a_machine_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="no address"):
        MachineSpec(name="lost")


def test_it_is_reached_at_its_private_address_if_it_has_one() -> None:
    assert str(BALANCER.reachable_at) == "10.213.7.11"
    assert str(CLIENT.reachable_at) == "198.18.7.9"


def test_the_default_route_leads_over_the_public_network_where_there_is_one() -> None:
    balancer = seed(BALANCER)
    assert "Gateway" not in balancer["/etc/systemd/network/10-priv0.network"].content
    public = balancer["/etc/systemd/network/10-pub0.network"].content
    assert "Gateway=198.18.7.1\n" in public and f"Gateway={NETWORKS.public6[1]}\n" in public
    database = seed(DATABASE)
    assert "Gateway=10.213.7.1\n" in database["/etc/systemd/network/10-priv0.network"].content
    assert "/etc/systemd/network/10-pub0.network" not in database


def test_secrets_are_roots_alone_inside_the_machine() -> None:
    files = seed(BALANCER)
    assert [path for path, file in files.items() if "PRIVATE" in file.content] == ["/etc/ssh/ssh_host_ed25519_key"]
    assert files["/etc/ssh/ssh_host_ed25519_key"].mode == 0o600
    assert files["/root/.ssh/authorized_keys"].mode == 0o600


def test_every_machine_knows_the_others_names_and_the_client_its_resolver() -> None:
    assert "10.213.7.31 db1\n" in seed(CLIENT)["/etc/hosts"].content
    assert seed(CLIENT)["/etc/resolv.conf"].content == "nameserver 127.0.0.1\n"
    assert "nameserver" not in seed(BALANCER)["/etc/resolv.conf"].content


def test_cables_go_to_the_right_bridges() -> None:
    commands = cable_commands(NETWORKS, BALANCER)
    assert commands[0] == "netns add bst7-lb1"
    assert any("bst7-lb1-p" in line and "peer name priv0 netns bst7-lb1" in line for line in commands)
    assert "link set bst7-lb1-p addrgenmode none master bst7-prv up" in commands
    assert "link set bst7-lb1-u addrgenmode none master bst7-pub up" in commands
    assert not any("bst7-db1-u" in line for line in cable_commands(NETWORKS, DATABASE))
    assert cable_commands(NETWORKS, BALANCER) == commands


def test_addresses_are_there_before_the_machine_boots() -> None:
    assert address_commands(DATABASE) == [
        "addr add 10.213.7.31/24 brd + dev priv0",
        "link set priv0 addrgenmode none",
    ]


def test_a_machine_that_reboots_gets_the_same_cables_anew() -> None:
    lines = replug_script(NETWORKS, DATABASE).splitlines()
    fresh = lines.index("set -e")
    assert "ip netns del bst7-db1" in lines[:fresh] and "ip link del bst7-db1-p 2>/dev/null" in lines[:fresh]
    assert [line.removeprefix("ip ") for line in lines[fresh + 1 : -2]] == cable_commands(NETWORKS, DATABASE)
    assert lines[-1] == "ip -netns bst7-db1 link set priv0 addrgenmode none"


def test_bridges_let_multicast_pass_and_this_computer_is_the_first_address() -> None:
    commands = bridge_commands(NETWORKS)
    assert sum("mcast_snooping 0" in line for line in commands) == 2
    assert sum(" address 02:" in line for line in commands) == 2
    assert "addr replace 198.18.7.1/24 dev bst7-pub" in commands
    assert "addr replace 10.213.7.1/24 dev bst7-prv" in commands


def test_the_command_line_holds_no_key_and_asks_for_no_module_loading() -> None:
    command = nspawn_command(machine="lb1", unique="bst7-lb1", root=Path("/m/root"), netns=Path("/run/netns/x"))
    assert "--boot" in command and "--hostname=lb1" in command and "--keep-unit" in command
    assert not any("SYS_MODULE" in part or "CAP_SYS_RAWIO" in part for part in command)
    mounted = mounted_command(Path("/image"), Path("/m"), command)
    assert "lowerdir=/image,upperdir=/m/upper,workdir=/m/work" in mounted
    assert mounted[-len(command) :] == command


def test_machines_that_fit_are_accepted() -> None:
    check_machines(ALL, NETWORKS)


@pytest.mark.parametrize(
    ("machines", "why"),
    [
        ((BALANCER, BALANCER), "listed twice"),
        ((MachineSpec(name="db2", private=IPv4Interface("10.213.7.31/24")), DATABASE), "would both have"),
        ((MachineSpec(name="db2", private=IPv4Interface("10.213.8.31/24")),), "is not in"),
        ((MachineSpec(name="db2", private=IPv4Interface("10.213.7.1/24")),), "this computer's own"),
    ],
)
def test_machines_that_clash_are_refused(machines: tuple[MachineSpec, ...], why: str) -> None:
    with pytest.raises(LabError) as refused:
        check_machines(machines, NETWORKS)
    assert why in refused.value.hint
