"""Plans as text and JSON, and grants."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from bastide.bundle.assemble import assemble_bundle
from bastide.bundle.model import HostBundle
from bastide.host.decide import UnitState, unit_stamp
from bastide.host.manifest import empty_manifest
from bastide.plan.diff import diff_host
from bastide.plan.facts import HostFacts, read_facts
from bastide.plan.grants import decide_grants
from bastide.plan.marks import DATA_MARKS
from bastide.plan.text import PlanView, format_plan, plan_json
from bastide.plan.words import describe_step
from bastide.products.fragment import File, Fragment, Unit
from bastide.topology.model import Host, Topology

RUNNING: UnitState = {
    "load": "loaded", "active": "active", "sub": "running", "enabled": "enabled", "can_reload": True,
    "waits": False,
}  # fmt: skip


def bundle(host: str, text: str = "a\nold\nc\n", secret: str = "s3cr3t-old") -> HostBundle:
    """One file, one secret file, one unit."""
    return assemble_bundle(
        host,
        [
            Fragment(
                product="p",
                files=(
                    File(path="/etc/bastide/p/p.conf", content=text.encode()),
                    File(path="/etc/bastide/p/key", content=secret.encode(), mode=0o600, secret=True),
                ),
                units=(Unit(name="p.service", reload_on=("/etc/bastide/p",)),),
            )
        ],
    )


def facts(have: HostBundle, wanted: HostBundle, **fields: object) -> HostFacts:
    """Facts of a host that has one bundle, asked about another."""
    manifest = have.manifest
    digests = {e["path"]: e["sha256"] for e in manifest["files"]}
    answer = {
        "hostname": have.host, "os_id": "debian", "os_version": "12", "python": "3.11", "boot_id": "b",
        "uptime_s": 1, "disk_free": 1, "generation": have.digest, "settled": True, "phase": "confirmed",
        "manifest": manifest if have.digest != wanted.digest else None,
        "stamps": {u["name"]: unit_stamp(manifest, u) for u in manifest["units"]},  # type: ignore[arg-type]
        "files": digests,
        "differing": [e["path"] for e in wanted.manifest["files"] if digests.get(e["path"]) != e["sha256"]],
        "missing_packages": [], "missing_users": [], "missing_archives": [], "differing_directories": [],
        "sysctls_differ": False, "units": {"p.service": RUNNING}, "exists": {}, **fields,
    }  # fmt: skip
    return read_facts(have.host, answer, wanted.manifest)  # type: ignore[arg-type]


def test_no_changes() -> None:
    plan = diff_host(bundle("web1"), facts(bundle("web1"), bundle("web1")))
    assert plan.changes == 0
    assert format_plan(PlanView(plans=[plan], bundles={"web1": bundle("web1")})) == "no changes on 1 host\n"


def test_hosts_that_change_alike_are_shown_once_with_the_difference() -> None:
    names = ("web1", "web2", "web3")
    wanted = {name: bundle(name, "a\nnew\nc\n") for name in names}
    plans = [diff_host(wanted[n], facts(bundle(n), wanted[n])) for n in names]
    old = {name: {"/etc/bastide/p/p.conf": b"a\nold\nc\n"} for name in names}
    text = format_plan(PlanView(plans=plans, bundles=wanted, old=old, batches=[["web1"], ["web2", "web3"]]))
    assert text.splitlines() == [
        "web1, then web2, web3 (batch 1, 2 of 2)",
        "  ~ /etc/bastide/p/p.conf",
        "      @@ -1,3 +1,3 @@",
        "       a",
        "      -old",
        "      +new",
        "       c",
        "  * reload p.service",
        "",
        "6 changes on 3 of 3 hosts",
    ]


def test_secret_contents_are_never_shown() -> None:
    wanted = bundle("web1", secret="s3cr3t-new")
    plan = diff_host(wanted, facts(bundle("web1"), wanted))
    # Even if a host had handed it out.
    old = {"web1": {"/etc/bastide/p/key": b"s3cr3t-old"}}
    view = PlanView(plans=[plan], bundles={"web1": wanted}, old=old)
    text = format_plan(view)
    assert "/etc/bastide/p/key (secret)" in text
    assert "s3cr3t" not in text + repr(plan) + str(plan_json(view))


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        ({"active": "failed"}, ["StartUnit"]),
        ({"active": "activating", "sub": "auto-restart"}, ["StartUnit"]),
        ({"active": "activating", "sub": "start"}, []),
        ({"enabled": "disabled"}, ["StartUnit"]),
    ],
)
def test_unit_that_is_not_well_is_a_change(state: dict[str, str], kinds: list[str]) -> None:
    units = {"p.service": {**RUNNING, **state}}
    plan = diff_host(bundle("web1"), facts(bundle("web1"), bundle("web1"), units=units))
    assert [type(step).__name__ for step in plan.steps] == kinds


def test_packages_that_left_the_spec_are_named_once() -> None:
    had = replace(bundle("web1"), packages=("nginx", "php-fpm"))
    wanted = replace(bundle("web1"), packages=("nginx",))
    plan = diff_host(wanted, facts(had, wanted))
    assert [describe_step(step) for step in plan.steps] == [
        "- packages php-fpm, unless others need them; they leave with the last kept generation that names them, and "
        "never their data"
    ]
    assert not diff_host(wanted, facts(wanted, wanted)).steps


def test_unfinished_apply_is_a_change() -> None:
    plan = diff_host(bundle("web1"), facts(bundle("web1"), bundle("web1"), settled=False))
    assert [type(step).__name__ for step in plan.steps] == ["Settle"]


def test_fresh_host_needs_everything() -> None:
    fresh = facts(
        bundle("web1"), bundle("web1"), generation="", settled=True, stamps={}, files={},
        differing=["/etc/bastide/p/key", "/etc/bastide/p/p.conf"], missing_packages=["nginx"],
    )  # fmt: skip
    assert fresh.manifest == empty_manifest()
    plan = diff_host(bundle("web1"), fresh)
    assert [s["what"] for s in plan_json(PlanView(plans=[plan], bundles={}))["hosts"][0]["steps"]] == [
        "+ packages nginx",
        "+ /etc/bastide/p/key (secret)",
        "+ /etc/bastide/p/p.conf",
        "* restart p.service",
    ]


DATABASES = Topology(
    name="s", domains=("s.test",), internal_domain="s.internal", services=(), flows=(), virtual_ip=None,
    hosts={
        n: Host(name=n, roles=("database",), private=ip_address("10.0.0.1"), public=None) for n in ("db1", "db2")
    },
)  # fmt: skip


def seen(name: str, *data: str) -> HostFacts:
    """A database host with these marks of data."""
    return facts(bundle(name), bundle(name), exists={mark: mark in data for mark in DATA_MARKS})


def test_grant_to_initialise_goes_to_the_first_when_no_host_has_data() -> None:
    assert decide_grants(DATABASES, {n: seen(n) for n in ("db1", "db2")}) == {"db1": ("database-initialise",)}


@pytest.mark.parametrize("mark", DATA_MARKS)
def test_no_grant_when_anyone_has_data(mark: str) -> None:
    assert decide_grants(DATABASES, {"db1": seen("db1"), "db2": seen("db2", mark)}) == {}


def test_no_grant_when_a_database_was_not_seen_or_not_asked() -> None:
    assert decide_grants(DATABASES, {"db1": seen("db1")}) == {}
    unasked = facts(bundle("db2"), bundle("db2"))
    assert decide_grants(DATABASES, {"db1": seen("db1"), "db2": unasked}) == {}
