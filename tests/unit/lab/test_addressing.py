"""The lab's address plan: stable for what runs, whatever comes and goes in the spec."""

from ipaddress import IPv4Interface, IPv4Network

import pytest

from bastide.lab.addressing import LabTooLarge, assign_addresses, derive_lab_addresses, lab_domains, local_domain
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, make_spec

PUBLIC, PRIVATE = IPv4Network("198.18.7.0/24"), IPv4Network("10.213.7.0/24")


def test_a_host_that_joins_in_the_middle_moves_no_other() -> None:
    before = derive_lab_addresses(make_spec({"lb": ["balancer"], "web2": ["web"]}), PUBLIC, PRIVATE)
    spec = make_spec({"lb": ["balancer"], "web1": ["web"], "web2": ["web"]})
    after = derive_lab_addresses(spec, PUBLIC, PRIVATE, known=before.private)
    assert after.private["web2"] == before.private["web2"]
    assert after.private["web1"] == IPv4Interface("10.213.7.12/24")


def test_the_address_of_a_host_that_left_is_not_given_away() -> None:
    known = {"gone": IPv4Interface("10.213.7.10/24")}
    plan = derive_lab_addresses(make_spec({"lb": ["balancer"]}), PUBLIC, PRIVATE, known=known)
    assert plan.private == {"lb": IPv4Interface("10.213.7.11/24")}


def test_more_machines_than_addresses_are_refused() -> None:
    spec = make_spec({f"web{index}": ["web"] for index in range(300)})
    with pytest.raises(LabTooLarge):
        derive_lab_addresses(spec, PUBLIC, PRIVATE)


def test_only_balancers_and_monitors_stand_on_the_public_side_and_two_share_a_virtual_address() -> None:
    plan = derive_lab_addresses(make_spec(RESILIENT), PUBLIC, PRIVATE)
    assert list(plan.public) == ["lb1", "lb2", "monitor1"]
    assert plan.edge == plan.virtual_ip
    alone = derive_lab_addresses(make_spec(EVERYTHING_ON_ONE), PUBLIC, PRIVATE)
    assert alone.virtual_ip is None
    first = derive_lab_addresses(make_spec({"watch": ["monitor"], "lb": ["balancer"]}), PUBLIC, PRIVATE)
    assert first.edge == first.public["lb"].ip
    assert alone.edge == alone.public["all1"].ip


def test_addresses_of_real_servers_never_reach_the_lab() -> None:
    spec = make_spec(RESILIENT, ssh={"user": "admin", "port": 2222})
    lab = assign_addresses(spec, derive_lab_addresses(spec, PUBLIC, PRIVATE))
    assert all(host.address in PRIVATE for host in lab.hosts.values())
    assert lab.balancer.virtual_ip in PUBLIC
    assert (lab.ssh.user, lab.ssh.port) == ("root", 22)
    assert [str(n) for n in lab.firewall.admin] == ["10.213.7.1/32"]


def test_this_computer_never_resolves_a_real_domain_to_the_lab() -> None:
    real = make_spec(RESILIENT, domains=["shop.example.com"])
    assert local_domain(real) == "shop.bastide.test"
    assert lab_domains(real) == ("shop.example.com", "shop.bastide.test")
    assert lab_domains(make_spec(RESILIENT)) == ("shop.test",)
