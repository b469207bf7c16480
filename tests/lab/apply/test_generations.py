"""Generations: going back, from here or from a host's console; what a host remembers; what leaves with the spec."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from bastide.apply.events import Warned
from bastide.apply.observe import observe_host
from bastide.apply.result import ApplyResult
from bastide.bundle.assemble import assemble_bundle
from bastide.bundle.model import HostBundle
from bastide.plan.diff import diff_host
from bastide.plan.words import difference
from bastide.products.fragment import Fragment
from bastide.project.decommission import decommission_host
from bastide.project.history import read_history
from bastide.project.rollback import CannotReturn, Return, find_return
from bastide.transport.ssh import open_conversation
from tests.lab.apply.bundles import web_bundle, web_fragment, worker_fragment
from tests.lab.apply.conftest import HOSTS, Ground

pytestmark = pytest.mark.lab
GET = "curl -s http://127.0.0.1:8080/"


def site(ground: Ground, text: str, *hosts: str) -> list[HostBundle]:
    return [web_bundle(host, ground.release, text=text) for host in hosts or HOSTS]


def served(ground: Ground) -> list[str]:
    return [ground.sh(host, GET) for host in HOSTS]


def go_back(ground: Ground, to: int | None = None, *hosts: str) -> tuple[Return, ApplyResult]:
    """As `bastide rollback` does."""
    found = find_return(ground.target(), to, frozenset(hosts))
    result = ground.apply(
        *found.bundles.values(),
        operation="rollback",
        numbers=found.numbers,
        who="anna",
        on_purpose="anna went back",
    )
    return found, result


def test_rollback_undoes_the_newest_apply_where_it_changed_something_and_nowhere_else(ground: Ground) -> None:
    assert [ground.apply(*site(ground, "one")).number, ground.apply(*site(ground, "two")).number] == [1, 2]
    assert ground.apply(*site(ground, "two", "web1"), *site(ground, "three", "web2")).number == 3
    found, result = go_back(ground)
    assert (found.number, list(found.bundles)) == (2, ["web2"]) and result.ok, result
    assert served(ground) == ["two", "two"]
    changed = {line.strip("+- ") for line in _shown(found) if line.startswith(("+", "-"))}
    assert changed == {f'location / {{ return 200 "{text}\\n"; }}' for text in ("two", "three")}
    found, result = go_back(ground)
    assert (found.number, sorted(found.bundles)) == (1, ["web1", "web2"]) and result.ok
    assert served(ground) == ["one", "one"]
    assert ground.activation("web1")["phase"] == "confirmed", "confirmed over a new connection, like an apply"
    found, result = go_back(ground, 3, "web2")
    assert result.ok and served(ground) == ["one", "three"], "forward again, by number, one host alone"
    assert ground.apply(*site(ground, "four")).number == 4
    assert go_back(ground)[0].number == 3 and served(ground) == ["one", "three"]


def _shown(found: Return) -> list[str]:
    return [
        line
        for plan in found.plans
        for step in plan.steps
        for line in difference(step, found.contents[plan.host], found.old[plan.host])
    ]


def test_rollback_that_fails_its_probes_leaves_what_ran(ground: Ground) -> None:
    ground.apply(*site(ground, "one"))
    ground.apply(*site(ground, "two"))
    # The older generation can run no longer: something took its port.
    found = find_return(ground.target(), None, frozenset({"web1"}))
    ground.sh("web1", "mv /usr/bin/curl /usr/bin/curl.away")
    try:
        result = ground.apply(*found.bundles.values(), operation="rollback", numbers=found.numbers)
    finally:
        ground.sh("web1", "mv /usr/bin/curl.away /usr/bin/curl")
    assert result.hosts["web1"].outcome == "failed"
    assert served(ground) == ["two", "two"]
    assert find_return(ground.target(), None, frozenset({"web1"})).number == 1, "it was not counted"


def test_status_and_plan_say_that_an_older_generation_runs_on_purpose(ground: Ground) -> None:
    new = site(ground, "two", "web1")[0]
    ground.apply(*site(ground, "one"))
    ground.apply(new)
    go_back(ground, None, "web1")
    assert ground.ask("web1", "status")["on_purpose"] == "anna went back"
    with open_conversation(ground.endpoints["web1"]) as conversation:
        assert diff_host(new, observe_host(conversation, new)).on_purpose == "anna went back"
    ground.apply(new)
    assert ground.ask("web1", "status")["on_purpose"] == "", "an apply goes forward again"
    go_back(ground, None, "web1")
    assert ground.apply(*site(ground, "one", "web1")).changes == 0, "the spec follows: that settles it"
    assert ground.ask("web1", "status")["on_purpose"] == ""


def test_console_lists_and_goes_back_by_number_without_a_controller(ground: Ground) -> None:
    for text in ("one", "two", "three"):
        ground.apply(*site(ground, text, "web1"), who="anna@laptop", commit="3f1c2ab90d11")
    listed = ground.sh("web1", "bastide-host generations").splitlines()
    assert [line.split()[0] for line in listed] == ["1", "2", "*"]
    assert all(re.search(r"anna@laptop +3f1c2ab90d11", line) for line in listed)
    assert "previous generation is back" in ground.sh("web1", "bastide-host rollback --to 1")
    assert ground.sh("web1", GET) == "one"
    assert "Kept: 1, 2, 3" in ground.sh("web1", "bastide-host rollback --to 0 2>&1")
    assert "console went back from apply 3" in ground.ask("web1", "status")["on_purpose"]
    assert "previous generation is back" in ground.sh("web1", "bastide-host rollback --to 3")
    assert ground.sh("web1", GET) == "three"
    assert ground.apply(*site(ground, "three", "web1")).ok


def test_generations_are_pruned_by_count_and_a_pruned_one_is_refused_by_name(ground: Ground) -> None:
    for number in range(1, 6):
        assert ground.apply(*site(ground, f"n{number}", "web1"), keep=3).number == number
    assert len(ground.sh("web1", "ls /var/lib/bastide/generations").split()) == 3
    with pytest.raises(CannotReturn) as refused:
        find_return(ground.target(), 1, frozenset({"web1"}))
    assert refused.value.lines == ("web1: keeps 3, 4, 5",)
    assert go_back(ground, 3, "web1")[1].ok and ground.sh("web1", GET) == "n3"


def test_journals_of_hosts_and_controller_make_one_history(ground: Ground) -> None:
    ground.apply(*site(ground, "one"), who="anna", commit="aaa")
    ground.apply(*site(ground, "two", "web1"), who="ben", commit="bbb")
    failing = web_bundle("web1", ground.release, text="bad", probe_port=8081)
    assert not ground.apply(failing, who="ben", commit="ccc").ok
    go_back(ground)
    ground.sh("web2", "bastide-host rollback")  # before its first apply there was nothing
    lines = read_history(ground.target())
    told = [(line.number, line.operation, line.result, line.who, line.commit, sorted(line.hosts)) for line in lines]
    assert told == [
        (1, "apply", "done", "anna", "aaa", ["web1", "web2"]),
        (2, "apply", "done", "ben", "bbb", ["web1"]),
        (3, "apply", "failed", "ben", "ccc", ["web1"]),
        (1, "rollback", "done", "anna", "", ["web1"]),
        (0, "rollback", "done", "console", "", ["web2"]),
    ], told
    # Another controller, which has no journal of these, reads the same from the hosts.
    (ground.state / "journal").unlink()
    again = read_history(ground.target())
    assert [(line.number, line.result, line.who) for line in again] == [(n, r, w) for n, _, r, w, _, _ in told]
    assert ground.sh("web1", "stat -c %a /var/lib/bastide/journal") == "600"


def test_what_left_the_spec_leaves_users_and_kernel_settings_too(ground: Ground) -> None:
    ground.sh("web1", "echo 0 > /proc/sys/net/ipv4/ip_nonlocal_bind")
    ground.sh("web1", "useradd --system theirs 2>/dev/null")
    wanted = web_bundle("web1", ground.release, worker_fragment())
    ground.apply(wanted)
    assert ground.sh("web1", "cat /proc/sys/net/ipv4/ip_nonlocal_bind") == "1"
    plain = assemble_bundle("web1", [_without_sysctls(web_fragment(ground.release))])
    with open_conversation(ground.endpoints["web1"]) as conversation:
        steps = [type(s).__name__ for s in diff_host(plain, observe_host(conversation, plain)).steps]
    assert {"RemoveUnit", "RemoveFile", "SetSysctls", "RemoveUser"} <= set(steps)
    assert ground.apply(plain).ok
    assert ground.sh("web1", "cat /proc/sys/net/ipv4/ip_nonlocal_bind; ls /etc/sysctl.d/60-bastide.conf") == "0"
    assert ground.sh("web1", "id -u shopworker"), "it owns /var/lib/shop, whose files must not become another's"
    ground.sh("web1", "rm -r /var/lib/shop")
    ground.apply(wanted)
    ground.sh("web1", "rm -r /var/lib/shop/*; systemctl stop worker")
    assert ground.apply(plain).ok
    assert ground.sh("web1", "id -u shopworker 2>/dev/null") == "", "and now nothing of its is left"
    assert ground.sh("web1", "id -u theirs"), "a user that is not ours is never touched"
    assert go_back(ground)[1].ok
    assert ground.sh("web1", "systemctl is-active worker") == "active", "a rollback makes it again"
    ground.sh("web1", "userdel theirs")


def _without_sysctls(fragment: Fragment) -> Fragment:
    return replace(fragment, sysctls={})


def test_host_that_left_the_spec_is_decommissioned_and_its_data_stays(ground: Ground) -> None:
    ground.sh("web2", "SYSTEMCTL_SKIP_SYSV=1 systemctl disable -q --now nginx")
    ground.apply(web_bundle("web2", ground.release, worker_fragment()))
    assert ground.sh("web2", GET) == "hello"
    decommission_host(ground.endpoints["web2"], who="anna", keep=3)
    assert ground.sh("web2", "systemctl is-active nginx worker; ls -d /etc/bastide 2>/dev/null") == (
        "inactive\ninactive"
    )
    assert ground.sh("web2", "cat /var/lib/shop/setups") == "run", "data stays"
    assert (
        ground.sh("web2", "ls /etc/systemd/system/worker.service /etc/sysctl.d/60-bastide.conf 2>/dev/null") == ""
    )
    journal = [json.loads(line) for line in ground.sh("web2", "cat /var/lib/bastide/journal").splitlines()]
    assert (journal[-1]["who"], journal[-1]["result"]) == ("anna", "confirmed")


def test_rollback_brings_back_package_versions_where_they_are_still_to_be_had(ground: Ground) -> None:
    ground.sh("web1", _TWO_VERSIONS)
    version = "dpkg-query -W -f '${Version}' bastide-canary"

    def bundle(text: str) -> HostBundle:
        extra = Fragment(product="canary", packages=("bastide-canary",))
        return web_bundle("web1", ground.release, extra, text=text)

    ground.sh("web1", "cp /var/tmp/repo/one /var/tmp/repo/Packages")
    assert ground.apply(bundle("one")).ok and ground.sh("web1", version) == "1"
    # An upgrade by the day's security updates, then an apply.
    ground.sh("web1", "cat /var/tmp/repo/two >> /var/tmp/repo/Packages; apt-get -qq update; "
                      "DEBIAN_FRONTEND=noninteractive apt-get -qqy install bastide-canary=2 >/dev/null")  # fmt: skip
    assert ground.apply(bundle("two")).ok and ground.sh("web1", version) == "2"
    assert go_back(ground)[1].ok
    assert (ground.sh("web1", version), ground.sh("web1", GET)) == ("1", "one"), "the archive still had it"
    # And where it has not:
    assert go_back(ground, 2)[1].ok and ground.sh("web1", version) == "2"
    ground.sh("web1", "cp /var/tmp/repo/two /var/tmp/repo/Packages; apt-get -qq update")
    assert go_back(ground)[1].ok
    assert (ground.sh("web1", version), ground.sh("web1", GET)) == ("2", "one")
    said = [event.text for event in ground.events if isinstance(event, Warned)]
    assert said == ["bastide-canary stays at 2: Debian's archive has 1 no longer"]
    ground.sh("web1", "apt-get -qq purge -y bastide-canary; rm -rf /var/tmp/repo")


_TWO_VERSIONS = """
set -e; mkdir -p /var/tmp/repo; cd /var/tmp/repo
apt-get -qq purge -y bastide-canary >/dev/null 2>&1 || true
make() {
  mkdir -p p$1/DEBIAN
  printf '%s\\n' 'Package: bastide-canary' "Version: $1" 'Architecture: all' 'Maintainer: x <x@x>' 'Description: x' \
    > p$1/DEBIAN/control
  dpkg-deb -b p$1 bastide-canary_$1_all.deb >/dev/null
  { dpkg-deb -f bastide-canary_$1_all.deb; echo Filename: ./bastide-canary_$1_all.deb
    echo Size: $(stat -c %s bastide-canary_$1_all.deb)
    echo SHA256: $(sha256sum bastide-canary_$1_all.deb | cut -d' ' -f1); echo; } > $2
}
make 1 one; make 2 two
echo 'deb [trusted=yes] file:/var/tmp/repo ./' > /etc/apt/sources.list
cp one Packages; apt-get -qq update
"""
