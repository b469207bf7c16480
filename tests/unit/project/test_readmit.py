"""A voter is let in again only by most others, only once its old part is gone, and a second time if need be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bastide.products.etcd.view import JOINING
from bastide.project import readmit as letting_in
from bastide.project import voters
from bastide.project.database import OrderRefused
from bastide.project.opening import open_project
from bastide.project.readmit import readmit
from bastide.project.target import Target
from bastide.transport.endpoint import Endpoint

SPEC = """\
name: shop
domains: [shop.test]
hosts:
  app1: {roles: [balancer, web, app], address: 10.0.0.1}
  db1: {roles: [database], address: 10.0.0.2}
  db2: {roles: [database], address: 10.0.0.3}
  wit1: {roles: [witness], address: 10.0.0.4}
app: {kind: command, path: ./site, command: [run]}
database: {name: shop, user: shop, failover: automatic}
"""


class Cluster:
    """Hosts that do what the scripts ask of them; `did` tells in which order."""

    def __init__(self) -> None:
        self.well = {"db1", "wit1"}
        self.absent: set[str] = set()
        self.away: set[str] = set()
        self.members = {"1": "db1", "2": "db2", "3": "wit1"}
        self.did: list[str] = []
        self.joins = ""
        """What the one that joined was told."""
        self.unsteady = 0
        """So many times etcd refuses to change its members."""

    def shell(self, _: Target, host: str, script: str) -> str:
        if host in self.away:
            raise OrderRefused(f"{host} does not answer")
        if "mv " in script:
            self.did.append(f"{host}: put aside")
        elif asked := re.search(r"-d '?(\{.*?\})'? .*/v3/cluster/member/(\w+)", script):
            return json.dumps(self.answer(host, asked[2], json.loads(asked[1])))
        elif "systemctl start" in script:
            self.did.append(f"{host}: join")
            self.joins = script
            self.well.add(host)
            return "absent\n" if host in self.absent else "joined\n"
        elif host not in self.well:
            raise OrderRefused(f"{host}: exit status 1")
        return ""

    def answer(self, host: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
        if what == "list":
            urls = {key: [f"https://voter.{name}.shop.internal:2380"] for key, name in self.members.items()}
            return {"members": [{"ID": k, "name": n, "peerURLs": urls[k]} for k, n in self.members.items()]}
        if self.unsteady:
            self.unsteady -= 1
            return {"error": "etcdserver: unhealthy cluster", "code": 14}
        if what == "remove":
            self.did.append(f"{host}: remove {self.members.pop(body['ID'])}")
        else:
            self.did.append(f"{host}: add {body['peerURLs'][0]}")
            self.members[str(len(self.members) + 4)] = body["peerURLs"][0].split(".")[1]
        return {"header": {}}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    found = Cluster()
    monkeypatch.setattr(voters, "_CHOOSING_S", 0.0)
    for module in (voters, letting_in):
        monkeypatch.setattr(module, "run_script", found.shell)
    return found


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/run").write_text("")
    (tmp_path / "bastide.yaml").write_text(SPEC)
    project = open_project(tmp_path / "bastide.yaml")
    hosts = {name: Endpoint(host=name, address=str(one.address)) for name, one in project.spec.hosts.items()}
    return Target(kind="servers", spec=project.spec, state=project.state("servers"), base=tmp_path, endpoints=hosts)


def test_its_old_part_is_gone_before_it_joins(cluster: Cluster, target: Target) -> None:
    told: list[str] = []
    assert readmit(target, "db2", told.append) == "db2 takes part in the vote again"
    joined = ["db1: remove db2", "db1: add https://voter.db2.shop.internal:2380", "db2: join"]
    assert cluster.did == ["db2: put aside", *joined]
    assert told == [
        "putting aside what etcd has on db2", "db1 removes db2 from the voters", "db1 adds db2 to them",
    ]  # fmt: skip


@pytest.mark.parametrize("left", [{"1": "db1", "3": "wit1"}, {"1": "db1", "3": "wit1", "4": "db2"}])
def test_what_was_interrupted_is_finished(cluster: Cluster, target: Target, left: dict[str, str]) -> None:
    """Removed and not added yet, or added and never seen."""
    cluster.members = left
    readmit(target, "db2", lambda _: None)
    assert cluster.did[-1] == "db2: join" and sorted(cluster.members.values()) == ["db1", "db2", "wit1"]


def test_whoever_the_spec_no_longer_names_makes_room(cluster: Cluster, target: Target) -> None:
    cluster.members["2"] = "old"
    readmit(target, "db2", lambda _: None)
    assert "db1: remove old" in cluster.did and cluster.did.index("db1: remove old") < len(cluster.did) - 2


def test_others_that_still_choose_a_leader_are_waited_for(
    cluster: Cluster, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host that is gone led them."""
    monkeypatch.setattr(voters, "_CHOOSING_S", 5.0)
    monkeypatch.setattr("bastide.project.voters.time.sleep", lambda _: cluster.well.update({"db1", "wit1"}))
    cluster.well = set()
    assert readmit(target, "db2", lambda _: None) == "db2 takes part in the vote again"


