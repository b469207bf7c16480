"""The alerts, judged by Prometheus' own tools: each fires when it should, and is silent when it should be."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bastide.products.prometheus.rules import dashboard_url, derive_rules
from bastide.products.rules import Alert, to_plain
from bastide.spec.model import Spec
from bastide.topology.resolve import resolve_topology
from tests.unit.products.monitoring.rule_cases import CASES, Case
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD, make_spec

PROMTOOL = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="prometheus is not installed: scripts/setup test"
)
TWO_MONITORS = {**RESILIENT, "monitor2": ["monitor"]}
LAYOUTS = {"resilient": RESILIENT, "pair": TWO_MONITORS, "whiteboard": WHITEBOARD, "one": EVERYTHING_ON_ONE}


def spec_of(layout: Any) -> Spec:
    """With automatic failover where the layout has the votes for it."""
    votes = sum(1 for roles in layout.values() if {"database", "witness"} & set(roles))
    database = {"name": "shop", "failover": "automatic"}
    return make_spec(layout, database=database) if votes == 3 else make_spec(layout)


def alerts(layout: Any = TWO_MONITORS) -> list[Alert]:
    spec = spec_of(layout)
    files = derive_rules(spec, resolve_topology(spec))
    return [
        rule for groups in files.values() for group in groups for rule in group.rules if isinstance(rule, Alert)
    ]


def _file_of() -> dict[str, str]:
    spec = spec_of(TWO_MONITORS)
    files = derive_rules(spec, resolve_topology(spec))
    rules = [(name, rule) for name, groups in files.items() for group in groups for rule in group.rules]
    return {rule.name: name for name, rule in rules if isinstance(rule, Alert)}


FILE_OF = _file_of()


def write_rules(layout: Any, folder: Path) -> list[str]:
    spec = spec_of(layout)
    topology = resolve_topology(spec)
    names = []
    for name, groups in derive_rules(spec, topology).items():
        plain = {"groups": [to_plain(group, dashboard_url(topology)) for group in groups]}
        (folder / f"{name}.yml").write_text(json.dumps(plain))
        names.append(f"{name}.yml")
    return names


def promtool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)


@PROMTOOL
@pytest.mark.parametrize("layout", LAYOUTS)
def test_prometheus_accepts_the_rules_of_every_layout(layout: str, tmp_path: Path) -> None:
    done = promtool(tmp_path, "check", "rules", *write_rules(LAYOUTS[layout], tmp_path))
    assert done.returncode == 0, done.stderr


@PROMTOOL
def test_prometheus_refuses_a_broken_rule(tmp_path: Path) -> None:
    """Negative control."""
    (name, *_) = write_rules(RESILIENT, tmp_path)
    (tmp_path / name).write_text((tmp_path / name).read_text().replace("rate(", "rat(", 1))
    assert promtool(tmp_path, "check", "rules", name).returncode != 0


def run_cases(cases: list[Case], folder: Path) -> subprocess.CompletedProcess[str]:
    """Cases of one interval and one file of rules, in one run."""
    write_rules(TWO_MONITORS, folder)
    document = {
        "rule_files": [f"{FILE_OF[cases[0].alert]}.yml"],
        "evaluation_interval": cases[0].every,
        "tests": [
            {
                "name": f"{index} {case.alert} {'fires' if case.fires else 'is silent'}",
                "interval": case.every,
                "input_series": [{"series": s, "values": v} for s, v in case.series.items()],
                "promql_expr_test": [
                    {
                        "expr": f'max(ALERTS{{alertname="{case.alert}",alertstate="firing"}})',
                        "eval_time": case.at,
                        "exp_samples": [{"labels": "{}", "value": 1}] if case.fires else [],
                    }
                ],
            }
            for index, case in enumerate(cases)
        ],
    }
    (folder / "cases.yml").write_text(json.dumps(document))
    return promtool(folder, "test", "rules", "cases.yml")


@PROMTOOL
@pytest.mark.parametrize(("rules", "every"), sorted({(FILE_OF[case.alert], case.every) for case in CASES}))
def test_each_alert_fires_when_it_should_and_only_then(rules: str, every: str, tmp_path: Path) -> None:
    done = run_cases([c for c in CASES if (FILE_OF[c.alert], c.every) == (rules, every)], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@PROMTOOL
def test_a_case_that_expects_the_wrong_thing_fails(tmp_path: Path) -> None:
    """Negative control: these tests can fail."""
    wrong = Case(alert="Watchdog", series={}, at="1m", fires=False)
    assert run_cases([wrong], tmp_path).returncode != 0


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    names = {alert.name for alert in alerts()}
    assert names == {case.alert for case in CASES if case.fires}
    assert names - {"Watchdog"} == {case.alert for case in CASES if not case.fires}


def test_every_alert_says_what_is_wrong_and_where_to_look() -> None:
    spec = spec_of(TWO_MONITORS)
    topology = resolve_topology(spec)
    for groups in derive_rules(spec, topology).values():
        for group in groups:
            for rule in to_plain(group, dashboard_url(topology))["rules"]:
                if "alert" in rule:
                    assert rule["annotations"]["description"].startswith("Look at: ")
                    assert rule["annotations"]["link"].startswith("https://10.213.0.18:8444/#")
                    assert not re.search(
                        r"\{\w|\w\}(?!\})", re.sub(r"\{\{.*?\}\}", "", rule["annotations"]["summary"])
                    )


def test_pages_are_few_and_a_redundant_host_is_no_page() -> None:
    assert {a.name for a in alerts() if a.severity == "page"} == {
        "ErrorsBurnFast", "ErrorsBurnSteady", "SlowBurnFast", "SlowBurnSteady", "TrafficGone", "BackendEmpty",
        "VirtualIpUnheld", "VirtualIpTwice", "DatabaseNoPrimary", "DatabaseTwoPrimaries", "SiteDown",
        "ServedCertificateExpires", "CertificateOverdue", "MonitorDeaf", "VoteLost", "CommitsWait",
        "HostSpeaksForAnother",
    }  # fmt: skip
    silent = {a.severity: a.expr for a in alerts(WHITEBOARD) if a.name == "HostSilent"}
    assert 'host=~"lb1"' in silent["page"] and 'host!~"lb1"' in silent["ticket"]
