"""Scenarios: from files with every fault told, from the topology with what audit predicts, by name."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from bastide.drill import works
from bastide.drill.campaign import CampaignFile, choose_next, distributions, pool_names
from bastide.drill.chosen import choose_scenarios, known_scenarios
from bastide.drill.files import ScenarioInvalid, read_folder, read_scenario, shipped_scenarios
from bastide.drill.generated import expect_predicted, make_scenario, parse_name
from bastide.drill.ground import Ground
from bastide.drill.refusals import DrillRefused, FaultRefused
from bastide.drill.scenario import FaultSpec
from bastide.drill.targets import Facts, UnknownTarget, resolve_fault
from bastide.spec.report import format_errors
from bastide.topology.model import Topology
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import RESILIENT, WHITEBOARD, make_spec

BOARD = resolve_topology(make_spec(WHITEBOARD))
STRONG = resolve_topology(make_spec(RESILIENT))
NOWHERE = Path("/nonexistent")
FACTS = Facts(primary="db1", standby="db2", active_balancer="lb1")


def test_what_comes_with_it_is_valid_and_has_names_of_its_own() -> None:
    names = [scenario.name for scenario in shipped_scenarios()]
    assert len(names) == len(set(names)) >= 10


def test_a_file_says_everything_that_is_wrong_with_it_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "name: Bad Name\nprovs: x\nfault: {kind: kil, target: web1}\nhold: soon\nexpect: {reads: maybe}\n"
    )
    with pytest.raises(ScenarioInvalid) as caught:
        read_scenario(file)
    told = {(error.line, error.code) for error in caught.value.errors}
    assert {(1, "BST017"), (2, "BST012"), (3, "BST013"), (5, "BST013")} <= told
    assert {line for line, _ in told} >= {1, 2, 3, 4, 5}
    text = format_errors(caught.value.errors, colour=False)
    assert "did you mean `proves`?" in text and "did you mean kill?" in text


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("{kind: kill}", "needs a `target`"),
        ("{kind: switchover, target: db1}", "has no target"),
        ("{kind: part, target: db1}", "`peers`"),
        ("{kind: loss, target: db1, share: lots}", "no share of packets"),
        ("{kind: kill, target: db1, share: 20%}", "no share of packets"),
        ("kill web1", "a fault is a mapping"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(tmp_path: Path, fault: str, said: str) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(f"name: one\nproves: x\nfault: {fault}\n")
    with pytest.raises(ScenarioInvalid) as caught:
        read_scenario(file)
    assert any(said in error.message for error in caught.value.errors), caught.value


def test_a_good_file_is_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "name: two\nproves: x\nfault: {kind: loss, target: [primary, web1], share: 30%}\nhold: 1m\n"
        "expect: {reads: go_on, writes: stop, within: 4s, failed: 0}\n"
    )
    (scenario,) = read_folder(tmp_path)
    assert scenario.fault == FaultSpec(kind="loss", targets=("primary", "web1"), share=0.3)
    assert scenario.hold_s == 60 and scenario.expect is not None
    assert (scenario.expect.reads, scenario.expect.writes, scenario.expect.failed) == ("go_on", "stop", 0)


def test_without_a_name_each_host_in_turn() -> None:
    chosen = choose_scenarios((), STRONG, folder=NOWHERE)
    assert [s.fault for s in chosen] == [FaultSpec(kind="kill", targets=(host,)) for host in STRONG.hosts]


def test_patterns_names_pairs_and_files() -> None:
    names = [
        s.name for s in choose_scenarios(("freeze:db*", "kill:web1+web2", "primary-killed"), STRONG, folder=NOWHERE)
    ]
    assert {"freeze:db1", "freeze:db2", "freeze:db1/mariadb"} <= set(names)
    assert names[-2:] == ["kill:web1+web2", "primary-killed"]
    hosts = len(STRONG.hosts)
    assert len(choose_scenarios((), STRONG, folder=NOWHERE, pairs=True)) == hosts * (hosts - 1) // 2


@pytest.mark.parametrize(
    "name", ["kill:web9", "explode:web1", "kill", "kill:web1/ngin", "part:db1", "switchover:db1"]
)
def test_what_there_is_not_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(UnknownTarget) as caught:
        choose_scenarios((name,), STRONG, folder=NOWHERE)
    assert caught.value.hint


def test_every_generated_name_means_the_scenario_it_names() -> None:
    for topology in (BOARD, STRONG):
        for name, scenario in known_scenarios(topology, NOWHERE).items():
            if ":" in name:
                assert parse_name(name) == scenario


def test_words_become_names_of_the_moment() -> None:
    fault = FaultSpec(kind="part", targets=("primary",), peers=("standby", "each:web"))
    resolved = resolve_fault(fault, STRONG, Facts(primary="db2", standby="db1"))
    assert resolved.targets == ("db2",) and resolved.peers == ("db1", "web1", "web2")
    with pytest.raises(UnknownTarget):
        resolve_fault(fault, STRONG, Facts(primary="db2"))


def test_expectations_are_what_audit_predicts() -> None:
    lost = expect_predicted(FaultSpec(kind="kill", targets=("server1",)), BOARD, Facts(primary="server1"))
    assert (lost.reads, lost.writes) == ("stop", "stop") and "server1" in lost.why
    other = expect_predicted(FaultSpec(kind="kill", targets=("server2",)), BOARD, Facts(primary="server1"))
    assert (other.reads, other.writes) == ("go_on", "go_on")
    everywhere = resolve_fault(make_scenario("kill", ("*/nginx",)).fault, BOARD, Facts(primary="server1"))
    assert expect_predicted(everywhere, BOARD, Facts(primary="server1")).reads == "stop"


def test_who_hears_nobody_of_the_next_tier_is_as_good_as_lost() -> None:
    def expected(board: Topology, target: str, *peers: str) -> str:
        return expect_predicted(
            FaultSpec(kind="part", targets=(target,), peers=peers), board, FACTS
        ).reads  # fmt: skip

    assert expected(STRONG, "lb1", "web1", "web2") == "go_on", "another balancer takes its place"
    alone = resolve_topology(make_spec({name: roles for name, roles in RESILIENT.items() if name != "lb2"}))
    assert expected(alone, "lb1", "web1", "web2") == "stop" and expected(alone, "lb1", "web1") == "go_on"
    assert expected(alone, "web1", "app1", "app2") == "go_on"
    both = expect_predicted(
        FaultSpec(kind="part", targets=("web1", "web2"), peers=("lb1", "lb2")), STRONG, FACTS
    )  # fmt: skip
    assert both.reads == "stop", "whoever is named first"


def test_nobody_is_parted_from_himself() -> None:
    alone = resolve_topology(make_spec({"all1": ["balancer", "web", "app"]}))
    with pytest.raises(UnknownTarget):
        resolve_fault(FaultSpec(kind="part", targets=("all1",), peers=("each:web",)), alone, Facts())
    names = [scenario.name for scenario in choose_scenarios(("*",), alone, folder=NOWHERE)]
    assert "balancer-cut-off-inside" not in names and "active-balancer-lost" in names


def test_certificates_run_out_only_where_somebody_looks_at_them() -> None:
    plain = resolve_topology(make_spec(RESILIENT, tls={"inside": "plain"}))
    assert "expire:web1" in known_scenarios(STRONG, NOWHERE)
    assert not [name for name in known_scenarios(plain, NOWHERE) if name.startswith("expire:")]


def test_what_visitors_see_runs_out_for_all_of_them() -> None:
    scenario = known_scenarios(STRONG, NOWHERE)["expire-edge"]
    expected = expect_predicted(scenario.fault, STRONG, FACTS)
    assert (expected.reads, expected.writes) == ("stop", "stop"), "however many balancers there are"
    assert parse_name("expire-edge") == scenario
    with pytest.raises(UnknownTarget):
        parse_name("expire-edge:lb1")


def test_clocks_jump_where_a_service_can_be_shown_another_time_and_nothing_rests_on_them() -> None:
    strong = resolve_topology(make_spec({**RESILIENT, "monitor1": ["monitor"], "wit1": ["witness"]}))
    known = known_scenarios(strong, NOWHERE)
    assert {"clock:lb1", "clock:web1", "clock:db1"} <= known.keys()
    assert "clock:wit1" not in known, "etcd asks the kernel"
    expected = expect_predicted(known["clock:db1"].fault, STRONG, FACTS)
    assert (expected.reads, expected.writes) == ("go_on", "go_on")


def test_a_full_disk_stops_the_writes_of_databases_alone() -> None:
    def expected(targets: tuple[str, ...], board: Topology, primary: str) -> tuple[str, str]:
        found = expect_predicted(FaultSpec(kind="full", targets=targets), board, Facts(primary=primary))
        return found.reads, found.writes

    assert expected(("server1",), BOARD, "server1") == ("go_on", "stop")
    assert expected(("server2",), BOARD, "server1") == ("go_on", "go_on")
    assert expected(("lb1", "web1", "app1"), STRONG, "db1") == ("go_on", "go_on")


def test_a_release_is_noticed_by_nobody_where_another_host_stands_in() -> None:
    fault = make_scenario("deploy", ()).fault
    assert expect_predicted(fault, STRONG, FACTS).failed == 0
    alone = make_spec({name: roles for name, roles in RESILIENT.items() if name != "app2"})
    assert expect_predicted(fault, resolve_topology(alone), FACTS).failed is None


@pytest.mark.parametrize(("code", "refused"), [(0, ""), (3, "not what the spec says"), (1, "cannot be compared")])
def test_what_ends_in_an_apply_begins_only_where_nothing_else_is_to_be_applied(
    code: int, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(works, "_run", lambda *_: subprocess.CompletedProcess((), code, "", ""))
    ground = Ground(target=cast("Any", None), topology=STRONG, lab="x")
    if not refused:
        works.refuse_changes(ground)
        return
    with pytest.raises(FaultRefused, match=refused):
        works.refuse_changes(ground)


def test_a_campaign_is_the_same_for_one_seed_and_goes_on_where_it_was(tmp_path: Path) -> None:
    pool = choose_scenarios(pool_names(STRONG, automatic=True), STRONG, folder=NOWHERE)
    drawn = [choose_next(pool, 7, index).name for index in range(50)]
    assert drawn == [choose_next(pool, 7, index).name for index in range(50)]
    assert drawn != [choose_next(pool, 8, index).name for index in range(50)] and len(set(drawn)) > 10
    kept = CampaignFile(tmp_path, 7, pool)
    assert kept.read() == []
    kept.add({"name": drawn[0]})
    with kept.path.open("a") as stream:
        stream.write('{"name": "cut sh')
    assert CampaignFile(tmp_path, 7, pool).read() == [{"name": drawn[0]}]
    with pytest.raises(DrillRefused, match="drew from other scenarios"):
        CampaignFile(tmp_path, 7, pool[1:]).read()


def test_distributions_count_what_was_tested() -> None:
    row = {
        "name": "a", "verdict": "met", "outage_read_s": 1.0, "outage_write_s": None, "requests": 10, "failed": 1,
        "acknowledged": 5, "lost": 0, "duplicated": 0, "two_writers_s": 0.0,
    }  # fmt: skip
    rows = [row, {**row, "outage_read_s": 3.0}, {**row, "verdict": "not_tested", "outage_read_s": 99.0}]
    (line,) = distributions(rows)
    assert line["runs"] == 2 and line["read_p50_s"] == 1.0 and line["read_p99_s"] == 3.0
    assert line["write_p50_s"] is None and line["requests"] == 20