def test_members_that_came_a_moment_ago_are_waited_for_and_not_for_ever(
    cluster: Cluster, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bastide.project.voters.time.sleep", lambda _: None)
    cluster.unsteady = 10**9
    with pytest.raises(OrderRefused, match="unhealthy cluster"):
        readmit(target, "db2", lambda _: None)
    monkeypatch.setattr(voters, "_CHOOSING_S", 5.0)
    cluster.unsteady = 3
    assert readmit(target, "db2", lambda _: None) == "db2 takes part in the vote again"


def test_one_that_was_left_alone_lets_in_one_after_the_other(cluster: Cluster, target: Target) -> None:
    """After `force-quorum`: whoever joins must know those that there are, and no more."""
    cluster.members, cluster.well = {"1": "db1"}, {"db1"}
    readmit(target, "db2", lambda _: None)
    urls = "db1=https://voter.db1.shop.internal:2380,db2=https://voter.db2.shop.internal:2380"
    assert cluster.did[-1] == "db2: join" and f"MEMBERS=%s\\n' {urls} >" in cluster.joins
    readmit(target, "wit1", lambda _: None)
    assert f"{urls},wit1=https://voter.wit1.shop.internal:2380 >" in cluster.joins


def test_a_new_machine_waits_for_the_apply(cluster: Cluster, target: Target) -> None:
    cluster.absent = {"db2"}
    assert "bastide apply" in readmit(target, "db2", lambda _: None)


@pytest.mark.parametrize(
    ("host", "well", "away", "words"),
    [
        ("app1", {"db1", "wit1"}, set(), "no voter; there are: db1, db2, wit1"),
        ("db1", {"db1", "wit1"}, set(), "takes part"),
        ("db2", {"db1"}, set(), "only 1 of 3 voters"),
        ("db2", {"db1", "wit1"}, {"wit1"}, "only 1 of 3 voters"),
        ("db2", set(), set(), "only 0 of 3 voters"),
        ("db2", {"db1", "wit1"}, {"db2"}, "db2 does not answer"),
    ],
)
def test_else_nothing_is_touched(
    cluster: Cluster, target: Target, host: str, well: set[str], away: set[str], words: str
) -> None:
    cluster.well, cluster.away = well, away
    with pytest.raises(OrderRefused, match=words):
        readmit(target, host, lambda _: None)
    assert cluster.did == [] and sorted(cluster.members.values()) == ["db1", "db2", "wit1"]


def test_it_joins_only_by_a_unit_that_knows_how(
    cluster: Cluster, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def shell(target: Target, host: str, script: str) -> str:
        seen.append(script)
        return cluster.shell(target, host, script)

    for module in (voters, letting_in):
        monkeypatch.setattr(module, "run_script", shell)
    readmit(target, "db2", lambda _: None)
    unit = (Path(voters.__file__).parents[1] / "products/etcd/etcd.service.j2").read_text()
    assert "EnvironmentFile=-{{ view.joining }}" in unit and "--initial-cluster-state=${STATE}" in unit
    assert "--initial-cluster=${MEMBERS}" in unit
    assert f"grep -q {JOINING}" in seen[-1] and f"trap 'rm -f {JOINING}' EXIT" in seen[-1]
    allowed = [number for number, script in enumerate(seen) if f">{JOINING}" in script]
    removed = next(number for number, script in enumerate(seen) if "member/remove" in script)
    assert allowed == [len(seen) - 1] and removed < allowed[0], "it may join only as a new one"
